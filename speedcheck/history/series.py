"""Records in the order of their dates, each with its gain over the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from speedcheck.certificate import Certificate, JudgedRun
from speedcheck.comparison.outcome import basis_of
from speedcheck.rules.tracks import NO_TRACK, Track
from speedcheck.stats.arguments import sign_of
from speedcheck.stats.times import MACHINE_SPREAD, between_machines, time_difference
from speedcheck.stats.welch import Difference, welch

LEVEL = 0.95
# Standard deviations on each side of zero that hold 95 % of a normal distribution.
_NORMAL_95 = 1.96

Unit = Literal["s", "steps", "loss"]
Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a record gains over the previous one of its track; positive is better.

    Attributes:
        amount: the gain, in `unit`; None where one of the two does not say what counts.
        unit: seconds, steps, or the unit of the measure where every run trains for equally long.
        low: lower end of its two-sided 95 % interval, in which the spread between machines is;
            None without a test, and for steps.
        high: its upper end.
        shown: whether the gain is more than chance and the difference between two machines of
            one name: "no" also for a gain that machines alone explain, however few the runs.
        why: what "unknown" comes from; "" otherwise.
    """

    amount: float | None
    unit: Unit
    low: float | None = None
    high: float | None = None
    shown: Answer = "unknown"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a series.

    Attributes:
        folder: its folder, below the one of the series.
        date: ISO date, from record.toml or the folder's name; None where neither has one.
        track: the track that it was judged by.
        certificate: its judgement.
        gain: against the entry before of the same track; None for the first one, and for records
            that enter no track: nothing makes them comparable.
    """

    folder: Path
    date: str | None
    track: Track
    certificate: Certificate
    gain: Gain | None = None


def series(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries by date, those without one last, each with its gain."""
    latest: dict[str, Entry] = {}
    ordered = []
    for entry in sorted(entries, key=lambda e: (e.date is None, e.date, e.folder.as_posix())):
        before = latest.get(entry.track.name)
        ordered.append(entry if before is None else replace(entry, gain=gain_over(before, entry)))
        if entry.track.name != NO_TRACK:
            latest[entry.track.name] = entry
    return tuple(ordered)


def gain_over(before: Entry, entry: Entry) -> Gain:
    """Return what `entry` gains over `before`, by what their track counts."""
    basis = basis_of(entry.track)
    if basis == "steps":
        return _by_steps(before, entry)
    return _by_time(before, entry) if basis == "time" else _by_loss(before, entry)


def _by_time(before: Entry, entry: Entry) -> Gain:
    spread = entry.track.machine_spread
    spread = MACHINE_SPREAD if spread is None else spread
    found = time_difference(_times(before), _times(entry), machine_spread=spread, level=LEVEL)
    gain = Gain(found.difference, "s", found.low, found.high)
    if found.difference is None:
        return replace(gain, why="times are missing")
    if _hardware(before) != _hardware(entry) or None in _hardware(entry):
        return Gain(found.difference, "s", why="the hardware differs or is not named")
    if abs(found.difference) <= _NORMAL_95 * between_machines(found, spread):
        return replace(gain, shown="no")
    return _answered(gain)


def _by_loss(before: Entry, entry: Entry) -> Gain:
    found: Difference = welch(_losses(before), _losses(entry), LEVEL)
    sign = sign_of(entry.track.direction)
    if found.difference is None:
        return Gain(None, "loss", why="losses are missing")
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    low, high = sorted(sign * end for end in ends) if ends else (None, None)
    return _answered(Gain(sign * found.difference, "loss", low, high))


def _by_steps(before: Entry, entry: Entry) -> Gain:
    """Steps do not vary by chance, so a gain needs no test."""
    ends = [{run.final_step for run in e.certificate.counted} for e in (before, entry)]
    if any(len(steps) != 1 or None in steps for steps in ends):
        return Gain(None, "steps", why="the runs end at different steps, or do not say where")
    (then,), (now,) = ends
    amount = float((then or 0) - (now or 0))
    return Gain(amount, "steps", shown="yes" if amount > 0 else "no")


def _answered(gain: Gain) -> Gain:
    if gain.low is None:
        return replace(gain, why="one run has no standard deviation")
    return replace(gain, shown="yes" if gain.low > 0 else "no")


def _times(entry: Entry) -> list[float]:
    times = (run.train_time_ms for run in entry.certificate.counted)
    return [time / 1000 for time in times if time is not None]


def _losses(entry: Entry) -> list[float]:
    return [run.val_loss for run in entry.certificate.counted if run.val_loss is not None]


def _hardware(entry: Entry) -> set[str | None]:
    return {_machine(run) for run in entry.certificate.counted}


def _machine(run: JudgedRun) -> str | None:
    # Processors differ too much for "a CPU" to be one kind of machine.
    return f"{run.n_gpus} x {run.gpu}" if run.gpu and run.n_gpus else None
