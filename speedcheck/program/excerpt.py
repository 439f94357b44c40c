"""The part of a program that its rules can be about: all but bodies of functions without the words.

Parsing is most of what a program costs, and most of a program is bodies of functions that name
nothing the rules ask of. Such a body is left out unseen: what it binds is visible nowhere else.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from speedcheck.program.lexical import LogicalLine, logical_lines

_START = re.compile(
    r"(?P<blank>[ \t\f]*+)(?:(?P<nothing>[#\n]|\Z)|(?P<function>(?:async[ \t]++)?+def\b))?+"
)
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]")
_IN_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")
_IN_NAME_OR_BEFORE = _IN_NAME | {ord(".")}


@dataclass(frozen=True, slots=True)
class Words:
    """What a text must hold, in any case and with - for _, for a question to be about it.

    Attributes:
        parts: found inside longer words too.
        names: found alone, and not as somebody's attribute.
    """

    parts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def __or__(self, other: Words) -> Words:
        return Words(self.parts | other.parts, self.names | other.names)

    def places(self, text: str) -> list[int]:
        """Return where the words stand, and every character outside of ASCII.

        Python takes some of these for other letters: the full-width e of an exec for an e.
        """
        # One byte for each character, whatever it is.
        plain = text.encode("ascii", "replace").lower().replace(b"-", b"_")
        found = [place for part in self.parts for place in _places(plain, part.encode())]
        for name in self.names:
            word = name.encode("ascii", "replace").lower()
            found += [at for at in _places(plain, word) if _is_alone(plain, at, at + len(word))]
        if not text.isascii():
            found += [match.start() for match in _OUTSIDE_ASCII.finditer(text)]
        return sorted(found)


# A class has fields that others read, and these reach names that lie outside.
_REACHING_OUT = Words(names=frozenset({"class", "global", "nonlocal"}))


class Excerpt:
    """A program without the bodies of functions in which none of some words stands.

    Attributes:
        text: what is left; every line and column of it is where it was.
        lines: the logical lines of the whole program.
    """

    def __init__(self, text: str, words: Words) -> None:
        places = (words | _REACHING_OUT).places(text)
        self._whole = text
        self.lines = logical_lines(text)
        self._left_out = list(_idle(_bodies(text, self.lines), places))
        self.text = _without(text, self._left_out)

    def numbers(self, words: Words) -> frozenset[int]:
        """Return the numbers of all lines of the logical lines in which one of `words` stands."""
        starts = [line.start for line in self.lines]
        found: set[int] = set()
        number = counted_to = 0
        for index in sorted({bisect_right(starts, at) - 1 for at in words.places(self._whole)}):
            line = self.lines[index]
            number += self._whole.count("\n", counted_to, line.start)
            counted_to = line.start
            more = self._whole.count("\n", line.start, line.end - 1)
            found.update(range(number + 1, number + more + 2))
        return frozenset(found)

    def lacks(self, words: Words) -> bool:
        """Return whether one of `words` stands in what was left out."""
        places = words.places(self._whole)
        return any(_any_within(places, start, end) for start, end in self._left_out)


def _places(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _is_alone(text: bytes, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not ((before and before[0] in _IN_NAME_OR_BEFORE) or (after and after[0] in _IN_NAME))


def _bodies(text: str, lines: Iterable[LogicalLine]) -> Iterator[tuple[int, int]]:
    """Yield where the body of each function begins and ends, inner ones before outer ones.

    One that ends with the text is none of them: who parses it learns whether the text was cut.
    """
    # Of the functions around a line: their indentation, and where their bodies begin.
    around: list[tuple[int, int | None]] = []
    end = 0
    for line in lines:
        start = _start(text, line.start)
        if start["nothing"] is not None:
            continue
        # Python refuses lines that the width of a tab would sort; a form feed begins a line anew.
        column = len(start["blank"].rpartition("\f")[2])
        while around and column <= around[-1][0]:
            begin = around.pop()[1]
            if begin is not None:
                yield begin, end
        if around and around[-1][1] is None:
            around[-1] = around[-1][0], line.start
        if start["function"]:
            around.append((column, None))
        end = line.end


def _start(text: str, position: int) -> re.Match[str]:
    """What a line begins with, which may be nothing."""
    return cast("re.Match[str]", _START.match(text, position))


def _idle(bodies: Iterable[tuple[int, int]], places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the outermost of the bodies in which none of the places is."""
    last = 0
    for start, end in sorted(bodies, key=lambda body: (body[0], -body[1])):
        if start >= last and not _any_within(places, start, end):
            yield start, end
            last = end


def _any_within(places: list[int], start: int, end: int) -> bool:
    first = bisect_left(places, start)
    return first < len(places) and places[first] < end


def _without(text: str, left_out: Iterable[tuple[int, int]]) -> str:
    """Put a 0 in place of each body; as many lines stay as it had."""
    pieces, last = [], 0
    for start, end in left_out:
        indentation = _start(text, start)["blank"]
        pieces += [text[last:start], indentation, "0", "\n" * text.count("\n", start, end)]
        last = end
    return "".join([*pieces, text[last:]])
