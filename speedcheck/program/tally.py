"""What two programs of the same code have as many of, counted without parsing them.

A program costs the parser ten times as much. Counted is what the syntax tree alone decides: not
brackets, commas, colons and ends of lines, which layout may add; nor minus signs, which belong to
constants; nor `else`, since `elif` is an `else` with an `if`; nor what stands in strings.
"""

from __future__ import annotations

import re
from collections import Counter

from speedcheck.program.lexical import COMMENT, STRING

_TOKEN = re.compile(
    rf"""(?P<format>(?:[fFtT][rR]?+|[rR][fFtT]){STRING})
      | {STRING}
      | {COMMENT}
      | (?P<counted>[^\W\d]\w*+|\.(?=(?:\s|\\\n)*+[^\W\d])
          |\*\*=?|//=?|>>=?|<<=?|->|:=|[-+*/%@&|^<>=!]=|[+*/%@&|^~<>=])
      | \.?+[0-9][0-9_]*+(?:\.[0-9_]*+)?+(?:[eE][+-]?+[0-9]++)?+\w*+
      | \.\.\.
    """,
    re.VERBOSE,
)
_KEYWORDS = frozenset({
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
})  # fmt: skip

Tally = frozenset[tuple[str, int]]


def tally(text: str) -> Tally | None:
    """Return how often each keyword and operator stands in a program.

    Programs of which `code_digest` is the same have the same tally. None where a string of format
    holds strings in its own quotes (Python 3.12), which only a parser can follow.
    """
    found: Counter[str] = Counter()
    for token in _TOKEN.finditer(text):
        if token["counted"]:
            found[token["counted"]] += 1
        elif token["format"] and token["format"].count("{") != token["format"].count("}"):
            return None
    found["if"] += found["elif"]
    return frozenset((token, n) for token, n in found.items() if _is_code(token) and n)


def _is_code(token: str) -> bool:
    return token in _KEYWORDS or not (token[0].isalpha() or token[0] == "_")
