"""What a text would cost the parser, bounded by one linear pass.

The pass need not know Python: on text that is no program it only has to end, and to find at least
as much nesting as the parser would meet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Every alternative takes what it begins (strings and comments without an end run to the end), and
# every repetition is possessive, so that no character is looked at twice.
_PIECE = re.compile(
    r"""(?P<plain>[\w.\x20\t]++)
      | (?P<string>
            \"{3}(?:[^"\\]++|\\[\s\S]|"(?!""))*+(?:\"{3})?+
          | '{3}(?:[^'\\]++|\\[\s\S]|'(?!''))*+(?:'{3})?+
          | "(?:[^"\\\n]++|\\[\s\S])*+"?+
          | '(?:[^'\\\n]++|\\[\s\S])*+'?+
        )
      | (?P<comment>\#[^\n]*+)
      | (?P<joined>\\\n)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<end>[\n;])
      | (?P<comma>,)
      | (?P<operator>[\s\S])
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r"\w++|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Cost:
    """A bound on what the parser meets.

    Attributes:
        tokens: names, numbers and operators, those in strings and comments included.
        nesting: no expression is nested deeper than this.
        alternatives: `elif`s: each is nested in the one before it.
    """

    tokens: int
    nesting: int
    alternatives: int


def cost_of(text: str) -> Cost:
    """Bound the tokens and the nesting of `text` without parsing it."""
    return Cost(len(_TOKEN.findall(text)), _nesting(text), text.count("elif"))


def without_comments(text: str) -> str:
    """Return `text` without its comments; every line stays where it is."""
    return _PIECE.sub(lambda piece: "" if piece.lastgroup == "comment" else piece[0], text)


def _nesting(text: str) -> int:
    """Count what can nest an expression.

    These are the words, dots and operators since the last comma, summed over the brackets that
    are open. A lambda's commas separate its parameters and end nothing.
    """
    levels: list[tuple[int, int]] = []
    deepest = outer = here = lambdas = 0
    for piece in _PIECE.finditer(text):
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
            here = lambdas = 0
        deepest = max(deepest, outer + here)
        if kind == "open":
            levels.append((here, lambdas))
            outer += here
            here = lambdas = 0
        elif kind == "close" and levels:
            here, lambdas = levels.pop()
            outer -= here
    return deepest
