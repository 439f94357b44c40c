"""All pictures, each with a name, a title and a sentence that says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from speedcheck.errors import UsageError
from speedcheck.report.plots import captions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from speedcheck.history.points import Points
    from speedcheck.plot_data import PlotData
    from speedcheck.plot_data.race_data import RaceData

_Data = TypeVar("_Data")


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing.

    Attributes:
        name: what its file is called, without an ending.
        title: what it shows.
        caption: the same in a sentence, with the figures, for people who cannot see it.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    figure: Figure


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Refuse to draw where matplotlib is not installed.

    Raises:
        UsageError: it is not.
    """
    if not can_draw():
        raise UsageError(
            "pictures need matplotlib, which is not installed",
            remedy="install it: pip install 'speedcheck[report]'",
        )


def draw_pictures(data: PlotData) -> tuple[Picture, ...]:
    """Draw every picture that the evidence gives."""
    # Half a second that other reports need not wait.
    from speedcheck.report.plots import style  # noqa: PLC0415

    with style.styled():
        return tuple(_pictures(data))


def draw_history(series: Iterable[Points]) -> tuple[Picture, ...]:
    """Draw a picture for each track of a series of records."""
    # They need matplotlib.
    from speedcheck.report.plots import history_plot, style  # noqa: PLC0415

    with style.styled():
        return tuple(
            Picture(
                f"history-{number}",
                figure.get_suptitle(),
                history_plot.history_caption(one),
                figure,
            )
            for number, one in enumerate(series, start=1)
            for figure in (history_plot.history_figure(one),)
        )


def draw_race(data: RaceData) -> tuple[Picture, ...]:
    """Draw the differences of a race's pairs and its evidence, as far as there are pairs."""
    # They need matplotlib.
    from speedcheck.report.plots import race_plots, style  # noqa: PLC0415

    differences, evidence = data.differences, data.evidence
    with style.styled():
        return (
            *_draw("pairs", differences, race_plots.differences_figure, captions.differences),
            *_draw("evidence", evidence, race_plots.evidence_figure, captions.race_evidence),
        )


def _pictures(data: PlotData) -> Iterator[Picture]:
    from speedcheck.report.plots import (  # noqa: PLC0415
        baseline_plot,
        loss_plots,
        run_plots,
        training_plots,
    )

    yield from _draw("losses", data.losses, loss_plots.losses_figure, captions.losses)
    yield from _draw("posterior", data.posterior, loss_plots.posterior_figure, captions.posterior)
    yield from _draw("curves", data.curves, training_plots.curves_figure, captions.curves)
    yield from _draw("runtimes", data.runtimes, run_plots.runtimes_figure, captions.runtimes)
    yield from _draw(
        "step-times", data.step_times, training_plots.step_times_figure, captions.step_times
    )
    yield from _draw("evidence", data.evidence, run_plots.evidence_figure, captions.evidence)
    yield from _draw(
        "comparison", data.comparison, baseline_plot.comparison_figure, captions.comparison
    )


def _draw(
    name: str,
    data: _Data | None,
    draw: Callable[[_Data], Figure],
    caption: Callable[[_Data], str],
) -> Iterator[Picture]:
    if data is not None:
        yield _picture(name, draw(data), caption(data))


def _picture(name: str, figure: Figure, caption: str) -> Picture:
    return Picture(name, figure.get_suptitle(), caption, figure)
