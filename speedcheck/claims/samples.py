"""What the logs give: the losses and the times of the runs that a document may speak of."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.claims.model import SECONDS, Figure, Key
from speedcheck.claims.vocabulary import steps_in
from speedcheck.logs import Run

_MOST_GROUPS = 16
_MOST_STEPS = 16

_FEW_DIGITS = 3

# The first digits of a UUID are enough of a log's name.
_SHORT_NAME = 8

_NOT_RUNS = frozenset({Exclusion.EXACT_COPY, Exclusion.INCOMPLETE})


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRun:
    """A run with its losses by their step, its own under None; equal to nothing but itself."""

    judged: JudgedRun
    losses: dict[int | None, float]

    @property
    def name(self) -> str:
        """The log, and the run's index where the file holds several."""
        log, index = self.judged.log or "", self.judged.run
        return f"{log} run {index}" if index else log

    @property
    def keys(self) -> set[Key]:
        """What a row may call it: its seed; its log with or without folder and ending, or begun."""
        path, seed = Path((self.judged.log or "").lower()), self.judged.seed
        names: set[Key] = {path.as_posix(), path.name, path.stem, path.stem[:_SHORT_NAME]}
        return names if seed is None else {seed, *names}


Sample = tuple[LoggedRun, ...]
Values = dict[LoggedRun, float]
"""A loss of each run of a sample, or a time; empty where one of them has none."""


class Samples:
    """The runs of a record as samples that a document may speak of.

    Attributes:
        counted: the runs that enter the statistics.
        runs: all runs with a loss, copies and incomplete ones left out.
        judged: the counted runs; all of them where the folder is undecided.
        by_key: the judged runs by what a row may call one of them and no other.
        level: the middle loss of the judged runs.
        all: these, every group, and all runs whatever became of them; the fewest runs first.
    """

    def __init__(self, runs: Iterable[tuple[Run, JudgedRun]]) -> None:
        logged = tuple(
            LoggedRun(judged, _losses_of(run, judged.val_loss))
            for run, judged in runs
            if judged.val_loss is not None and math.isfinite(judged.val_loss)
        )
        groups: dict[str | None, list[LoggedRun]] = defaultdict(list)
        for one in logged:
            groups[one.judged.group].append(one)
        largest = sorted(groups.values(), key=len, reverse=True)[:_MOST_GROUPS]
        self.counted = tuple(one for one in logged if one.judged.counted)
        self.runs = tuple(one for one in logged if one.judged.exclusion not in _NOT_RUNS)
        self.judged = self.counted or self.runs
        named = Counter(key for run in self.judged for key in run.keys)
        self.by_key = {key: run for run in self.judged for key in run.keys if named[key] == 1}
        self.level = _middle([run.losses[None] for run in self.judged]) if self.judged else None
        samples = (self.counted, self.runs, *map(tuple, largest), logged)
        self.all = sorted((sample for sample in dict.fromkeys(samples) if sample), key=len)

    def steps_in(self, text: str) -> list[int]:
        """Return the validation steps that a text names, the last ones."""
        validated = {step for run in self.runs for step in run.losses if step is not None}
        return sorted(validated.intersection(steps_in(text)), reverse=True)[:_MOST_STEPS]


def _losses_of(run: Run, loss: float) -> dict[int | None, float]:
    losses: dict[int | None, float] = {None: loss}
    losses.update((v.step, v.loss) for v in run.validations if math.isfinite(v.loss))
    return losses


def values_of(sample: Sample, figure: Figure) -> Values:
    """Return what runs give at the step that a figure names, in its unit."""
    if figure.kind == "losses":
        losses = ((run, run.losses.get(figure.step)) for run in sample)
        found = {run: loss for run, loss in losses if loss is not None}
    else:
        # A log without times gives zero.
        found = {run: ms for run in sample if (ms := run.judged.train_time_ms)}
        unit = _unit_of(figure, _middle(found.values())) if found else 1.0
        found = {run: ms / 1_000 / unit for run, ms in found.items()}
    return found if len(found) == len(sample) else {}


def _unit_of(figure: Figure, ms: float) -> float:
    """Return the seconds of a figure's unit, or of the one that fits runs of `ms` best."""
    if figure.unit:
        return SECONDS[figure.unit]
    ratio = max(_middle(figure.values), 1e-9) / ms * 1_000
    return min(SECONDS.values(), key=lambda unit: abs(math.log(ratio * unit)))


def _middle(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def keyed(figure: Figure, values: Values, by_key: Mapping[Key, LoggedRun]) -> list[LoggedRun]:
    """Return the run of each row of a list, by the seed or log beside it; empty unless all are."""
    runs = [by_key[key] for key in figure.keys if key in by_key]
    return runs if len(values.keys() & runs) == len(figure.numbers) == len(figure.keys) else []


def spans_of(figure: Figure) -> list[tuple[int, float, float]]:
    """Return what each value of a list can be of, with its index; the lowest upper end first."""
    most = figure.decimals
    # One digit less than in other values is a final zero left out.
    digits = [x.decimals if x.decimals < most - 1 else most for x in figure.numbers]
    # Of losses with three digits, what is cut off is as much as runs differ by.
    above = 0.999 if figure.kind == "times" or most > _FEW_DIGITS else 0.5
    found = (x.span(d, above=above) for x, d in zip(figure.numbers, digits, strict=True))
    return sorted(((i, *span) for i, span in enumerate(found)), key=lambda row: row[:0:-1])


def paired(
    spans: list[tuple[int, float, float]], of_rows: list[LoggedRun], values: Values
) -> dict[int, LoggedRun]:
    """Return the run of each value of a list, by the value's index, for as many as can be.

    A value beside the seed or the log of a run is of that run, where all are; else of any.
    """
    if of_rows:
        return {i: of_rows[i] for i, low, high in spans if low <= values[of_rows[i]] <= high}
    runs, pairs = list(values), {}
    free = sorted((value, index) for index, value in enumerate(values.values()))
    # Each takes the lowest free value: no other order finds more pairs.
    for i, low, high in spans:
        at = bisect_left(free, (low, -1))
        if at < len(free) and free[at][0] <= high:
            pairs[i] = runs[free.pop(at)[1]]
    return pairs
