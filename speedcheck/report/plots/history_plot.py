"""A series of records: what its track counts, over the dates."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from speedcheck.history.points import Point, Points
from speedcheck.report.plots.style import BLUE, FAINT, ORANGE, PAPER, legend, new_axes
from speedcheck.report.wording import printable
from speedcheck.words import count

_AXES = {"s": "training time (s)", "steps": "steps", "loss": "mean loss"}
# Values further apart than this factor need a logarithmic axis for the later ones to be seen.
_WIDE = 4.0
# So many letters of a track's name fit into the title.
_LONGEST = 18


def history_figure(series: Points) -> Figure:
    """Draw each record at its date, joined in their order; hollow where no gain is shown."""
    figure, axes = new_axes(f"Records of {_name(series)}", "date", _AXES[series.unit])
    dates = _dates(series.points)
    values = [point.value for point in series.points]
    axes.plot(dates, values, color=FAINT, linewidth=0.8, zorder=1)
    for certified, colour in ((True, BLUE), (False, ORANGE)):
        for shown in (True, False):
            group = (certified, shown)
            chosen = [p for p in series.points if (p.is_certified, p.is_shown) == group]
            _draw(axes, chosen, colour, PAPER if not shown else colour)
    axes.plot([], [], "o", color=BLUE, label="certified")
    axes.plot([], [], "o", color=ORANGE, label="not certified")
    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    if min(values) > 0 and max(values) > _WIDE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
    legend(axes)
    return figure


def _draw(axes: Axes, points: Sequence[Point], colour: str, face: str) -> None:
    axes.errorbar(
        _dates(points),
        [point.value for point in points],
        yerr=[point.std for point in points],
        fmt="o",
        markersize=5,
        color=colour,
        markerfacecolor=face,
        elinewidth=0.8,
    )


def history_caption(series: Points) -> str:
    """Return what the picture shows in a sentence or two."""
    first, last = series.points[0], series.points[-1]
    shown = sum(point.is_shown for point in series.points)
    text = (
        f"{len(series.points)} records of track {printable(series.track)} "
        f"from {first.date} to {last.date}: "
        f"{_value(first, series)} to {_value(last, series)}. "
        f"{shown} of {len(series.points) - 1} gains over the record before are shown. "
        "Hollow points: no gain is shown. Bars: one standard deviation of a run."
    )
    if series.missing:
        verb = "is" if series.missing == 1 else "are"
        text += f" {count(series.missing, 'record')} without a date or a value {verb} not drawn."
    return text


def _name(series: Points) -> str:
    """Return the track's name as a title has room for it, in letters that every font has."""
    name = printable(series.track).encode("latin-1", "backslashreplace").decode("latin-1")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _dates(points: Sequence[Point]) -> list[float]:
    return [float(date2num(point.date)) for point in points]  # type: ignore[no-untyped-call]


def _value(point: Point, series: Points) -> str:
    return f"{point.value:.5g}{f' {series.unit}' if series.unit != 'loss' else ''}"
