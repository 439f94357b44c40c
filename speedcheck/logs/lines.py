"""The grammar of one step line.

    line   = ("step:" INTEGER ["/" INTEGER] | "s:" INTEGER) {" " field}
    field  = KEY ":" VALUE

`val_loss` and `train_loss` are llm.c's `tel` and `trl`; a time is a decimal with its unit, "ms" or
"s". Digits are 0 to 9 only: int() and float() would also read the digits of other scripts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# "step:125 / 1393" is not read: it would be a step without its total, and so without an end.
STEP = re.compile(r"(?:step:([0-9]{1,12})(?:/([0-9]{1,12}))?|s:([0-9]{1,12}))(?= )(?! {1,9}/)")
FIELD = re.compile(r"(?<![^ ])([A-Za-z_][A-Za-z0-9_]*):([^ ]+)")
_LOSS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?)(ms|s)")
_NO_NUMBER = frozenset({"nan", "-nan", "inf", "+inf", "-inf", "infinity"})
_ALIASES = {"tel": "val_loss", "trl": "train_loss"}


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step line; None where the line does not say, or what it says is not a number.

    Attributes:
        step: number of updates done.
        total: number of updates planned.
        val_loss: validation loss in nats per token.
        train_loss: training loss in nats per token.
        train_time_ms: timed training so far, in milliseconds.
    """

    step: int
    total: int | None
    val_loss: float | None
    train_loss: float | None
    train_time_ms: float | None


def parse_step_line(line: str) -> StepLine | None:
    """Read one line of a log; None when it is not a step line."""
    head = STEP.match(line)
    if head is None:
        return None
    fields = {_ALIASES.get(key, key): value for key, value in FIELD.findall(line, head.end())}
    return StepLine(
        *step_and_total(head),
        val_loss=parse_loss(fields.get("val_loss", "")),
        train_loss=parse_loss(fields.get("train_loss", "")),
        train_time_ms=parse_time_ms(fields.get("train_time", "")),
    )


def step_and_total(head: re.Match[str]) -> tuple[int, int | None]:
    """Step and number of planned steps of a match of `STEP`."""
    step, total, llmc_step = head.groups()
    return int(step or llmc_step), int(total) if total else None


def parse_loss(text: str) -> float | None:
    """A loss in nats; None unless the text is a number that a cross-entropy can be, nan or inf."""
    if not _LOSS.fullmatch(text):
        return float(text) if text.lower() in _NO_NUMBER else None
    # A decimal too large for a float is a forgery: a program would have printed "inf".
    return value if math.isfinite(value := float(text)) else None


def parse_time_ms(text: str) -> float | None:
    """A time with its unit, in milliseconds; None unless the text is one, and not negative."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    number, unit = match.groups()
    # Scaling the decimal before it is rounded to a float keeps 1081.882s at 1081882.0.
    value = float(number + "e3" if unit == "s" else number)
    return value if math.isfinite(value) else None
