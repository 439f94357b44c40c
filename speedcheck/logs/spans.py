"""Where each run of a section stands, and how its last lines end."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedcheck.logs.grouping import group_runs
from speedcheck.logs.header import parse_json
from speedcheck.logs.lines import StepLine, parse_step_line
from speedcheck.logs.text import MAX_LINE
from speedcheck.logs.validations import read_validations

if TYPE_CHECKING:
    from speedcheck.logs.model import LogFormat, Validation
    from speedcheck.logs.sections import Section
    from speedcheck.logs.text import Problems, Text

_STEP_LINES: dict[LogFormat, re.Pattern[bytes]] = {
    "modded": re.compile(rb"\nstep:([0-9]{1,12})(?:/[0-9]{1,12})? "),
    "llmc": re.compile(rb"\ns:([0-9]{1,12}) "),
}
_PEAK = re.compile(rb"\npeak memory allocated: ([0-9]{1,12}) MiB")
_STOPPED = re.compile(rb"\nstopped: ([^\n]*)")


@dataclass(frozen=True, slots=True)
class Span:
    """Where one run stands; all positions are those of line ends in `Text.data`.

    Attributes:
        format: format of its step lines.
        before: where the run before it ends, or where the section begins.
        start: before its first step line.
        end: behind its last validation line; `start` where there is none.
        after: before the first step line of the next run, or where the section ends.
        validations: its validations.
        repeats: validation lines printed again.
    """

    format: LogFormat
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


def find_spans(text: Text, section: Section, problems: Problems) -> list[Span]:
    """The runs of a section in the format of its first step line; none without a step line."""
    first = _first_step_line(text.data, section)
    if first is None:
        return []
    start, log_format = first
    groups = group_runs(read_validations(text, section, log_format, problems), problems)
    if not groups:
        return [Span(log_format, section.start, start, start, section.end)]
    starts = [start, *(group.placed[0].start - 1 for group in groups[1:])]
    return [
        Span(log_format, before, start, group.end, after, group.validations, group.repeats)
        for group, before, start, after in zip(
            groups,
            [section.start, *(group.end for group in groups[:-1])],
            starts,
            [*starts[1:], section.end],
            strict=True,
        )
    ]


def _first_step_line(data: bytes, section: Section) -> tuple[int, LogFormat] | None:
    found: tuple[int, LogFormat] | None = None
    end = section.end
    for log_format, step_line in _STEP_LINES.items():
        if match := step_line.search(data, section.start, end):
            found, end = (match.start(), log_format), match.end()
    return found


def read_ending(data: bytes, span: Span, problems: Problems) -> Ending:
    """What follows a run's last validation line, or the first step line of a run without one."""
    final = span.validations[-1] if span.validations else None
    last_step, newest = _newest_step(data, span, final.step if final else 0)
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
    )


def _newest_step(data: bytes, span: Span, step: int) -> tuple[int, StepLine | None]:
    """The last step and its line behind the last validation; that one's step and None without.

    Where the step falls, the first training lines of the next run begin.
    """
    newest = None
    for match in _STEP_LINES[span.format].finditer(data, span.end, span.after):
        if int(match[1]) < step:
            break
        step, newest = int(match[1]), match
    if newest is None:
        return step, None
    start = newest.start() + 1
    end = min(data.find(b"\n", start), start + MAX_LINE)
    return step, parse_step_line(data[start:end].decode("utf-8", "replace"))


def _stop_reason(data: bytes, span: Span, problems: Problems) -> str | None:
    match = _STOPPED.search(data, span.end, span.after)
    if match is None:
        return None
    try:
        return str(parse_json(match[1].decode("utf-8", "replace")))
    except ValueError as error:
        problems.add(match.start() + 1, f"the reason for stopping is not JSON: {error}")
        return None
