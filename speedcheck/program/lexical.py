"""What a text would cost the parser, bounded by linear passes; and what is left of it at a glance.

The passes need not know Python: on text that is no program they only have to end, and to find at
least as much nesting as the parser would meet.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Every alternative takes what it begins (strings and comments without an end run to the end), and
# every repetition is possessive, so that no character is looked at twice.
STRING = r"""(?:
    \"{3}(?:[^"\\]++|\\[\s\S]|"(?!""))*+(?:\"{3})?+
  | '{3}(?:[^'\\]++|\\[\s\S]|'(?!''))*+(?:'{3})?+
  | "(?:[^"\\\n]++|\\[\s\S])*+"?+
  | '(?:[^'\\\n]++|\\[\s\S])*+'?+
)"""
COMMENT = r"\#[^\n]*+"
_PIECE = re.compile(
    rf"""(?P<plain>[\w.\x20\t]++)
      | (?P<string>{STRING})
      | (?P<comment>{COMMENT})
      | (?P<joined>\\\n)
      | (?P<open>[(\[{{])
      | (?P<close>[)\]}}])
      | (?P<end>[\n;])
      | (?P<comma>,)
      | (?P<operator>[\s\S])
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r"\w++|[^\w\s]")


def _in_brackets(levels: int) -> str:
    """Return a pattern of what stands in brackets, with up to `levels` levels of more in it."""
    inside = rf"|[(\[{{]{_in_brackets(levels - 1)}[)\]}}]" if levels else ""
    return rf"""(?:[^()\[\]{{}}"'\#\\]++|{STRING}|{COMMENT}|\\\n{inside})*+"""


# A logical line as nearly all are: with few brackets in brackets.
_LINE = re.compile(
    rf"""(?:[^()\[\]{{}}"'\#\\\n]++|{STRING}|\\\n|[(\[{{]{_in_brackets(3)}[)\]}}])*+
         (?:{COMMENT})?+\n""",
    re.VERBOSE,
)
# Nothing nests deeper than it has characters.
_SHORT = 400


# The ends of lines, with the comments and the blank lines that belong to them, and numbers in
# decimal. Everything else that a digit may begin or end (0x1F, 1j, a name) is left alone.
_VARYING = re.compile(
    rf"""(?P<string>{STRING})
      | (?P<end>(?:[\x20\t]*+(?:{COMMENT})?+\n)++)
      | (?P<other>\\\n|[\x20\t]++|{COMMENT})
      | (?P<number>(?<![\w.])[0-9][0-9_]*+(?:\.[0-9_]*+)?+(?:[eE][+-]?[0-9]++)?+(?![\w.]))
    """,
    re.VERBOSE,
)


def count_tokens(text: str) -> int:
    """Count names, numbers and operators, those in strings and comments included."""
    return len(_TOKEN.findall(text))


class LogicalLine(NamedTuple):
    """One line as Python's grammar has it; a comment or a blank line is one too.

    Attributes:
        start: index of its first character.
        end: index behind its last.
        nesting: a number that none of its expressions is nested deeper than. What stands in an
            f-string is not counted: there the parser's own bounds are narrow.
    """

    start: int
    end: int
    nesting: int


def logical_lines(text: str) -> list[LogicalLine]:
    """Cut a text into its logical lines, without parsing it."""
    lines = []
    position = 0
    while position < len(text):
        line = _LINE.match(text, position)
        end = line.end() if line else position
        if 0 < end - position <= _SHORT:
            nesting = end - position
        else:
            nesting, end = _nesting(text, position)
        lines.append(LogicalLine(position, end, nesting))
        position = end
    return lines


def without_comments(text: str) -> str:
    """Return `text` without its comments; every line stays where it is."""
    return _PIECE.sub(lambda piece: "" if piece.lastgroup == "comment" else piece[0], text)


def code_text(text: str) -> str:
    """Return `text`, of LF line ends, without comments, blank lines and blanks at ends of lines.

    Programs whose code texts are equal have equal syntax trees, but for the numbers of the lines.
    """
    return _replaced(text, {"end": "\n"})


def skeleton(text: str) -> str:
    """Return `code_text(text)` with a 0 for every number, and strings without a prefix empty.

    Programs whose skeletons are equal have syntax trees that differ in constants alone.
    """
    return _replaced(text, {"end": "\n", "number": "0", "string": '""'})


def _replaced(text: str, shown: dict[str, str]) -> str:
    def replacement(piece: re.Match[str]) -> str:
        kind = piece.lastgroup or ""
        if kind == "string" and not _is_plain_string(piece):
            return piece[0]
        return shown.get(kind, piece[0])

    return _VARYING.sub(replacement, text + "\n").lstrip("\n")


def _is_plain_string(piece: re.Match[str]) -> bool:
    """Whether a string has no prefix, no escapes, and an end."""
    text, before = piece[0], piece.string[piece.start() - 1 : piece.start()]
    quotes = 3 if text.startswith(('"""', "'''")) else 1
    has_end = len(text) >= 2 * quotes and text.endswith(text[:quotes])
    return has_end and "\\" not in text and not (before.isalnum() or before == "_")


def _nesting(text: str, position: int) -> tuple[int, int]:
    """Count what can nest an expression in one logical line; return the line's end too.

    These are the words, dots and operators since the last comma, summed over the brackets that
    are open. A lambda's commas separate its parameters and end nothing.
    """
    levels: list[tuple[int, int]] = []
    deepest = outer = here = lambdas = 0
    for piece in _PIECE.finditer(text, position):
        kind = piece.lastgroup
        if kind == "plain":
            words = piece[0]
            here += len(words.split()) + words.count(".")
            lambdas += words.count("lambda")
        elif kind in {"operator", "open"}:
            here += 1
        elif kind == "comma":
            here = lambdas
        elif kind == "end" and not levels:
            if piece[0] == "\n":
                return deepest, piece.end()
            here = lambdas = 0
        deepest = max(deepest, outer + here)
        if kind == "open":
            levels.append((here, lambdas))
            outer += here
            here = lambdas = 0
        elif kind == "close" and levels:
            here, lambdas = levels.pop()
            outer -= here
    return deepest, len(text)
