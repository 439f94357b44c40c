"""Lines that tell of a validation and were not read.

A prefix (`[rank0]: step:...`), a progress bar before it or another spelling (`val_loss=`) keep a
line from being a step line. What it tells would be missing without a word, so it is said; unless
the same validation stands on a line that was read, as where a summary repeats it.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from speedcheck.logs.text import quoted
from speedcheck.logs.validations import is_candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speedcheck.logs.model import LogFormat, Validation
    from speedcheck.logs.sections import Section
    from speedcheck.logs.text import Problems

# What to look at closely; a search for "_loss" would stop at the training line of every step.
_WORDS = re.compile(rb"(?:al|ation)[_ ]loss")
_WORDS_OF_LLMC = re.compile(rb"(?:al|ation)[_ ]loss|tel:")
# Enough to say that there are such lines, and how many of an honest log.
_MOST_LINES = 10_000
_MOST_CHARACTERS = 4000
_STEP = re.compile(r"(?:step\b[\"']?[ :=]{0,3}|\bs:)([0-9]{1,12})\b", re.IGNORECASE)
_LOSS = re.compile(
    r"(?:val(?:idation)?[ _]loss\b[\"']?[ :=]{0,3}|\btel: {0,3})([0-9]{1,9}\.[0-9]{1,18})",
    re.IGNORECASE,
)


def note_strays(
    data: bytes,
    section: Section,
    log_format: LogFormat | None,
    read: Iterable[Validation],
    problems: Problems,
) -> None:
    """State as one problem the lines of a section that tell a validation which was not read.

    Args:
        data: the log.
        section: where its output stands.
        log_format: format of its step lines; None without any.
        read: the validations that were read.
        problems: takes the first of the lines, and how many there are.
    """
    known: dict[int, list[float]] = {}
    for validation in read:
        known.setdefault(validation.step, []).append(validation.loss)
    first: tuple[int, str] | None = None
    count = 0
    for start, line in islice(_lines(data, section, log_format), _MOST_LINES):
        told = _told(line)
        if told is not None and not _is_known(*told, known):
            first = first or (start, line)
            count += 1
    if first is not None:
        position, line = first
        lines = "1 line tells" if count == 1 else f"{count} lines tell"
        message = f"{lines} of a validation, not as a step line does: not read: {quoted(line)}"
        problems.add(position, message)


def _lines(
    data: bytes, section: Section, log_format: LogFormat | None
) -> Iterator[tuple[int, str]]:
    """Lines with one of the words, but those that were read or are a problem already."""
    words = _WORDS if log_format == "modded" else _WORDS_OF_LLMC
    for start in _starts(data, section, words):
        end = data.find(b"\n", start)
        if log_format is None or not is_candidate(data, start, end, log_format):
            yield start, data[start : min(end, start + _MOST_CHARACTERS)].decode("utf-8", "replace")


def _starts(data: bytes, section: Section, word: re.Pattern[bytes]) -> Iterator[int]:
    """First position of each line of a section that holds a word."""
    line_end = section.start
    while hit := word.search(data, line_end, section.end):
        yield data.rfind(b"\n", line_end, hit.start()) + 1
        line_end = data.find(b"\n", hit.end())


def _told(line: str) -> tuple[int, str] | None:
    """The step and the loss, as printed, that a line tells; None where it does not tell both."""
    step, loss = _STEP.search(line), _LOSS.search(line)
    return (int(step[1]), loss[1]) if step and loss else None


def _is_known(step: int, printed: str, known: dict[int, list[float]]) -> bool:
    decimals = len(printed.partition(".")[2])
    return any(round(loss, decimals) == float(printed) for loss in known.get(step, ()))
