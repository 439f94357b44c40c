"""What the logs give: the losses and the times of the runs that a document may speak of."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.claims.model import SECONDS, Figure, Kind
from speedcheck.claims.numbers import Printed
from speedcheck.logs import Run
from speedcheck.records.folder import Record

_MOST_GROUPS = 16
# The last validations: a claim is of the end of a training.
_MOST_STEPS = 40
_MOST_BYTES = 2**28

# Two decimal fractions that are equal in print differ by less than this as binary ones.
_BINARY = 1e-9
# Half a unit of the last digit in a rounded list; in one that is cut, less than a whole one.
_ROUNDED, _CUT = (0.5, 0.5), (0.0, 0.999)

_DIGITS = re.compile(r"[0-9.]+")

_NOT_RUNS = frozenset({Exclusion.EXACT_COPY, Exclusion.INCOMPLETE})


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRun:
    """A run with its losses by their step, its own under None; equal to nothing but itself."""

    judged: JudgedRun
    losses: dict[int | None, float]

    @property
    def name(self) -> str:
        """The log, and the run's index where the file holds several."""
        return (
            f"{self.judged.log} run {self.judged.run}" if self.judged.run else self.judged.log or ""
        )


Sample = tuple[LoggedRun, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The values of some runs, which a figure may be of.

    Attributes:
        runs: those that have a value.
        values: a loss, or a time in seconds, for each of `runs`.
        step: the validation that gives their losses; None for the final ones, and for times.
        n: number of runs that were looked at.
    """

    runs: Sample
    values: tuple[float, ...]
    step: int | None
    n: int


class Samples:
    """The runs of a record as samples that a document may speak of.

    Attributes:
        counted: the runs that enter the statistics.
        runs: all runs with a loss, copies and incomplete ones left out.
        judged: the counted runs; all of them where the folder is undecided.
        level: the middle loss of the judged runs.
        all: these, every group, and all runs whatever became of them; the likeliest first.
    """

    def __init__(self, runs: Iterable[tuple[Run, JudgedRun]]) -> None:
        logged = tuple(
            LoggedRun(judged, _losses_of(run, judged.val_loss))
            for run, judged in runs
            if judged.val_loss is not None and math.isfinite(judged.val_loss)
        )
        groups: dict[str | None, list[LoggedRun]] = {}
        for one in logged:
            groups.setdefault(one.judged.group, []).append(one)
        largest = sorted(groups.values(), key=len, reverse=True)[:_MOST_GROUPS]
        self.counted = tuple(one for one in logged if one.judged.counted)
        self.runs = tuple(one for one in logged if one.judged.exclusion not in _NOT_RUNS)
        self.judged = self.counted or self.runs
        self.level = _middle([run.losses[None] for run in self.judged]) if self.judged else None
        samples = (self.counted, self.runs, *map(tuple, largest), logged)
        self.all = tuple(sample for sample in dict.fromkeys(samples) if sample)
        steps = {step for run in self.runs for step in run.losses if step is not None}
        last = sorted(steps, reverse=True)[:_MOST_STEPS]
        self._earlier = [
            _evidence(sample, "losses", step)
            for step in last
            for sample in dict.fromkeys((self.judged, self.runs))
        ]

    def judged_at(self, figure: Figure) -> Evidence:
        """Return what the judged runs give at the step that a figure names."""
        return _evidence(self.judged, figure.kind, figure.step)

    def named(self, figure: Figure) -> list[Evidence]:
        """Return the values that a figure names, final ones or those of a step, of each sample."""
        return [_evidence(sample, figure.kind, figure.step) for sample in self.all]

    def earlier(self, figure: Figure) -> list[Evidence]:
        """Return the losses at all steps, of the judged runs and of all; of times nothing."""
        return self._earlier if figure.kind == "losses" else []


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
        pairs, step = [(run, ms / 1_000) for run, ms in timed if ms], None
    runs, values = tuple(run for run, _ in pairs), tuple(value for _, value in pairs)
    return Evidence(runs, values, step, len(sample))


def in_unit_of(figure: Figure, values: Iterable[float]) -> list[float]:
    """Return losses as they are, and seconds in the unit of a figure or the one that fits best."""
    found = list(values)
    if figure.kind == "losses" or not found:
        return found
    middle, known = _middle(figure.values), _middle(found)
    if figure.unit is not None:
        scale = SECONDS[figure.unit]
    elif middle <= 0 or known <= 0:
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
    rounded, cut = (_pair(_intervals(figure, *reach), logged) for reach in (_ROUNDED, _CUT))
    pairs = cut if len(cut) == len(figure.numbers) else rounded
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


class PrintedElsewhere:
    """The losses of a record's logs that are not a run's own, and the logs' means of them.

    A README may state them: of the weights before quantization, or of averaged weights. The logs
    are read once more only when a figure is about to be called false.
    """

    def __init__(self, record: Record, measure: tuple[str, ...]) -> None:
        self._record = record
        words = "|".join(re.escape(word) for word in {*measure, "loss"})
        pattern = rf"(?:{words})[a-z_]{{0,40}}[\"']?\s?[:=]\s?([0-9]{{1,6}}\.[0-9]{{1,17}})"
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def __contains__(self, number: object) -> bool:
        """Return whether one of them, rounded or cut, is a printed number."""
        if not isinstance(number, Printed):
            return False
        unit = 10.0**-number.decimals
        at = bisect_left(self._losses, number.value - 0.5001 * unit)
        return at < len(self._losses) and self._losses[at] < number.value + 0.999 * unit

    @cached_property
    def _losses(self) -> list[float]:
        found: set[float] = set()
        by_label: dict[str, list[float]] = {}
        left = _MOST_BYTES
        for log in self._record.logs:
            left -= log.size
            if log.runs and left >= 0:
                printed = list(self._labelled(self._record.path / log.name))
                found.update(loss for _, loss in printed)
                for label, loss in dict(printed).items():
                    by_label.setdefault(label, []).append(loss)
        # Whether a run's own loss is meant was seen before.
        own = {run.val_loss for log in self._record.logs for run in log.runs}
        others = (x for x in by_label.values() if len(x) > 1 and not own.issuperset(x))
        return sorted({*(found - own), *(sum(losses) / len(losses) for losses in others)})

    def _labelled(self, path: Path) -> Iterator[tuple[str, float]]:
        """Yield each loss that a log prints, with the words before it."""
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            return
        for match in self._pattern.finditer(text):
            start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - 100)
            yield _DIGITS.sub("", text[start : match.start(1)]), float(match[1])
