"""Where each run of a section begins in the log, and how it ends."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from speedcheck.logs.header import parse_json
from speedcheck.logs.log_file import LogFormat, Validation
from speedcheck.logs.log_text import MAX_LINE, Problems, Text
from speedcheck.logs.runs import RunLines, group_runs
from speedcheck.logs.sections import Section
from speedcheck.logs.step_lines import (
    StepLine,
    parse_step_line,
    read_validations,
)

_STEP_LINES: dict[LogFormat, re.Pattern[bytes]] = {
    "modded": re.compile(rb"\nstep:([0-9]{1,12})(?:/[0-9]{1,12})? "),
    "llmc": re.compile(rb"\ns:([0-9]{1,12}) "),
}
_PREFIXES: dict[LogFormat, bytes] = {"modded": b"\nstep:", "llmc": b"\ns:"}

# Logs print the last step once for the training and once for the validation, some with more lines.
_LOOK_BACK = 8
_PEAK = re.compile(rb"\npeak memory allocated: ([0-9]{1,12}) MiB")
_STOPPED = re.compile(rb"\nstopped: ([^\n]*)")


@dataclass(frozen=True, slots=True)
class Span:
    """Where one run stands; all positions are those of line ends in `Text.data`.

    Attributes:
        format: format of its step lines.
        first_step: step of its first step line.
        before: where the run before it ends, or where the section begins.
        start: before its first step line.
        end: behind its last validation line; `start` where there is none.
        after: before the first step line of the next run, or where the section ends.
        validations: its validations.
        repeats: validation lines printed again.
    """

    format: LogFormat
    first_step: int
    before: int
    start: int
    end: int
    after: int
    validations: tuple[Validation, ...] = ()
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends; the attributes are those of `Run`."""

    last_step: int
    total_steps: int | None
    diverged: bool
    stopped: str | None
    peak_memory_mib: int | None
    last_time_ms: float | None
    step_time_ms: float | None


def find_spans(text: Text, section: Section, problems: Problems) -> list[Span]:
    """The runs of a section in the format of its first step line; none without a step line."""
    first = _first_step_line(text.data, section)
    if first is None:
        return []
    start, log_format, first_step = first
    groups = group_runs(read_validations(text, section, log_format, problems), problems)
    if not groups:
        return [Span(log_format, first_step, section.start, start, start, section.end)]
    first_steps = [first_step, *_next_first_steps(text.data, log_format, groups)]
    starts = [start, *(group.placed[0].start - 1 for group in groups[1:])]
    return [
        Span(log_format, step, before, start, group.end, after, group.validations, group.repeats)
        for group, step, before, start, after in zip(
            groups,
            first_steps,
            [section.start, *(group.end for group in groups[:-1])],
            starts,
            [*starts[1:], section.end],
            strict=True,
        )
    ]


def _first_step_line(data: bytes, section: Section) -> tuple[int, LogFormat, int] | None:
    """Position, format and step of a section's first step line."""
    found: tuple[int, LogFormat, int] | None = None
    end = section.end
    for log_format, step_line in _STEP_LINES.items():
        if match := step_line.search(data, section.start, end):
            found, end = (match.start(), log_format, int(match[1])), match.end()
    return found


def _next_first_steps(
    data: bytes, log_format: LogFormat, groups: Sequence[RunLines]
) -> Iterator[int]:
    """The first step of every run but the first: where the steps fall behind the run before."""
    for before, run in pairwise(groups):
        step = before.last.step
        for match in _STEP_LINES[log_format].finditer(data, before.end, run.placed[0].start):
            if int(match[1]) < step:
                yield int(match[1])
                break
            step = int(match[1])
        else:
            yield run.first.step


def read_ending(data: bytes, span: Span, problems: Problems) -> Ending:
    """What follows a run's last validation line, or the first step line of a run without one."""
    final = span.validations[-1] if span.validations else None
    last_step, position = _newest_step(data, span, final.step if final else 0)
    newest = None if position is None else _step_line(data, position)
    last_time_ms, step_time_ms = _last_times(data, span, position)
    losses = [final.loss if final else None]
    if newest is not None:
        losses += [newest.val_loss, newest.train_loss]
    peak = _PEAK.search(data, span.end, span.after)
    return Ending(
        last_step=last_step,
        total_steps=final.total_steps if final else newest.total if newest else None,
        diverged=any(loss is not None and not math.isfinite(loss) for loss in losses),
        stopped=_stop_reason(data, span, problems),
        peak_memory_mib=int(peak[1]) if peak else None,
        last_time_ms=last_time_ms,
        step_time_ms=step_time_ms,
    )


def _newest_step(data: bytes, span: Span, step: int) -> tuple[int, int | None]:
    """The last step behind the last validation and where its line ends the one before it.

    Without one, the validation's step and None.

    Where the step falls, the first training lines of the next run begin.
    """
    position = None
    for match in _STEP_LINES[span.format].finditer(data, span.end, span.after):
        if int(match[1]) < step:
            break
        step, position = int(match[1]), match.start()
    return step, position


def _step_line(data: bytes, position: int) -> StepLine | None:
    """Read the step line behind the line end at a position."""
    start = position + 1
    end = min(data.find(b"\n", start), start + MAX_LINE)
    return parse_step_line(data[start:end].decode("utf-8", "replace"))


def _last_times(data: bytes, span: Span, position: int | None) -> tuple[float | None, float | None]:
    """The time of a run's last step line, and how much later it is than that of another step.

    Args:
        data: the log.
        span: the run.
        position: line end before its last step line; None where that is its last validation.
    """
    prefix = _PREFIXES[span.format]
    if position is None:
        position = data.rfind(prefix, span.start, span.end)
    last = _step_line(data, position) if position >= 0 else None
    if last is None or last.train_time_ms is None:
        return None, None
    for _ in range(_LOOK_BACK):
        position = data.rfind(prefix, span.start, position)
        earlier = _step_line(data, position) if position >= 0 else None
        if earlier is None:
            break
        if earlier.step < last.step and earlier.train_time_ms is not None:
            return last.train_time_ms, max(last.train_time_ms - earlier.train_time_ms, 0.0)
    return last.train_time_ms, None


def _stop_reason(data: bytes, span: Span, problems: Problems) -> str | None:
    match = _STOPPED.search(data, span.end, span.after)
    if match is None:
        return None
    try:
        return str(parse_json(match[1].decode("utf-8", "replace")))
    except ValueError as error:
        problems.add("header", match.start() + 1, f"the reason for stopping is not JSON: {error}")
        return None
