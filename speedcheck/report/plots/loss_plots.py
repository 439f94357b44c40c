"""The losses beside the target, and what they say of mean and standard deviation."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speedcheck.plot_data.pictures import Losses, Posterior
from speedcheck.report.plots.style import (
    BLUE,
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
from speedcheck.stats import Estimate
from speedcheck.stats.densities import Density

# Heights within a plot, as shares of it: the dots of the runs below, the interval above them.
_DOTS, _INTERVAL = 0.08, 0.2


def losses_figure(losses: Losses) -> Figure:
    """Draw each loss, the target, the mean with its interval, and the density of the next run."""
    figure, axes = new_axes("Final losses and the target", "validation loss", "")
    inside = axes.get_xaxis_transform()
    if losses.next_run is not None:
        axes.fill_between(losses.next_run.x, losses.next_run.y, color=SHADE, linewidth=0)
        axes.plot(losses.next_run.x, losses.next_run.y, color=BLUE, label="next run (t-density)")
        axes.set_ylim(0)
    heights = [_DOTS] * len(losses.values)
    axes.plot(
        losses.values,
        heights,
        "o",
        transform=inside,
        color=INK,
        markersize=4.5,
        alpha=0.65,
        markeredgewidth=0,
        label="run",
    )
    if losses.interval is not None:
        low, high = losses.interval.low, losses.interval.high
        name = f"mean, {losses.interval.level:.0%} interval"
        axes.plot([low, high], [_INTERVAL] * 2, transform=inside, color=ORANGE, linewidth=3)
        if losses.mean is not None:
            axes.plot(
                [losses.mean],
                [_INTERVAL],
                "D",
                transform=inside,
                color=ORANGE,
                markersize=7,
                label=name,
            )
    axes.axvline(losses.target, color=RED, linestyle="--", label=f"target {losses.target:g}")
    axes.update_datalim([(losses.target, 0)])
    axes.autoscale_view(scaley=False)
    legend(axes)
    return figure


def posterior_figure(posterior: Posterior) -> Figure:
    """Draw the densities of mean and standard deviation with their intervals."""
    figure = new_figure("What the losses say of mean and spread", TALL)
    of_mean, of_std = figure.subplots(2, 1)
    _density(of_mean, posterior.mean, posterior.mean_interval, "mean loss of all possible runs")
    of_mean.axvline(
        posterior.target, color=RED, linestyle="--", label=f"target {posterior.target:g}"
    )
    _density(of_std, posterior.std, posterior.std_interval, "standard deviation of a run's loss")
    handles, labels = of_mean.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=2, handlelength=1.4, columnspacing=1.2
    )
    return figure


def _density(axes: Axes, density: Density, interval: Estimate, name: str) -> None:
    inside = [interval.low <= x <= interval.high for x in density.x]
    axes.fill_between(
        density.x,
        density.y,
        where=inside,
        color=SHADE,
        linewidth=0,
        label=f"{interval.level:.0%} interval",
    )
    axes.plot(density.x, density.y, color=BLUE, label="density")
    axes.set_ylim(0)
    label(axes, name, "")
