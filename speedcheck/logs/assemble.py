"""Stretches of lines to runs: what the lines around its validations say of each.

A run reaches from its first validation to that of the next run; the first one of a stretch takes
what is above it too. The last `final` line of a run decides its result.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from speedcheck.logs.gather import Fact, Gatherer, Stretch, elapsed_ms
from speedcheck.logs.log_file import Environment, Run, Validation
from speedcheck.logs.log_text import Problems
from speedcheck.logs.patterns import STEP
from speedcheck.logs.runs import RunLines, group_runs
from speedcheck.logs.step_lines import PlacedValidation

Placed = TypeVar("Placed", bound=tuple[Any, ...])


class FoundRun(NamedTuple):
    """A run without its place in the file, and between which positions its validations stand."""

    start: int
    end: int
    run: Run


class _Lines(NamedTuple):
    """The validations of a run, and the lines around them."""

    group: RunLines
    finals: Sequence[tuple[int, PlacedValidation | None]]
    facts: Sequence[Fact]

    def newest(self, name: str) -> float | None:
        """The last figure of a name."""
        return next((f.value for f in reversed(self.facts) if f.name == name), None)

    def rising(self, name: str) -> list[Fact]:
        """Figures of a name up to where, behind the last validation, the step falls.

        There the first lines of the next run begin.
        """
        found: list[Fact] = []
        last = self.group.placed[-1]
        step = last.validation.step
        for fact in self.facts:
            if fact.position > last.start:
                if fact.step < step:
                    break
                step = fact.step
            if fact.name == name:
                found.append(fact)
        return found


def assemble(
    gathered: Gatherer, log: str, problems: Problems, *, has_final: bool
) -> list[FoundRun]:
    """Make the runs of a file, in the order of their first lines.

    Args:
        gathered: the lines of the file.
        log: name of the log.
        problems: takes what does not fit.
        has_final: whether the track says which line decides.
    """
    held: dict[str, list[Fact]] = {}
    for fact in gathered.held:
        held.setdefault(fact.name, []).append(fact)
    found = [
        _found(lines, stretch, held, log, has_final=has_final)
        for stretch in gathered.stretches
        for lines in _lines(stretch, problems)
    ]
    if gathered.counts_steps:
        found = [each._replace(run=replace(each.run, first_step=None)) for each in found]
    return sorted(found, key=lambda run: run.start)


def _lines(stretch: Stretch, problems: Problems) -> Iterator[_Lines]:
    groups = group_runs(stretch.validations, problems)
    if not groups:
        deciding = [placed for _, placed in stretch.finals if placed]
        groups = [RunLines([deciding[-1]])] if deciding else []
    bounds = [0, *(group.placed[0].start for group in groups[1:]), math.inf]
    for group, start, end in zip(groups, bounds, bounds[1:], strict=False):
        yield _Lines(
            group, _between(stretch.finals, start, end), _between(stretch.facts, start, end)
        )


def _between(lines: Sequence[Placed], start: float, end: float) -> Sequence[Placed]:
    """The lines, in the order of the file, from one position up to another."""
    return lines[bisect_left(lines, start, key=_position) : bisect_left(lines, end, key=_position)]


def _position(line: tuple[Any, ...]) -> float:
    return float(line[0])


def _found(
    lines: _Lines,
    stretch: Stretch,
    held: Mapping[str, Sequence[Fact]],
    log: str,
    *,
    has_final: bool,
) -> FoundRun:
    start, end = lines.group.placed[0].start, lines.group.end
    steps = lines.rising(STEP)
    last_step = max([lines.group.last.step, *(f.step for f in steps if f.position > start)])
    last_time_ms, step_time_ms = _last_times(lines.rising("train_time_ms"))
    deciding = next((placed for _, placed in reversed(lines.finals) if placed), None)
    started, stopped = _held("started_ms", held, start, end), lines.newest("stopped_ms")
    whole_ms = None if None in {started, stopped} else elapsed_ms(started or 0, stopped or 0)
    result = _result(lines, deciding, last_step, last_time_ms, whole_ms)
    decisive = result or lines.group.last
    run = Run(
        log=log,
        index=0,
        format="foreign",
        validations=lines.group.validations,
        last_step=last_step,
        total_steps=decisive.total_steps,
        environment=Environment(),
        header=None,
        source_sha256=None,
        source_span=None,
        diverged=not math.isfinite(decisive.loss),
        stopped=None,
        peak_memory_mib=None,
        step_repeats=lines.group.repeats,
        printed_seed=stretch.seed,
        first_step=min([lines.group.first.step, *(f.step for f in steps[:1])]),
        last_time_ms=decisive.train_time_ms if last_time_ms is None else last_time_ms,
        step_time_ms=step_time_ms,
        ended=bool(lines.finals) if has_final else None,
        result=result,
        eval_time_ms=_eval_time(lines, deciding),
        artifact_bytes=_count(lines.newest("artifact_bytes")),
        printed_val_tokens=_count(_held("val_tokens", held, start, end)),
        printed_train_shards=_count(_held("train_shards", held, start, end)),
    )
    return FoundRun(start, end, run)


def _result(
    lines: _Lines,
    deciding: PlacedValidation | None,
    last_step: int,
    last_time_ms: float | None,
    whole_ms: float | None,
) -> Validation | None:
    """The validation that decides, where the last one does not as it stands.

    A `final` line is printed behind the training, whose time is that of the last step; where
    lines tell when the run started and stopped, its time is what lies between.
    """
    last = lines.group.last
    if deciding is None:
        if last.train_time_ms is None and whole_ms is not None:
            return replace(last, train_time_ms=whole_ms)
        return None
    result = deciding.validation
    times = (result.train_time_ms, whole_ms, last_time_ms)
    return replace(
        result,
        step=max(result.step, last_step),
        total_steps=result.total_steps or last.total_steps,
        train_time_ms=next((time for time in times if time is not None), None),
    )


def _last_times(times: Sequence[Fact]) -> tuple[float | None, float | None]:
    """The last time, and how much later it is than that of an earlier step."""
    if not times:
        return None, None
    last = times[-1]
    earlier = next((fact for fact in reversed(times) if fact.step < last.step), None)
    return last.value, max(last.value - earlier.value, 0.0) if earlier else None


def _eval_time(lines: _Lines, deciding: PlacedValidation | None) -> float | None:
    """The time of the evaluation that decides, else the last one of the run."""
    if deciding is not None:
        for fact in lines.facts:
            if fact.position == deciding.start and fact.name == "eval_time_ms":
                return fact.value
    return lines.newest("eval_time_ms")


def _held(name: str, held: Mapping[str, Sequence[Fact]], start: int, end: int) -> float | None:
    """The last figure of a name up to the start of a run, else the first one within it."""
    facts = held.get(name, ())
    behind = bisect_right(facts, float(start), key=_position)
    if behind:
        return facts[behind - 1].value
    return facts[0].value if facts and facts[0].position <= end else None


def _count(value: float | None) -> int | None:
    return None if value is None else int(value)
