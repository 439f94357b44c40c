"""The grammar of one step line.

    line   = ("step:" INTEGER ["/" INTEGER] | "s:" INTEGER) {" " field}
    field  = KEY ":" VALUE

`val_loss` and `train_loss` are llm.c's `tel` and `trl`; a time is a decimal with its unit, "ms" or
"s". Digits are 0 to 9 only: int() and float() would also read the digits of other scripts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from speedcheck.logs.log_file import LogFormat, Validation
from speedcheck.logs.log_text import MAX_LINE, Problems, Text, quoted
from speedcheck.logs.sections import Section

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


_PREFIXES: dict[LogFormat, tuple[bytes, bytes]] = {
    "modded": (b"step:", b" val_loss:"),
    "llmc": (b"s:", b" tel:"),
}
KEYWORDS = tuple(keyword for _, keyword in _PREFIXES.values())
"""What every validation line holds, in one format or the other."""

_FINAL_LOSS = re.compile(rb" (?:val_loss|tel):[0-9]{1,9}\.([0-9]{1,18})$")
_TIMES = frozenset({"train_time", "step_avg"})


class PlacedValidation(NamedTuple):
    """A validation and where its line is in `Text.data`.

    Attributes:
        validation: what the line says.
        printed: the line itself: a reprint is equal to the letter.
        start: first position of the line.
        end: position of its line end.
    """

    validation: Validation
    printed: bytes
    start: int
    end: int


def read_validations(
    text: Text, section: Section, log_format: LogFormat, problems: Problems
) -> list[PlacedValidation]:
    """The readable validation lines of a section in one format; the others become problems."""
    found: list[PlacedValidation] = []
    for start, end in _candidates(text.data, section, *_PREFIXES[log_format]):
        printed = text.data[start:end]
        is_last = text.cut and end == len(text.data) - 1
        is_cut = is_last and not (found and _ends_alike(found[-1].printed, printed))
        validation = _read(printed.decode("utf-8", "replace"), start, problems, is_cut=is_cut)
        if validation is not None:
            found.append(PlacedValidation(validation, printed, start, end))
    return found


def _ends_alike(before: bytes, printed: bytes) -> bool:
    """Whether both lines end in a loss of as many decimals: then the later one is whole too."""
    known, last = _FINAL_LOSS.search(before), _FINAL_LOSS.search(printed)
    return known is not None and last is not None and len(known[1]) == len(last[1])


def is_candidate(data: bytes, start: int, end: int, log_format: LogFormat) -> bool:
    """Whether the line between two positions is read as a validation, or stated as a problem."""
    prefix, keyword = _PREFIXES[log_format]
    return data.startswith(prefix, start) and data.find(keyword, start, end) >= 0


def _candidates(
    data: bytes, section: Section, prefix: bytes, keyword: bytes
) -> Iterator[tuple[int, int]]:
    """Lines that begin with the prefix and hold the keyword: each line is looked at once."""
    line_end = section.start
    while (hit := data.find(keyword, line_end, section.end)) >= 0:
        start = data.rfind(b"\n", line_end, hit) + 1
        line_end = data.find(b"\n", hit)
        if data.startswith(prefix, start) and line_end - start <= MAX_LINE:
            yield start, line_end


def _read(line: str, position: int, problems: Problems, *, is_cut: bool) -> Validation | None:
    head = STEP.match(line)
    if head is None:
        _refuse(line, position, "step is not a number of steps", problems)
        return None
    pairs = FIELD.findall(line, head.end())
    fields = dict(pairs)
    if len(fields) < len(pairs):
        _refuse(line, position, "a field stands twice on this line", problems)
        return None
    if is_cut and not _trusted_when_cut(fields):
        what = f"the file ends within this line, which is not read: {quoted(line)}"
        problems.add("cut_line", position, what)
        return None
    validation = _validation(head, fields, position, problems)
    if validation is None:
        problems.add_unread(position, line)
    return validation


def _refuse(line: str, position: int, why: str, problems: Problems) -> None:
    problems.add("malformed", position, f"{why}: {quoted(line)}")
    problems.add_unread(position, line)


def _trusted_when_cut(fields: dict[str, str]) -> bool:
    """Whether the last line of a file is whole up to its unit, without a line end to tell.

    A number at the very end may have lost digits, and so may a further field: it is left out.
    """
    if fields and next(reversed(fields)) not in _TIMES:
        fields.popitem()
    return parse_time_ms(fields.get("train_time", "")) is not None


def _validation(
    head: re.Match[str], fields: dict[str, str], position: int, problems: Problems
) -> Validation | None:
    printed = fields.pop("val_loss", None) or fields.pop("tel", "")
    step, total_steps = step_and_total(head)
    if total_steps == 0:
        problems.add("malformed", position, f"step {step} of 0 is not a step of a run")
        return None
    loss = parse_loss(printed)
    if loss is None:
        problems.add(
            "malformed", position, f"the validation loss is not a number: {quoted(printed)}"
        )
        return None
    if total_steps is not None and step > total_steps:
        problems.add("beyond_plan", position, f"step {step} is beyond the planned {total_steps}")
    return Validation(
        step=step,
        total_steps=total_steps,
        loss=loss,
        train_time_ms=_train_time(fields.pop("train_time", None), position, problems),
        step_avg_ms=parse_time_ms(fields.pop("step_avg", "")),
        line=problems.line_at(position),
        extra=fields,
    )


def _train_time(printed: str | None, position: int, problems: Problems) -> float | None:
    if printed is None:
        return None
    time_ms = parse_time_ms(printed)
    if time_ms is None:
        problems.add(
            "malformed", position, f"train_time is not a time in ms or s: {quoted(printed)}"
        )
    return time_ms
