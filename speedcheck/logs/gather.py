"""The figures of lines to stretches of lines that belong to one seed.

`step`, `total` and `seed` may be on a line of their own and hold until another line gives them
anew. A different seed, or another name of a run, begins another stretch. Where no line gives a
step, the validations of a stretch are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from speedcheck.logs import line_figures
from speedcheck.logs.header import parse_count
from speedcheck.logs.log_file import Validation
from speedcheck.logs.log_text import Problems, quoted
from speedcheck.logs.patterns import FINAL, MEASURE, STEP, Line
from speedcheck.logs.readings import fold
from speedcheck.logs.step_lines import PlacedValidation

HELD = frozenset({"seed", "run", "total", "val_tokens", "train_shards"})
"""Figures of a whole run, which a log may print before the run's warm-up."""

_COUNTS = ("artifact_bytes", "val_tokens", "train_shards")


class Fact(NamedTuple):
    """A figure beside the validations, where it stands, and the newest step there."""

    position: int
    name: str
    value: float
    step: int


@dataclass(slots=True)
class Stretch:
    """Lines that belong to one seed and one name of a run.

    Attributes:
        seed: the seed; None where no line gives one that is a number.
        printed_seed: the seed as the lines give it; equal numbers are equal seeds.
        run: the name of the run.
        step: the newest step.
        total: the planned steps.
        validations: its validations but those of `final` lines, in the order of the file.
        finals: where each `final` line stands, with None where it has no measure.
        facts: its other figures, in the order of the file.
        is_empty: whether no line of it has a measure.
    """

    seed: int | None = None
    printed_seed: int | str | None = None
    run: str | None = None
    step: int | None = None
    total: int | None = None
    validations: list[PlacedValidation] = field(default_factory=list)
    finals: list[tuple[int, PlacedValidation | None]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    is_empty: bool = True

    def identify(self, fields: Mapping[str, str]) -> None:
        """Take the seed and the name of the run that a line gives."""
        if "seed" in fields:
            self.printed_seed = _seed_key(fields["seed"])
            self.seed = line_figures.seed_number(fields["seed"])
        self.run = fields.get("run", self.run)

    def is_other_than(self, fields: Mapping[str, str]) -> bool:
        """Whether a line gives another seed or name than the stretch has."""
        seed, run = fields.get("seed"), fields.get("run")
        other_seed = None not in (seed, self.printed_seed) and _seed_key(seed) != self.printed_seed
        return other_seed or (None not in (run, self.run) and run != self.run)


class Gatherer:
    """Takes the figures of one file line by line.

    Args:
        problems: takes what is not a number.
        has_steps: whether lines give the step; else validations are counted.

    Attributes:
        stretches: what was gathered, in the order in which it began.
        held: figures of the data and starting times, whatever run they belong to.
        count: how many lines with a measure were read.
        counts_steps: whether the steps are those of counted validations.
        lacks_steps: whether validations were refused for want of a step that no line gives.
    """

    def __init__(self, problems: Problems, *, has_steps: bool) -> None:
        self._problems = problems
        self.counts_steps = not has_steps
        self._current = Stretch()
        self._by_key: dict[tuple[str | None, str | None], Stretch] = {}
        self._started_ms: float | None = None
        self.stretches = [self._current]
        self.held: list[Fact] = []
        self.count = 0
        self.lacks_steps = False
        self._has_step = False

    def read(self, fields: Mapping[str, str], line: Line) -> str:
        """Take the figures of a line of text, and return what is wrong with them, if anything."""
        if self._current.is_other_than(fields) and not self._current.is_empty:
            self._current = Stretch(total=self._current.total)
            self.stretches.append(self._current)
        self._current.identify(fields)
        return self._take(self._current, fields, line)

    def read_row(self, fields: Mapping[str, str], line: Line) -> str:
        """Take the figures of a row of a table, whose runs may alternate from row to row."""
        key = fields.get("run"), fields.get("seed")
        if key not in self._by_key:
            stretch = Stretch()
            stretch.identify(fields)
            self._by_key[key] = stretch
            self.stretches.append(stretch)
        return self._take(self._by_key[key], fields, line)

    def _take(self, stretch: Stretch, fields: Mapping[str, str], line: Line) -> str:
        is_final = FINAL in fields
        if STEP in fields:
            self._has_step, self.lacks_steps = True, False
        if self.counts_steps:
            stretch.step = (stretch.step or 0) + (MEASURE in fields and not is_final)
        elif STEP in fields:
            stretch.step = line_figures.whole(fields[STEP])
        if "total" in fields:
            stretch.total = line_figures.whole(fields["total"]) or None
        self._take_facts(stretch, fields, line)
        if MEASURE not in fields:
            if is_final:
                stretch.finals.append((line.start, None))
            return ""
        placed = self._validation(stretch, fields, line)
        if placed is None:
            return self._refuse(stretch, fields, line)
        self.count += 1
        stretch.is_empty = False
        if is_final:
            stretch.finals.append((line.start, placed))
        else:
            stretch.validations.append(placed)
        return ""

    def _take_facts(self, stretch: Stretch, fields: Mapping[str, str], line: Line) -> None:
        times = {
            "train_time_ms": line_figures.duration_ms(fields, "train_time"),
            "eval_time_ms": line_figures.duration_ms(fields, "eval_time"),
            "started_ms": line_figures.number(fields.get("started_ms", "")),
            "stopped_ms": line_figures.number(fields.get("stopped_ms", "")),
            STEP: stretch.step if STEP in fields else None,
        }
        counts = {name: parse_count(fields[name]) for name in _COUNTS if name in fields}
        for name, value in (*times.items(), *counts.items()):
            if value is None:
                continue
            fact = Fact(line.start, name, value, stretch.step or 0)
            (self.held if name in _OF_WHOLE_RUN else stretch.facts).append(fact)
        if times["started_ms"] is not None:
            self._started_ms = times["started_ms"]

    def _validation(
        self, stretch: Stretch, fields: Mapping[str, str], line: Line
    ) -> PlacedValidation | None:
        loss = line_figures.measure(fields[MEASURE])
        step = (stretch.step or 0) if FINAL in fields else stretch.step
        if loss is None or step is None:
            return None
        validation = Validation(
            step=step,
            total_steps=stretch.total,
            loss=loss,
            train_time_ms=self._train_time(fields),
            step_avg_ms=None,
            line=self._problems.line_at(line.start),
            extra={},
        )
        # Two validations that are counted are never one that was printed again.
        count = f"{step} " if self.counts_steps else ""
        printed = (count + line.text).encode("utf-8", "replace")
        return PlacedValidation(validation, printed, line.start, line.end)

    def _train_time(self, fields: Mapping[str, str]) -> float | None:
        stopped = line_figures.number(fields.get("stopped_ms", ""))
        if stopped is not None and self._started_ms is not None:
            return elapsed_ms(self._started_ms, stopped)
        return line_figures.duration_ms(fields, "train_time")

    def _refuse(self, stretch: Stretch, fields: Mapping[str, str], line: Line) -> str:
        loss = line_figures.measure(fields[MEASURE])
        self.lacks_steps = self.lacks_steps or (loss is not None and not self._has_step)
        what = MEASURE if loss is None else "the step"
        why = f"{what} of this line is not a number"
        self._problems.add("malformed", line.start, f"{why}: {quoted(line.text)}")
        folded = line_figures.measure(fold(fields[MEASURE]))
        printed = math.nan if folded is None else folded
        self._problems.keep_unread(line.start, stretch.step, printed, line.text)
        return why


_OF_WHOLE_RUN = frozenset({"started_ms", "val_tokens", "train_shards"})


def elapsed_ms(started_ms: float, stopped_ms: float) -> float | None:
    """The time between two; None where the later one comes first."""
    return stopped_ms - started_ms if stopped_ms >= started_ms else None


def _seed_key(printed: str | None) -> int | str | None:
    seed = None if printed is None else line_figures.seed_number(printed)
    return printed if seed is None else seed
