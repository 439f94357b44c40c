"""The record beside its baseline: each value, the means, and the difference."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speedcheck.plot_data.pictures import Comparison, SideBySide
from speedcheck.report.plots.style import BLUE, FAINT, INK, ORANGE, TALL, label, new_figure


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw losses and times of both records, one plot for each that can be compared."""
    parts = [
        (part, name, unit)
        for part, name, unit in (
            (comparison.losses, "final validation loss", ""),
            (comparison.times, "training time (s)", " s"),
        )
        if part is not None
    ]
    figure = new_figure("The record and its baseline", TALL if len(parts) > 1 else TALL * 0.6)
    plots = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for axes, (part, name, unit) in zip(plots, parts, strict=True):
        _sides(axes, part, name, unit)
    return figure


def _sides(axes: Axes, part: SideBySide, name: str, unit: str) -> None:
    difference = part.difference
    rows = (
        ("record", part.record, difference.mean_a, BLUE),
        ("baseline", part.baseline, difference.mean_b, FAINT),
    )
    for height, (_, values, mean, colour) in enumerate(rows):
        heights = [height] * len(values)
        axes.plot(values, heights, "o", color=colour, markersize=5, alpha=0.6, markeredgewidth=0)
        if mean is not None:
            axes.plot([mean], [height], "|", color=ORANGE, markersize=22, markeredgewidth=2.5)
    label(axes, name, " ")
    axes.set_ylim(1.6, -0.6)
    axes.set_yticks([0, 1], [row[0] for row in rows])
    axes.set_ylabel("")
    axes.grid(visible=False, axis="y")
    axes.set_title(_words(part, unit), fontweight="normal", fontsize=9.5, color=INK)


def _words(part: SideBySide, unit: str) -> str:
    found = part.difference
    if found.difference is None:
        return "no difference: a side has no mean"
    return f"difference of the means {found.difference:+.4g}{unit}"
