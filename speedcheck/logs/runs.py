"""Validation lines of one section to runs.

A run is a sequence of lines whose steps rise. Where the step does not rise, one of three holds:

- the line has been read before, to the letter: a copy of the run's last lines, as a combined
  standard output prints them, or the beginning of the next run, whose step 0 has the same loss
  and no time yet. The first line that differs decides: a run goes on from where it began.
- the run has ended, because it is complete or the step is back at its first: a new run begins.
- else it is a problem. Steps that run backwards belong to the same run, as that of a run resumed
  from a checkpoint; of two different validations at one step the first counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from speedcheck.logs.log_file import Validation
from speedcheck.logs.log_text import Problems
from speedcheck.logs.step_lines import (
    PlacedValidation,
)


@dataclass(slots=True)
class RunLines:
    """The lines of one run while they are gathered.

    Attributes:
        placed: its validations; never empty.
        repeats: lines printed again.
        end: line end behind its last line, repeats included.
    """

    placed: list[PlacedValidation]
    repeats: int = 0
    end: int = 0
    printed: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.printed = {line.printed for line in self.placed}
        self.end = self.placed[-1].end

    @property
    def first(self) -> Validation:
        """The first validation."""
        return self.placed[0].validation

    @property
    def validations(self) -> tuple[Validation, ...]:
        """All validations, in the order of the file."""
        return tuple(line.validation for line in self.placed)

    @property
    def last(self) -> Validation:
        """The newest validation."""
        return self.placed[-1].validation

    def append(self, line: PlacedValidation) -> None:
        """Add a line that has not been read before."""
        self.placed.append(line)
        self.printed.add(line.printed)
        self.end = line.end


def group_runs(lines: Iterable[PlacedValidation], problems: Problems) -> list[RunLines]:
    """The runs in the order in which they begin."""
    runs: list[RunLines] = []
    seen_before: list[PlacedValidation] = []
    for line in lines:
        if runs and line.printed in runs[-1].printed:
            seen_before.append(line)
        elif _begins_run(runs, seen_before, line.validation):
            runs.append(RunLines([*seen_before, line]))
            seen_before = []
        else:
            _count_repeats(runs, seen_before)
            _extend(runs, line, problems)
            seen_before = []
    _count_repeats(runs, seen_before)
    return runs


def _begins_run(
    runs: list[RunLines], seen_before: list[PlacedValidation], following: Validation
) -> bool:
    """Whether lines read before are the beginning of a run that `following` goes on with."""
    if not seen_before:
        return False
    head, last = seen_before[0].validation, seen_before[-1].validation
    is_start = head.step == runs[-1].first.step
    return is_start and last.step < following.step <= runs[-1].last.step


def _count_repeats(runs: list[RunLines], seen_before: list[PlacedValidation]) -> None:
    if seen_before:
        runs[-1].repeats += len(seen_before)
        runs[-1].end = seen_before[-1].end


def _extend(runs: list[RunLines], line: PlacedValidation, problems: Problems) -> None:
    """Add a line to the last run, or begin a run with it."""
    if not runs or _restarts(runs[-1], line.validation):
        runs.append(RunLines([line]))
        return
    step, last = line.validation.step, runs[-1].last.step
    if step == last:
        problems.add(
            "conflict", line.start, f"another validation at step {step}; the first one counts"
        )
        return
    if step < last:
        problems.add("backwards", line.start, f"steps run backwards: {step} after {last}")
    runs[-1].append(line)


def _restarts(run: RunLines, validation: Validation) -> bool:
    """Whether a validation that was not read before begins a new run."""
    totals = {run.last.total_steps, validation.total_steps} - {None}
    if len(totals) > 1:
        return True
    is_complete = run.last.step == run.last.total_steps
    is_behind = validation.step < run.last.step
    return validation.step <= run.first.step or (is_complete and is_behind)
