"""Digests of normal forms: equal ones mean code that differs in nothing that was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from speedcheck.program.model import Program
from speedcheck.program.normal import Atom, normal_form
from speedcheck.program.scopes import Names
from speedcheck.program.source import parse


def code_digest(program: Program) -> str | None:
    """Return a digest of the program's code without its own names and its constants.

    None where the program could not be read. Two programs have the same digest exactly when
    `compare` finds no difference of kind "code".
    """
    if program.problem:
        return None
    tree = parse(program.text)
    names = Names(tree)
    own = names.attributes
    numbers: dict[object, int] = {}

    def text(atom: Atom) -> str:
        if atom.kind == "constant":
            return "constant"
        if atom.kind == "name" or (atom.kind == "attribute" and atom.value in own):
            return numbered(atom, numbers)
        return f"{atom.kind} {atom.value!r}"

    return sha256(map(text, normal_form(tree, names)))


def numbered(atom: Atom, numbers: dict[object, int]) -> str:
    """Return an atom with the number of its value in place of it: the first to come is 0."""
    return f"{atom.kind} {numbers.setdefault((atom.kind, atom.value), len(numbers))}"


def sha256(texts: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of texts, in which none can run into the next."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
