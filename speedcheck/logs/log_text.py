"""Bytes of a file to the text that the grammar reads, with positions and line numbers."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from speedcheck.logs.log_file import MAX_UNREAD, Problem, ProblemKind, UnreadValidation
from speedcheck.logs.readings import told_by

MAX_LINE = 1 << 20
"""No writer of logs prints a line of 1 MiB; such a line is stated and not read."""

MAX_PROBLEMS = 100
"""A reader learns nothing from the next million; they are counted instead."""

MAX_SHOWN = 200
"""So much of an unread line is kept."""

_QUOTED = 60
_FEWEST_CHARACTERS = 8


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
    """Decode UTF-16, drop the byte order mark of UTF-8, and make every line end LF.

    Bytes that are not UTF-8 are left: only lines that are shown are decoded.

    Raises:
        NotTextError: there is a NUL byte.
    """
    if encoding := _utf16_of(raw):
        raw = raw.decode(encoding, "replace").encode("utf-8", "replace")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    nul = raw.find(b"\0")
    if nul >= 0:
        raise NotTextError(f"binary: NUL byte at byte {nul}")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    cut = not raw.endswith(b"\n")
    return Text(b"\n" + raw + b"\n" * cut, cut)


def _utf16_of(raw: bytes) -> str | None:
    """The encoding of text in UTF-16, with a byte order mark or without; None for other bytes.

    Without a mark it shows by its ASCII characters, each of which has one NUL byte, always on the
    same side; a few bytes show nothing.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = raw[:4096]
    even, odd, half = head[::2].count(0), head[1::2].count(0), len(head) // 2
    if half < _FEWEST_CHARACTERS:
        return None
    if even == 0 and 4 * odd >= 3 * half:
        return "utf-16-le"
    if odd == 0 and 4 * even >= 3 * half:
        return "utf-16-be"
    return None


def quoted(text: str) -> str:
    """A piece of a log for a message: short, in quotes, control characters escaped."""
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")


class Problems:
    """Collects problems and unread validations, and numbers their lines."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._line = 0
        self._found: list[Problem] = []
        self._more = 0
        self._unread: list[UnreadValidation] = []

    def line_at(self, position: int) -> int:
        """Number of the line that starts at a position; cheap when positions are near."""
        if position >= self._position:
            self._line += self._data.count(b"\n", self._position, position)
        else:
            self._line -= self._data.count(b"\n", position, self._position)
        self._position = position
        return self._line

    def add(self, kind: ProblemKind, position: int | None, message: str) -> None:
        """State a problem of the line that starts at a position, or of the whole file."""
        if len(self._found) >= MAX_PROBLEMS:
            self._more += 1
            return
        line = None if position is None else self.line_at(position)
        self._found.append(Problem(kind, line, message))

    def add_unread(self, position: int, text: str) -> None:
        """Keep what the line that starts at a position tells of validations."""
        for step, loss in told_by(text):
            self.keep_unread(position, step, float(loss), text)

    def keep_unread(self, position: int, step: int | None, loss: float, text: str) -> None:
        """Keep the line that starts at a position as an unread validation."""
        if len(self._unread) < MAX_UNREAD:
            line = self.line_at(position)
            self._unread.append(UnreadValidation(line, step, loss, text[:MAX_SHOWN]))

    @property
    def unread(self) -> tuple[UnreadValidation, ...]:
        """The unread validations in the order in which they were found."""
        return tuple(self._unread)

    def all(self) -> tuple[Problem, ...]:
        """The problems in the order in which they were found."""
        if self._more:
            return (*self._found, Problem("more", None, f"{self._more} further problems"))
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
