"""Bytes of a file to the text that the grammar reads, with positions and line numbers."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedcheck.logs.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 1 << 20
"""No writer of logs prints a line of 1 MiB; such a line is stated and not read."""

MAX_PROBLEMS = 100
"""A reader learns nothing from the next million; they are counted instead."""

_QUOTED = 60


class NotTextError(ValueError):
    """The bytes are not text."""


@dataclass(frozen=True, slots=True)
class Text:
    r"""The text of a log as UTF-8 bytes with LF line ends, between two line ends.

    Attributes:
        data: "\n", the lines, "\n": a line always stands between two line ends, so that a search
            for "\nstep:" finds every line and needs no slow `^`.
        cut: whether the file did not end with a line end, so that its last line may be cut.
    """

    data: bytes
    cut: bool


def normalise(raw: bytes) -> Text:
    """Decode UTF-16 with a byte order mark, drop that of UTF-8, and make every line end LF.

    Bytes that are not UTF-8 are left: only lines that are shown are decoded.

    Raises:
        NotTextError: there is a NUL byte.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    nul = raw.find(b"\0")
    if nul >= 0:
        raise NotTextError(f"binary: NUL byte at byte {nul}")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    cut = not raw.endswith(b"\n")
    return Text(b"\n" + raw + b"\n" * cut, cut)


def quoted(text: str) -> str:
    """A piece of a log for a message: short, in quotes, control characters escaped."""
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")


class Problems:
    """Collects problems and numbers their lines."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._line = 0
        self._found: list[Problem] = []
        self._more = 0

    def line_at(self, position: int) -> int:
        """Number of the line that starts at a position; cheap when positions are near."""
        if position >= self._position:
            self._line += self._data.count(b"\n", self._position, position)
        else:
            self._line -= self._data.count(b"\n", position, self._position)
        self._position = position
        return self._line

    def add(self, position: int | None, message: str) -> None:
        """State a problem of the line that starts at a position, or of the whole file."""
        if len(self._found) >= MAX_PROBLEMS:
            self._more += 1
            return
        line = None if position is None else self.line_at(position)
        self._found.append(Problem(line, message))

    def all(self) -> tuple[Problem, ...]:
        """The problems in the order in which they were found."""
        if self._more:
            return (*self._found, Problem(None, f"{self._more} further problems"))
        return tuple(self._found)


def long_lines(data: bytes) -> Iterator[int]:
    """Positions of the lines longer than `MAX_LINE`.

    Jumps from line end to line end at the reach of a longest line, so that short lines cost
    nothing.
    """
    start = 1
    while start + MAX_LINE < len(data):
        end = data.rfind(b"\n", start, start + MAX_LINE + 1)
        if end < 0:
            yield start
            end = data.find(b"\n", start)
        start = end + 1
