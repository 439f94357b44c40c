"""What the logs give: the losses and the times of the runs that a document may speak of."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.claims.model import SECONDS, Figure, Kind
from speedcheck.logs import Run

_MOST_GROUPS = 16
# The last validations: a claim is of the end of a training.
_MOST_STEPS = 40

# Two decimal fractions that are equal in print differ by less than this as binary ones.
_BINARY = 1e-9
# Digits that are cut off are less than a unit, and one unit off is another value.
_CUT = 0.999

_NOT_RUNS = frozenset({Exclusion.EXACT_COPY, Exclusion.INCOMPLETE})


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRun:
    """A run and what its log gives; equal to nothing but itself.

    Attributes:
        run: the run.
        judged: what was decided of it.
        losses: its losses by their step; its own under None.
    """

    run: Run
    judged: JudgedRun
    losses: dict[int | None, float]

    @property
    def name(self) -> str:
        """The log, and the run's index where the file holds several."""
        return self.run.log if self.run.index == 0 else f"{self.run.log} run {self.run.index}"


Sample = tuple[LoggedRun, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The values of some runs, which a figure may be of.

    Attributes:
        sample: the runs that were looked at.
        step: the validation that gives their losses; None for the final ones, and for times.
        runs: those that have a value there.
        values: a loss, or a time in seconds, for each of `runs`.
    """

    sample: Sample
    step: int | None
    runs: Sample
    values: tuple[float, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every run has a value, so that statistics of the sample follow."""
        return len(self.runs) == len(self.sample)


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
        return _evidence(self.judged, figure.kind, figure.step)

    def evidence(self, figure: Figure) -> tuple[list[Evidence], list[Evidence]]:
        """Return what a figure may be of, the likeliest first.

        Returns:
            The values that it names, final ones or those of a step, of every sample; and the
            losses at other steps, of the judged runs and of all.
        """
        step = figure.step if figure.kind == "losses" else None
        found = self._losses if figure.kind == "losses" else self._times
        return [e for e in found if e.step == step], [e for e in found if e.step != step]

    @cached_property
    def _losses(self) -> list[Evidence]:
        steps = {step for run in self.runs for step in run.losses if step is not None}
        last = sorted(steps, reverse=True)[:_MOST_STEPS]
        some = tuple(dict.fromkeys((self.judged, self.runs)))
        final = [_evidence(sample, "losses", None) for sample in self.all]
        return final + [_evidence(sample, "losses", step) for step in last for sample in some]

    @cached_property
    def _times(self) -> list[Evidence]:
        return [_evidence(sample, "times", None) for sample in self.all]


def samples_of(runs: Iterable[tuple[Run, JudgedRun]]) -> Samples:
    """Sort the runs of a record, each with what was decided of it, into samples."""
    logged = tuple(
        LoggedRun(run, judged, _losses_of(run, judged.val_loss))
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


def _losses_of(run: Run, loss: float) -> dict[int | None, float]:
    losses: dict[int | None, float] = {None: loss}
    losses.update((v.step, v.loss) for v in run.validations if math.isfinite(v.loss))
    return losses


def _evidence(sample: Sample, kind: Kind, step: int | None) -> Evidence:
    if kind == "losses":
        pairs = [(run, run.losses[step]) for run in sample if step in run.losses]
    else:
        # A log without times gives zero.
        timed = [(run, run.judged.train_time_ms) for run in sample]
        pairs = [(run, ms / 1_000) for run, ms in timed if ms]
    runs, values = tuple(run for run, _ in pairs), tuple(value for _, value in pairs)
    return Evidence(sample, step, runs, values)


def in_unit_of(figure: Figure, values: Iterable[float]) -> list[float]:
    """Return losses as they are, and seconds in the unit of a figure or the one that fits best."""
    found = list(values)
    if figure.kind == "losses" or not found:
        return found
    middle, known = _middle(figure.values), _middle(found)
    if figure.unit is not None:
        scale = SECONDS[figure.unit]
    elif figure.what == "time_std" or middle <= 0 or known <= 0:
        scale = 1.0
    else:
        scale = min(SECONDS.values(), key=lambda scale: abs(math.log(middle * scale / known)))
    return [value / scale for value in found]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def paired(figure: Figure, evidence: Evidence) -> dict[int, LoggedRun]:
    """Return the run of each value of a list, by the value's index, for as many as can be.

    The values are taken as rounded; or as cut, if that explains the whole list.
    """
    logged = in_unit_of(figure, evidence.values)
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
    intervals, most = [], figure.decimals
    for number in figure.numbers:
        unit = 10.0 ** -(number.decimals if number.decimals < most - 1 else most)
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
