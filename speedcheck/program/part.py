"""The part of a program that the rules can be about: what is parsed and looked at."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from speedcheck.program.excerpt import Excerpt, Words
from speedcheck.program.lexical import LogicalLine
from speedcheck.program.paths import PathFinder
from speedcheck.program.scopes import Names
from speedcheck.program.source import UnreadableProgramError, parse, refuse_long

# The usual way to give a module of configuration another name; others are found once parsed.
_RENAMED = re.compile(r"^import[ ]torch\._[.\w]++[ ]as[ ](\w++)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """What of a program was parsed.

    Attributes:
        names: the scopes of its names.
        paths: what the names may refer to.
        lines: numbers of the lines at which one of the words stands; None where any line may hold
            one by another name.
    """

    names: Names
    paths: PathFinder
    lines: frozenset[int] | None = None

    def of_kinds(self, kinds: Container[type[ast.AST]]) -> Iterator[ast.AST]:
        """Yield the nodes of some kinds that can hold one of the words, in source order."""
        nodes = self.names.of_kinds(kinds)
        if self.lines is None:
            return nodes
        # A few kinds have no line, such as a function's parameters.
        lines = self.lines | {None}
        return (node for node in nodes if getattr(node, "lineno", None) in lines)


def part_about(text: str, words: Words) -> Part:
    """Parse what of a program can be about `words`, by whatever name.

    Raises:
        UnreadableProgramError: as `parse`; of a body that was left out nothing is known.
    """
    refuse_long(text)
    return _excerpt(text, words) or whole(text)


def whole(text: str) -> Part:
    """Parse all of a text, and look everywhere in it.

    Raises:
        UnreadableProgramError: as `parse`.
    """
    return _part(text)


def _excerpt(text: str, words: Words) -> Part | None:
    """Parse an excerpt; None where all of the program is needed."""
    likely = words | Words(names=frozenset(_RENAMED.findall(text)))
    excerpt = Excerpt(text, likely)
    try:
        part = _part(excerpt.text, excerpt.lines)
    except UnreadableProgramError:
        # Whoever only looks for lines can be misled: by strings within strings (Python 3.12).
        return None
    others = [names for path, names in part.paths.named().items() if words.places(path)]
    renamed = Words(names=frozenset().union(*others))
    if excerpt.lacks(renamed):
        return None
    return Part(part.names, part.paths, excerpt.numbers(likely | renamed))


def _part(text: str, lines: Sequence[LogicalLine] | None = None) -> Part:
    names = Names(parse(text, lines))
    return Part(names, PathFinder(names))
