"""Matches of a track's own log pattern to validations, line by line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedcheck.logs.lines import parse_time_ms
from speedcheck.logs.model import Validation
from speedcheck.logs.pattern import MEASURE, STEP
from speedcheck.logs.text import quoted
from speedcheck.logs.validations import PlacedValidation

if TYPE_CHECKING:
    from speedcheck.logs.text import Problems

_WHOLE = re.compile(r"[0-9]{1,12}")
_SEED = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,99}(?:\.[0-9]{0,99})?|\.[0-9]{1,99})(?:[eE][+-]?[0-9]{1,3})?"
)
_NO_NUMBER = frozenset({"nan", "inf", "infinity"})


@dataclass(slots=True)
class FoundValidation:
    """A validation with what the lines around it say.

    Attributes:
        placed: the validation and where it stands.
        seed: the newest seed before it.
        last_step: the newest step behind it that does not fall.
    """

    placed: PlacedValidation
    seed: int | None
    last_step: int


class LineReader:
    """Turns matches into validations, and remembers what holds until another line says else.

    Args:
        problems: takes what is no number.
        has_steps: whether lines give the step; else the validations behind a seed are counted.
    """

    def __init__(self, problems: Problems, *, has_steps: bool) -> None:
        self._problems = problems
        self._has_steps = has_steps
        self._step: int | None = None
        self._total: int | None = None
        self._seed: int | None = None
        self._newest: FoundValidation | None = None

    def read(self, match: re.Match[str], start: int, end: int) -> FoundValidation | None:
        """Return the validation of a line, if it is one."""
        fields = {key: value for key, value in match.groupdict().items() if value is not None}
        seed = _whole(_SEED, fields.get("seed"), self._seed)
        if not self._has_steps:
            before = 0 if seed != self._seed else self._step or 0
            fields[STEP] = str(before + (MEASURE in fields))
        self._seed = seed
        self._total = _whole(_WHOLE, fields.get("total"), self._total) or None
        self._step = _whole(_WHOLE, fields.get(STEP), self._step)
        if MEASURE not in fields:
            self._go_on()
            return None
        loss = _measure(fields[MEASURE])
        if loss is None or self._step is None:
            what = "the step" if loss is not None else MEASURE
            self._problems.add(start, f"{what} of this line is no number: {quoted(match.string)}")
            return None
        validation = Validation(
            step=self._step,
            total_steps=self._total,
            loss=loss,
            train_time_ms=_train_time_ms(fields),
            step_avg_ms=None,
            line=self._problems.line_at(start),
            extra={},
        )
        # Two validations that are counted are never one that was printed again.
        count = "" if self._has_steps else f"{self._seed} {self._step} "
        printed = (count + match.string).encode("utf-8", "replace")
        placed = PlacedValidation(validation, printed, start, end)
        self._newest = FoundValidation(placed, self._seed, self._step)
        return self._newest

    def _go_on(self) -> None:
        """Follow the training lines behind a validation until the next run's begin."""
        if self._newest is None or self._step is None:
            return
        if self._step < self._newest.last_step:
            self._newest = None
        else:
            self._newest.last_step = self._step


def ends_in_figure(match: re.Match[str]) -> bool:
    """Whether a figure reaches the end of its line, where it may have lost digits."""
    return any(match.end(group) == len(match.string) for group in match.groupdict())


def _whole(pattern: re.Pattern[str], text: str | None, otherwise: int | None) -> int | None:
    if text is None:
        return otherwise
    return int(text) if pattern.fullmatch(text) else None


def _measure(text: str) -> float | None:
    if text.lower().lstrip("+-") in _NO_NUMBER:
        return float(text)
    if not _NUMBER.fullmatch(text):
        return None
    # A decimal too large for a float is a forgery: a program would have printed "inf".
    return value if math.isfinite(value := float(text)) else None


def _train_time_ms(fields: dict[str, str]) -> float | None:
    if "train_time_ms" in fields:
        return parse_time_ms(fields["train_time_ms"] + "ms")
    return parse_time_ms(fields.get("train_time_s", "") + "s")
