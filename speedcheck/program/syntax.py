"""A program's tree with its names, for everything that looks at it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

from speedcheck.program.scopes import Names
from speedcheck.program.source import parse


@dataclass(frozen=True, slots=True)
class Syntax:
    """A program as it was parsed.

    Attributes:
        tree: the syntax tree.
        names: the scopes of its names.
    """

    tree: ast.Module
    names: Names


# The rules, the digest and the data loader of a program are asked for one after another. A tree
# may take 90 MB, so that only the newest is kept.
@lru_cache(maxsize=1)
def syntax_of(text: str) -> Syntax:
    """Parse a program.

    Raises:
        UnreadableProgramError: as `parse`.
    """
    tree = parse(text)
    return Syntax(tree, Names(tree))
