"""Where the data are in a log: the grammar of its parts.

    log         = {section}
    section     = [[head] separator] program separator environment separator output
                | [[head] separator] program separator output    (early autumn 2024)
                | output                                         (llm.c, captured output)
    separator   = a line of exactly 100 "="
    head        = text without a line of Python at the left margin, such as a file's name
    program     = text in which a line of Python begins at the left margin
    environment = text that begins with "Running Python 3...", "Running PyTorch 2..." or
                  "Running pytorch 2..."
    output      = text with step lines; it may hold further separators

A program runs from its first line to the separator before the environment, whatever is in
it: a docstring with a separator and step lines is not data, because no environment follows that
separator. One that holds a whole log is none either: a separator within a string of three quotes
ends no program. Only where the file has no environment at all must the last program be taken to end
at the first separator behind its first line of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from speedcheck.logs.log_text import Problems

SEPARATOR = b"\n" + b"=" * 100 + b"\n"

_PYTHON = re.compile(
    rb"\n(?:import [A-Za-z_]|from [A-Za-z_.][\w.]* import |def \w+\(|class \w+[(:]"
    rb'|@[A-Za-z_][\w.]*[(\n]|if __name__|[rRbBuUfF]{0,2}(?:"""|\'\'\'))'
)
_ENVIRONMENT = re.compile(SEPARATOR + rb"\n*Running (?:Python|PyTorch|pytorch) [0-9]")
_VALIDATION = re.compile(rb"\nstep:[0-9][^\n]{0,200}? val_loss:[^\n]{1,200}")
_OUTPUT_LINES = (b"\nstep:", b"\ns:", b"\npeak memory allocated: ", b"\nstopped: ")


@dataclass(frozen=True, slots=True)
class Section:
    """Where one program and its output stand; positions are those of `Text.data`.

    Attributes:
        start: where the environment or the output begins, at the line end before its first line.
        end: one past the output.
        program: first and one-past-last position of the program; None without one.
    """

    start: int
    end: int
    program: tuple[int, int] | None


def find_sections(data: bytes, problems: Problems) -> list[Section]:
    """The sections of a log, in order; empty when its only program is never closed."""
    stretches = outside_programs(data)
    found = _environments(data, stretches)
    if _may_be_within_string(data, stretches):
        seen, stretches = found, outside_programs(data, with_literals=True)
        found = _environments(data, stretches)
        for start in sorted({start for start, _ in seen} - {start for start, _ in found}):
            problems.add(
                "program", start + 1, "an environment within a string: taken for the program's text"
            )
    note_open_program(data, stretches[-1][1], problems)
    if not found:
        return _without_environment(data, stretches, problems)
    sections: list[Section] = []
    for (start, end), (next_start, _) in zip(found, [*found[1:], (len(data), 0)], strict=True):
        program_start = _end_of_output(data, sections[-1]) if sections else 0
        sections.append(Section(start, min(end, next_start), _program(data, program_start, start)))
    return sections


def note_open_program(data: bytes, start: int, problems: Problems) -> None:
    """State that a program begins at a position which no separator ends, unless that is the end.

    Validations behind it cannot be distinguished from its text: they are unread.
    """
    if start == len(data):
        return
    message = "a program begins here and no separator ends it: not read further"
    problems.add("program", start, message)
    for match in _VALIDATION.finditer(data, start - 1):
        problems.add_unread(match.start() + 1, match[0][1:].decode("utf-8", "replace"))


def outside_programs(data: bytes, *, with_literals: bool = False) -> list[tuple[int, int]]:
    """Stretches from the line end behind a program (or 0) to that before the next one.

    Args:
        data: the log.
        with_literals: whether to pass over separators within strings; all programs are read then.
    """
    literals = Literals(data)
    find = literals.first_outside if with_literals else data.find
    stretches: list[tuple[int, int]] = []
    start = 0
    while True:
        python = _PYTHON.search(data, start)
        if python is None:
            return [*stretches, (start, len(data))]
        stretches.append((start, python.start() + 1))
        separator = find(SEPARATOR, python.start())
        if separator < 0:
            return stretches
        start = separator + len(SEPARATOR) - 1


def output_stretches(data: bytes) -> list[tuple[int, int]]:
    """Stretches outside of programs in a log of any format: all of a file without separators."""
    if SEPARATOR not in data:
        return [(0, len(data))]
    return outside_programs(data, with_literals=True)


def _environments(data: bytes, stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where each environment begins, and where the stretch that it is in ends."""
    return [
        (match.start(), end)
        for start, end in stretches
        for match in _ENVIRONMENT.finditer(data, max(start - len(SEPARATOR) + 1, 0), end)
    ]


def _may_be_within_string(data: bytes, stretches: list[tuple[int, int]]) -> bool:
    """Whether a string may hold a separator that seems to end a program: it has to end behind it.

    The output of a run holds no three quotes, so that only logs one after another are looked at.
    """
    if len(stretches) == 1:
        return False
    first_end = stretches[1][0]
    # Most outputs hold none at all, and one alone is found in a tenth of the time.
    return any(data.find(q, first_end) >= 0 <= data.find(q * 3, first_end) for q in (b'"', b"'"))


def _without_environment(
    data: bytes, stretches: list[tuple[int, int]], problems: Problems
) -> list[Section]:
    """The section behind the last program, which must reach the end of the file."""
    *inside, (start, end) = stretches
    if end < len(data):
        return []
    for first, last in inside:
        if (position := data.find(b"\nstep:", first, last)) >= 0:
            problems.add(
                "program", position + 1, "a step line above the last program: taken for its text"
            )
    program = _program(data, 0, start - len(SEPARATOR) + 1) if start else None
    return [Section(start, end, program)]


def _program(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The program between two line ends, without what is above it up to a separator."""
    # A log may begin with a part of its own, such as the name of the file, before the program.
    python = _PYTHON.search(data, start, end)
    if python and (above := data.rfind(SEPARATOR, start, python.start() + 1)) >= 0:
        start = above + len(SEPARATOR) - 1
    while data.startswith(SEPARATOR, start) and start < end:
        start += len(SEPARATOR) - 1
    return (start + 1, end + 1) if data[start : end + 1].strip() else None


def _end_of_output(data: bytes, section: Section) -> int:
    """The line end behind the last line that is surely output: a program may follow it."""
    last = max(data.rfind(line, section.start, section.end) for line in _OUTPUT_LINES)
    if last < 0:
        last = data.find(SEPARATOR, section.start + 1, section.end)
    return data.find(b"\n", max(last, section.start) + 1)


MAX_PROGRAM = 4 << 20
"""Published programs have up to 0.2 MB; what is longer was made to take long."""

# Comments, strings, and (as the group) three quotes that no others close. What an alternative takes
# it never gives back, so that no byte is looked at twice but behind such quotes.
_PIECES = rb"""(?x)
    \#[^\n]*+
    | \"{3}(?:[^"\\]++|\\[\s\S]|"(?!""))*+\"{3}
    | '{3}(?:[^'\\]++|\\[\s\S]|'(?!''))*+'{3}
    | (?P<open>\"{3}|'{3})
    | "(?:[^"\\\n]++|\\[\s\S])*+"?+
    | '(?:[^'\\\n]++|\\[\s\S])*+'?+
"""


def _pieces(data: bytes, start: int) -> Iterator[Any]:
    """Give the matches of `_PIECES` from a position on.

    By the package regex: Python's own up to 3.11.4 loses its place behind possessive groups.
    """
    import regex  # type: ignore[import-untyped]  # noqa: PLC0415 - few logs need it

    return iter(regex.finditer(_PIECES, data, pos=start))


class Literals:
    """The string literals of programs within a text.

    Where one is never closed, nobody can say what is text and what is code: from there on
    nothing is taken to be in a string, and nothing is searched again, so that no text takes long.
    The same holds from a program on that is longer than `MAX_PROGRAM`.

    Args:
        data: the text.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._can_tell = True

    def first_outside(self, word: bytes, start: int) -> int:
        """Find a word in the program that begins at a position, but in no string; -1 if not there.

        Args:
            word: what to find, which begins with a line end.
            start: where the program begins.
        """
        position = self._data.find(word, start)
        while position >= 0:
            behind = self._behind(start, position)
            if behind == position:
                break
            start, position = behind, self._data.find(word, behind - 1)
        return position

    def _behind(self, start: int, position: int) -> int:
        """The end of the string that a position is in, or the position where it is in none."""
        self._can_tell = self._can_tell and position - start <= MAX_PROGRAM
        if not self._can_tell:
            return position
        for match in _pieces(self._data, start):
            if match.start() >= position:
                break
            if match.lastgroup == "open":
                self._can_tell = False
                break
            if match.end() > position:
                return int(match.end())
        return position
