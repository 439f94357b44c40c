"""What the logs give: the losses and the times of the runs that a document may speak of."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.claims.model import SECONDS, Figure, Kind
from speedcheck.logs import Run

Place = int | str | None
"""Where a loss is in a log: at a step, in another field of the last line, or as the run's loss."""

_MOST_GROUPS = 16
# The last validations: a claim is of the end of a training.
_MOST_STEPS = 40
_MOST_FIELDS = 8

# Two decimal fractions that are equal in print differ by less than this as binary ones.
_BINARY = 1e-9
# Digits that are cut off are less than a unit, and one unit off is another value.
_CUT = 0.999

_LOSS = re.compile(r"[0-9]{1,4}\.[0-9]{1,12}")
_NOT_RUNS = frozenset({Exclusion.EXACT_COPY, Exclusion.INCOMPLETE})


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRun:
    """A run and what its log gives; equal to nothing but itself.

    Attributes:
        run: the run.
        judged: what was decided of it.
        losses: its losses by their place; its own under None.
    """

    run: Run
    judged: JudgedRun
    losses: dict[Place, float]

    @property
    def name(self) -> str:
        """The log, and the run's index where the file holds several."""
        return self.run.log if self.run.index == 0 else f"{self.run.log} run {self.run.index}"

    @property
    def seconds(self) -> float | None:
        """Its training time, if it has one."""
        ms = self.judged.train_time_ms
        return ms / 1_000 if ms else None


Sample = tuple[LoggedRun, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The values of some runs, which a figure may be of.

    Attributes:
        sample: the runs that were looked at.
        place: where their losses are; None for the final ones, and for times.
        runs: those that have a value there.
        values: a loss, or a time in seconds, for each of `runs`.
    """

    sample: Sample
    place: Place
    runs: Sample
    values: tuple[float, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every run has a value, so that statistics of the sample follow."""
        return len(self.runs) == len(self.sample)

    def in_unit_of(self, figure: Figure) -> list[float]:
        """Return the values in the unit of a figure; without one in the unit that fits best."""
        if figure.kind == "losses" or not self.values:
            return list(self.values)
        return in_unit_of(figure, list(self.values))


def in_unit_of(figure: Figure, seconds: list[float]) -> list[float]:
    """Return times in the unit of a figure; without one in the unit that fits best."""
    middle, known = _middle(figure.values), _middle(seconds)
    if figure.unit is not None:
        scale = SECONDS[figure.unit]
    elif figure.what == "time_std" or middle <= 0 or known <= 0:
        scale = 1.0
    else:
        scale = min(SECONDS.values(), key=lambda scale: abs(math.log(middle * scale / known)))
    return [value / scale for value in seconds]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@dataclass(frozen=True)
class Samples:
    """The runs of a record as samples that a document may speak of.

    Attributes:
        counted: the runs that enter the statistics.
        runs: all runs with a loss, copies and incomplete ones left out.
        others: every group, and all runs of the folder whatever became of them.
    """

    counted: Sample
    runs: Sample
    others: tuple[Sample, ...] = ()

    @cached_property
    def all(self) -> tuple[Sample, ...]:
        """The samples that hold a run, the likeliest first."""
        return tuple(s for s in dict.fromkeys((self.counted, self.runs, *self.others)) if s)

    @cached_property
    def judged(self) -> Sample:
        """The counted runs; all of them where the folder is undecided."""
        return self.counted or self.runs

    @cached_property
    def level(self) -> float | None:
        """The middle loss of the judged runs."""
        return _middle([run.losses[None] for run in self.judged]) if self.judged else None

    def judged_at(self, figure: Figure) -> Evidence:
        """Return what the judged runs give at the step that a figure names."""
        return _at(self.judged, figure.kind, figure.step)

    def named(self, figure: Figure) -> Iterator[Evidence]:
        """Yield what a figure is of as it says: final values, or losses at the step it names."""
        place = figure.step if figure.kind == "losses" else None
        return (one for one in self._evidence[figure.kind] if one.place == place)

    def elsewhere(self, figure: Figure) -> Iterator[Evidence]:
        """Yield the losses at all other places, of the judged runs and of all."""
        place = figure.step if figure.kind == "losses" else None
        return (one for one in self._evidence[figure.kind] if one.place != place)

    @cached_property
    def _evidence(self) -> dict[Kind, list[Evidence]]:
        some = dict.fromkeys((self.judged, self.runs)) if self.runs else ()
        losses = [_at(sample, "losses", None) for sample in self.all]
        losses += [_at(sample, "losses", place) for place in self._places() for sample in some]
        return {"losses": losses, "times": [_at(sample, "times", None) for sample in self.all]}

    def _places(self) -> list[Place]:
        """Return the last validation steps, and the other losses of the last line."""
        steps = Counter(p for run in self.runs for p in run.losses if isinstance(p, int))
        fields = dict.fromkeys(p for run in self.runs for p in run.losses if isinstance(p, str))
        return [*sorted(steps, reverse=True)[:_MOST_STEPS], *list(fields)[:_MOST_FIELDS]]


def samples_of(runs: Iterable[tuple[Run, JudgedRun]], measure: tuple[str, ...]) -> Samples:
    """Sort the runs of a record into samples.

    Args:
        runs: each run of the logs with what was decided of it.
        measure: the words for the loss.
    """
    logged = tuple(
        LoggedRun(run, judged, _losses(run, judged.val_loss, measure))
        for run, judged in runs
        if judged.val_loss is not None and math.isfinite(judged.val_loss)
    )
    groups: dict[str | None, list[LoggedRun]] = {}
    for one in logged:
        groups.setdefault(one.judged.group, []).append(one)
    largest = sorted(groups.values(), key=len, reverse=True)[:_MOST_GROUPS]
    return Samples(
        counted=tuple(one for one in logged if one.judged.counted),
        runs=tuple(one for one in logged if one.judged.exclusion not in _NOT_RUNS),
        others=(*map(tuple, largest), logged),
    )


def _losses(run: Run, loss: float, measure: tuple[str, ...]) -> dict[Place, float]:
    losses: dict[Place, float] = {None: loss}
    for validation in run.validations:
        if math.isfinite(validation.loss):
            losses[validation.step] = validation.loss
    extra = run.final.extra if run.final else {}
    for key, text in extra.items():
        if ("loss" in key or any(word in key for word in measure)) and _LOSS.fullmatch(text):
            losses[key] = float(text)
    return losses


def _at(sample: Sample, kind: Kind, place: Place) -> Evidence:
    if kind == "losses":
        pairs = [(run, run.losses[place]) for run in sample if place in run.losses]
    else:
        pairs = [(run, run.seconds) for run in sample if run.seconds is not None]
    runs, values = tuple(run for run, _ in pairs), tuple(value for _, value in pairs)
    return Evidence(sample, place, runs, values)


def paired(figure: Figure, evidence: Evidence) -> dict[int, LoggedRun]:
    """Return the run of each value of a list, by the value's index, for as many as can be.

    The values are taken as rounded; or as cut, if that explains the whole list.
    """
    logged = evidence.in_unit_of(figure)
    pairs = _pair(_intervals(figure, 0.5, 0.5), logged)
    if len(pairs) < len(figure.numbers):
        cut = _pair(_intervals(figure, 0.0, _CUT), logged)
        pairs = cut if len(cut) == len(figure.numbers) else pairs
    return {index: evidence.runs[at] for index, at in pairs.items()}


def _intervals(figure: Figure, below: float, above: float) -> list[tuple[float, float]]:
    """Return what each value can be, by units of its last digit.

    One digit less than the longest value is a final zero left out; with two less somebody typed
    3.28 among values like 3.2785.
    """
    intervals = []
    for number in figure.numbers:
        is_typed = number.decimals < figure.decimals - 1
        unit = 10.0 ** -(number.decimals if is_typed else figure.decimals)
        slack = _BINARY * abs(number.value)
        low, high = number.value - below * unit - slack, number.value + above * unit + slack
        intervals.append((low, high))
    return intervals


def _pair(intervals: list[tuple[float, float]], values: list[float]) -> dict[int, int]:
    """Give intervals a value each, as many as can be: the lowest free one, by their upper ends."""
    free = sorted((value, index) for index, value in enumerate(values))
    pairs: dict[int, int] = {}
    for i in sorted(range(len(intervals)), key=lambda i: intervals[i][::-1]):
        low, high = intervals[i]
        at = bisect_left(free, (low, -1))
        if at < len(free) and free[at][0] <= high:
            pairs[i] = free.pop(at)[1]
    return pairs
