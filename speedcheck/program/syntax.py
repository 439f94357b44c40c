"""The whole of a program as its tree with its names, for everything that compares."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

from speedcheck.program.model import Program
from speedcheck.program.scopes import Names
from speedcheck.program.source import UnreadableProgramError, parse


@dataclass(frozen=True, slots=True)
class Syntax:
    """A program as it was parsed.

    Attributes:
        tree: the syntax tree.
        names: the scopes of its names.
    """

    tree: ast.Module
    names: Names


def whole_of(program: Program) -> Syntax:
    """Parse all of a program, also what the rules are not about.

    Raises:
        UnreadableProgramError: its `problem`, or one in what was not read until now.
    """
    if program.problem:
        raise UnreadableProgramError(program.problem)
    return _syntax_of(program.text)


# The digest and the data loader of a program are asked for one after another. A tree may take
# 90 MB, so that only the newest is kept.
@lru_cache(maxsize=1)
def _syntax_of(text: str) -> Syntax:
    tree = parse(text)
    return Syntax(tree, Names(tree))
