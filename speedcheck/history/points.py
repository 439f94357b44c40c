"""The numbers of a series' pictures: what each track counts, over the dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from speedcheck.comparison.outcome import basis_of
from speedcheck.history.series import Entry, Unit
from speedcheck.rules.tracks import NO_TRACK


@dataclass(frozen=True, slots=True)
class Point:
    """One record.

    Attributes:
        date: its date.
        value: what its track counts: mean time in seconds, steps, or mean loss.
        std: standard deviation of a run; 0 for steps, and where there is one run.
        is_shown: whether its gain over the record before is shown; the first record has none.
        is_certified: whether it is certified.
    """

    date: date
    value: float
    std: float
    is_shown: bool
    is_certified: bool


@dataclass(frozen=True, slots=True)
class Points:
    """The records of one track.

    Attributes:
        track: name of the track.
        unit: of the values.
        points: in the order of their dates.
        missing: how many records of the track have no date or no value.
    """

    track: str
    unit: Unit
    points: tuple[Point, ...]
    missing: int


def points_of(entries: Sequence[Entry]) -> tuple[Points, ...]:
    """Return the points of each track that has two or more."""
    names = dict.fromkeys(e.track.name for e in entries if e.track.name != NO_TRACK)
    every = (_points([e for e in entries if e.track.name == name]) for name in names)
    return tuple(one for one in every if len(one.points) > 1)


def _points(entries: Sequence[Entry]) -> Points:
    found = tuple(point for entry in entries if (point := _point(entry)) is not None)
    basis = basis_of(entries[0].track)
    unit: Unit = "s" if basis == "time" else basis
    return Points(entries[0].track.name, unit, found, len(entries) - len(found))


def _point(entry: Entry) -> Point | None:
    value, std = _value(entry)
    if entry.date is None or value is None:
        return None
    return Point(
        date.fromisoformat(entry.date),
        value,
        std or 0.0,
        is_shown=entry.gain is not None and entry.gain.shown == "yes",
        is_certified=entry.certificate.certified,
    )


def _value(entry: Entry) -> tuple[float | None, float | None]:
    certificate = entry.certificate
    basis = basis_of(entry.track)
    if basis == "loss":
        return certificate.loss.mean, certificate.loss.std
    if basis == "time":
        runtime = certificate.runtime
        return (runtime.mean_s, runtime.std_s) if runtime else (None, None)
    steps = {run.final_step for run in certificate.counted}
    step = steps.pop() if len(steps) == 1 else None
    return (None if step is None else float(step)), None
