"""Lists of numbers in Python, or as Python and a shell print them. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from speedcheck.claims.numbers import NUMBER, Printed, printed

MAX_NUMBERS = 10_000
_LOOK_BACK = 200

_COMMENT = re.compile(r"#[^\n]*")
_MARGIN = re.compile(r"(?m)^[ \t>]*#")
_CALL = re.compile(r"(?:\b(?:np|numpy|torch)\.)?\b(?:float(?:32|64)?|tensor)\(([0-9.eE+-]{1,40})\)")
# A bracket and what may be a list's body: the next bracket ends the search.
_BRACKETS = re.compile(r"(?:\[|=[ \t]*\()([0-9.,;eE+\-_\s]*+)[\])]")
_UNIT = r"(?:[ \t]?m?s)?"
_BARE = re.compile(
    rf"[:=][ \t]*((?:[0-9]{{1,7}}\.[0-9]{{1,12}}{_UNIT}[ \t]*[,;/][ \t]*){{2,}}"
    rf"[0-9]{{1,7}}\.[0-9]{{1,12}})"
)
_ROWS = re.compile(
    r"(?m)^(?:[ \t>]{0,9}[0-9]\.[0-9]{1,12}[ \t]*\n){2,}[ \t>]{0,9}[0-9]\.[0-9]{1,12}[ \t]*$"
)
_ASSIGNED = re.compile(
    r"([A-Za-z_]\w*)[ \t]*(?::[ \t]*[\w\[\]., ]{1,40}?)?=[ \t]*(?:[A-Za-z_][\w.]*\([ \t]*)*$"
)
_LABELLED = re.compile(r"([A-Za-z][^:\n]{0,80}?)[\"'*`]{0,3}[ \t]*:[ \t*\"'`]*(?:array\()?$")
_NUMBER = re.compile(NUMBER)
_BETWEEN = re.compile(r"[\s,;]+")
_PROMPT = re.compile(r"Out ?\[[0-9]+\]$|>>>$")


@dataclass(frozen=True, slots=True)
class FoundList:
    """A list of numbers in a text.

    Attributes:
        name: the variable or the label before it; "" where there is none.
        numbers: its values.
        first: index of its first line, from 0.
        last: index of its last line.
        is_bracketed: whether brackets are around it.
    """

    name: str
    numbers: tuple[Printed, ...]
    first: int
    last: int
    is_bracketed: bool = True


def find_lists(text: str) -> Iterator[FoundList]:
    """Yield the lists of a text: in brackets, behind a label, or one number a line.

    A list without a name has three values at least: two in brackets are an interval.
    """
    plain = _CALL.sub(r"\1", _COMMENT.sub("", _MARGIN.sub(" ", text)))
    lines = _Lines(plain)
    for match in _BRACKETS.finditer(plain):
        name = _name(plain[max(0, match.start(1) - _LOOK_BACK) : match.start(1) - 1])
        numbers = _numbers(match[1])
        if name is not None and len(numbers) >= (1 if name else 3):
            yield FoundList(name, numbers, lines.of(match.start()), lines.of(match.end() - 1))
    for match in _BARE.finditer(plain):
        name = _name(plain[max(0, match.start(1) - _LOOK_BACK) : match.start(1)])
        numbers = tuple(n for part in _NUMBER.findall(match[1]) if (n := printed(part)))
        if name and numbers:
            line = lines.of(match.start(1))
            yield FoundList(name, numbers, line, line, is_bracketed=False)
    for match in _ROWS.finditer(plain):
        first, numbers = lines.of(match.start()), _numbers(match[0].replace(">", " "))
        if numbers:
            yield FoundList("", numbers, first, first + len(numbers) - 1, is_bracketed=False)


class _Lines:
    """Counts lines up to positions that only grow, in time linear in the text."""

    def __init__(self, text: str) -> None:
        self._text, self._line, self._position = text, 0, 0

    def of(self, position: int) -> int:
        if position < self._position:
            self._line, self._position = 0, 0
        self._line += self._text.count("\n", self._position, position)
        self._position = position
        return self._line


def _name(before: str) -> str | None:
    """Return the name in front of a list, "" for none; None where the bracket is not a list's."""
    before = before[before.rfind("\n") + 1 :]
    if not before.strip():
        return ""
    found = _ASSIGNED.search(before) or _LABELLED.search(before)
    if found:
        name = found[1].strip()
        return "" if _PROMPT.search(name) else name
    return None


def _numbers(body: str) -> tuple[Printed, ...]:
    """Return the numbers of a list; none where anything else stands among them."""
    parts = [part for part in _BETWEEN.split(body) if part][: MAX_NUMBERS + 1]
    found = [printed(part.rstrip(".")) for part in parts if _NUMBER.fullmatch(part.rstrip("."))]
    numbers = tuple(number for number in found if number)
    return numbers if len(numbers) == len(parts) <= MAX_NUMBERS else ()
