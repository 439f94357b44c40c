"""From run to run: training times, and the evidence after each run."""

from __future__ import annotations

from matplotlib.figure import Figure

from speedcheck.plot_data.pictures import Evidence, Runtimes
from speedcheck.report.plots.style import BLUE, FAINT, ORANGE, RED, legend, new_axes

_ORDERS = {"start": "run, in order of start", "log": "run, in order of the logs"}


def runtimes_figure(runtimes: Runtimes) -> Figure:
    """Draw the training times in the order of the runs, so that a drift is visible."""
    figure, axes = new_axes(
        "Training time from run to run", _ORDERS[runtimes.order], "training time (s)"
    )
    places = range(1, len(runtimes.seconds) + 1)
    axes.plot(places, runtimes.seconds, "o", color=BLUE, markersize=5, label="run")
    axes.axhline(
        runtimes.mean, color=FAINT, linestyle="--", label=f"mean {runtimes.mean:.5g} s", zorder=1
    )
    if runtimes.line is not None and runtimes.line.trend.shown:
        ends = [places[0], places[-1]]
        line = [runtimes.line.first, runtimes.line.last]
        axes.plot(ends, line, color=ORANGE, label=f"trend {runtimes.line.trend.slope:+.2g} s a run")
    axes.margins(y=0.12)
    axes.locator_params(axis="x", integer=True)
    legend(axes)
    return figure


def evidence_figure(evidence: Evidence) -> Figure:
    """Draw the e-value after each run, on a logarithmic scale."""
    figure, axes = new_axes("Evidence after each run", "runs", "log10 of the e-value")
    places = range(1, len(evidence.log10_e) + 1)
    axes.plot(places, evidence.log10_e, color=BLUE, marker="o", markersize=4, label="e-value")
    axes.axhline(evidence.needed, color=RED, linestyle="--", label="certifies")
    axes.locator_params(axis="x", integer=True)
    if evidence.certified_at is not None:
        name = f"reached after {evidence.certified_at} runs"
        axes.axvline(evidence.certified_at, color=ORANGE, label=name, linewidth=1)
    legend(axes)
    return figure
