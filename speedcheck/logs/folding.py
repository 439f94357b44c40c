"""Characters that look like ASCII to the ASCII they stand for, so that no spelling hides a line.

A full-width colon, digits of another script or a zero-width space keep a search from finding a
line that people read as one. Only lines that are searched are folded: the program in a log keeps
its bytes.
"""

from __future__ import annotations

import re
import unicodedata

# The sign for bytes that are not text, common in binary files, is left as it is.
_FOREIGN = re.compile(r"[^\x00-\x7f\ufffd]+")


def fold(text: str) -> str:
    """Return `text` with compatible letters, signs, digits and blanks as ASCII.

    Each character is folded on its own: to normalise a text as a whole takes time with the square
    of its combining marks.
    """
    return text if text.isascii() else _FOREIGN.sub(_fold_match, text)


def _fold_match(match: re.Match[str]) -> str:
    return match[0].translate(_FOLDED)


_MOST_KEPT = 0x10000


class _Folded(dict[int, str]):
    """The table for `str.translate`, filled with what it is asked for."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        shown = chr(code) if folded is None else folded
        # A text may hold each of a million characters, and the table is kept.
        if code < _MOST_KEPT:
            self[code] = shown
        return shown


def _fold_character(character: str) -> str | None:
    """Return the ASCII that a character stands for; None where it stands for none."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf":
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded.isascii() else None


_FOLDED = _Folded()
