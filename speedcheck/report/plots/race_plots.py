"""A race: the difference of each pair, and the evidence after each whole block."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speedcheck.plot_data.race_data import PairDifferences, RaceEvidence
from speedcheck.report.plots.style import (
    BLUE,
    HEIGHT,
    INK,
    ORANGE,
    PAPER,
    RED,
    SHADE,
    legend,
    new_axes,
)

# Three lines of legend need more room than two.
_HEIGHT = HEIGHT + 0.6


def differences_figure(shown: PairDifferences) -> Figure:
    """Draw A - B of each pair with the zero line, the mean and the confidence sequence."""
    title = "Training time of A minus B"
    figure, axes = new_axes(title, "pair", "A - B (s)", height=_HEIGHT)
    _interval(axes, shown)
    axes.axhline(0, color=INK, linewidth=1, label="no difference")
    for a_first, face, name in ((True, BLUE, "A ran first"), (False, PAPER, "B ran first")):
        points = [
            (number, seconds)
            for number, (seconds, first) in enumerate(
                zip(shown.seconds, shown.a_first, strict=True), start=1
            )
            if first is a_first
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, "o", color=BLUE, markerfacecolor=face, markersize=5, label=name)
    axes.margins(y=0.12)
    axes.locator_params(axis="x", integer=True)
    legend(axes)
    return figure


def _interval(axes: Axes, shown: PairDifferences) -> None:
    if shown.low is not None and shown.high is not None:
        name = f"{100 * shown.level:g}% interval"
        axes.axhspan(shown.low, shown.high, color=SHADE, linewidth=0, label=name, zorder=0)
    if shown.mean is not None:
        name = f"mean {shown.mean:+.3f} s"
        axes.axhline(shown.mean, color=ORANGE, linestyle="--", label=name, zorder=1)


def evidence_figure(shown: RaceEvidence) -> Figure:
    """Draw the e-value after each whole block, on a logarithmic scale."""
    figure, axes = new_axes("Evidence after each block", "pairs", "log10 of the e-value")
    axes.plot(shown.pairs, shown.log10_e, color=BLUE, marker="o", markersize=4, label="e-value")
    axes.axhline(shown.needed, color=RED, linestyle="--", label="decides")
    if shown.reached_at is not None:
        name = f"reached after {shown.reached_at} pairs"
        axes.axvline(shown.reached_at, color=ORANGE, label=name, linewidth=1)
    axes.set_xlim(0, shown.pairs[-1] + 1)
    axes.locator_params(axis="x", integer=True)
    legend(axes)
    return figure
