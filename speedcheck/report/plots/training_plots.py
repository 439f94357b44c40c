"""The course of training: losses of all runs, and the time a step takes."""

from __future__ import annotations

from matplotlib.figure import Figure

from speedcheck.plot_data.pictures import Curves, StepTimes
from speedcheck.report.plots.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    RED,
    SHADE,
    TALL,
    label,
    legend,
    new_axes,
    new_figure,
)


def curves_figure(curves: Curves) -> Figure:
    """Draw the loss curves, and below them how far the counted runs are apart at the end."""
    which = f"the first {len(curves.losses)}" if curves.left_out else "all"
    figure = new_figure(f"Loss curves of {which} runs", TALL if curves.apart else TALL * 0.7)
    plots = figure.subplots(2 if curves.apart else 1, 1, squeeze=False)[:, 0]
    names = {True: "counted run", False: "other run"}
    for curve in sorted(curves.losses, key=lambda one: one.counted):
        colour, name = (BLUE if curve.counted else FAINT), names.pop(curve.counted, None)
        plots[0].plot(curve.x, curve.y, color=colour, linewidth=0.9, alpha=0.6, label=name)
    plots[0].axhline(curves.target, color=RED, linestyle="--", label=f"target {curves.target:g}")
    label(plots[0], "step", "validation loss")
    plots[0].legend(loc="upper right")
    if curves.apart:
        for curve in curves.apart:
            plots[1].plot(curve.x, curve.y, color=BLUE, linewidth=0.9, alpha=0.6)
        plots[1].axhline(0, color=INK, linewidth=0.8)
        label(plots[1], "step, towards the end", "loss - mean of runs")
    return figure


def step_times_figure(times: StepTimes) -> Figure:
    """Draw the milliseconds a step over the training."""
    figure, axes = new_axes("Time a step over the training", "step", "milliseconds a step")
    if times.runs > 1:
        axes.fill_between(
            times.steps,
            times.low,
            times.high,
            color=SHADE,
            linewidth=0,
            label="fastest to slowest run",
        )
    name = "median of the runs" if times.runs > 1 else "run"
    axes.plot(times.steps, times.median, color=ORANGE, label=name, marker=_marker(times.steps))
    # From 0 on, so that a change looks as large as it is.
    axes.update_datalim([(times.steps[0], 0)])
    axes.margins(y=0.1)
    axes.autoscale_view()
    axes.set_ylim(0)
    legend(axes)
    return figure


def _marker(points: tuple[int, ...]) -> str:
    return "o" if len(points) == 1 else ""
