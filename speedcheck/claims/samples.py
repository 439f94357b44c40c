"""The runs that a list or a figure may be of, and what their logs give."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.claims.model import SECONDS, Series, Unit
from speedcheck.logs import Run

Place = int | str | None
"""Where a loss is in a log: at a step, in another field of the last line, or as the run's loss."""

_MOST_GROUPS = 16
# The last validations: a claim is of the end of a training.
_MOST_STEPS = 40
_MOST_FIELDS = 8

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
        """Its training time."""
        ms = self.judged.train_time_ms
        return ms / 1_000 if ms is not None else None


Sample = tuple[LoggedRun, ...]


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
    others: tuple[Sample, ...] = field(default=())

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
        losses = sorted(run.losses[None] for run in self.judged)
        return losses[len(losses) // 2] if losses else None

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The run's loss, the last validation steps, and other losses of the last line."""
        steps = Counter(p for run in self.runs for p in run.losses if isinstance(p, int))
        fields = dict.fromkeys(p for run in self.runs for p in run.losses if isinstance(p, str))
        last = sorted(steps, reverse=True)[:_MOST_STEPS]
        return (None, *last, *list(fields)[:_MOST_FIELDS])


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


def values_at(sample: Sample, series: Series, place: Place) -> list[tuple[float, LoggedRun]]:
    """Return what the logs give for a list, in its unit; runs that give nothing are left out."""
    if series.kind == "losses":
        return [(run.losses[place], run) for run in sample if place in run.losses]
    timed = [(run.seconds, run) for run in sample]
    known = [(seconds, run) for seconds, run in timed if seconds is not None and seconds > 0]
    scale = SECONDS[unit_of(series, [seconds for seconds, _ in known])]
    return [(seconds / scale, run) for seconds, run in known]


def unit_of(series: Series, seconds: list[float]) -> Unit:
    """Return the unit of a list of times: the named one, else the one that fits the logs best."""
    middle = sorted(series.values)[len(series.values) // 2]
    if series.unit or not seconds or middle <= 0:
        return series.unit or "s"
    known = sorted(seconds)[len(seconds) // 2]
    return min(SECONDS, key=lambda unit: abs(math.log(middle * SECONDS[unit] / known)))


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
