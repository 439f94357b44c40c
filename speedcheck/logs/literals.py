"""Where the string literals of a program stand, as far as one need know to leave them out."""

from __future__ import annotations

import re

MAX_PROGRAM = 4 << 20
"""Published programs have up to 0.2 MB; what is longer was made to take long."""

# Comments, strings, and (as the group) three quotes that no others close. What an alternative takes
# it never gives back, so that no byte is looked at twice but behind such quotes.
_PIECES = re.compile(
    rb"""\#[^\n]*+
       | \"{3}(?:[^"\\]++|\\[\s\S]|"(?!""))*+\"{3}
       | '{3}(?:[^'\\]++|\\[\s\S]|'(?!''))*+'{3}
       | (?P<open>\"{3}|'{3})
       | "(?:[^"\\\n]++|\\[\s\S])*+"?+
       | '(?:[^'\\\n]++|\\[\s\S])*+'?+
    """,
    re.VERBOSE,
)


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
        for match in _PIECES.finditer(self._data, start):
            if match.start() >= position:
                break
            if match.lastgroup == "open":
                self._can_tell = False
                break
            if match.end() > position:
                return match.end()
        return position
