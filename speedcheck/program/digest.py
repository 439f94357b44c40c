"""Digests of normal forms: equal ones mean code that differs in nothing that was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from speedcheck.program.model import Program
from speedcheck.program.normal import Atom, normal_form
from speedcheck.program.source import UnreadableProgramError
from speedcheck.program.syntax import whole_of

# A record's program is often the baseline's in the next record.
MOST_KEPT = 64


@lru_cache(MOST_KEPT)
def code_digest(program: Program) -> str | None:
    """Return a digest of the program's code without its own names and its constants.

    None where the program cannot be parsed as a whole. Two programs have the same digest exactly
    when `compare` finds no difference of kind "code".
    """
    try:
        syntax = whole_of(program)
    except UnreadableProgramError:
        return None
    own = syntax.names.attributes
    numbers: dict[object, int] = {}

    def text(atom: Atom) -> str:
        if atom.kind == "constant":
            return "constant"
        if atom.kind == "name" or (atom.kind == "attribute" and atom.value in own):
            return numbered(atom, numbers)
        return f"{atom.kind} {atom.value!r}"

    return sha256(map(text, normal_form(syntax.tree, syntax.names)))


def numbered(atom: Atom, numbers: dict[object, int]) -> str:
    """Return an atom with the number of its value in place of it: the first to come is 0."""
    return f"{atom.kind} {numbers.setdefault((atom.kind, atom.value), len(numbers))}"


def sha256(texts: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of texts, in which none can run into the next."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
