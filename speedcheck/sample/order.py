"""When runs started, and the order of the runs that follows."""

from __future__ import annotations

from datetime import datetime

from speedcheck.certificate import JudgedRun
from speedcheck.logs import Run
from speedcheck.sample.sample import Sample


def started(run: Run) -> datetime | None:
    """Return when a run started, as its log says; None without a date that has a time zone."""
    if run.header is None or run.header.started is None:
        return None
    try:
        date = datetime.fromisoformat(run.header.started)
    except ValueError:
        return None
    return date if date.tzinfo is not None else None


def in_order_of_start(sample: Sample) -> tuple[tuple[JudgedRun, ...], bool]:
    """Return the counted runs in the order of their starts, and whether the logs tell it.

    Where a log does not say when its run started, they are in the order of the logs.
    """
    counted = sample.counted()
    starts = [date for run, _ in counted if (date := started(run)) is not None]
    judged = tuple(run for _, run in counted)
    if len(starts) < len(counted):
        return judged, False
    order = sorted(range(len(judged)), key=lambda place: starts[place])
    return tuple(judged[place] for place in order), True
