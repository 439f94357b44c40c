"""How two programs differ: in text, names, constants or code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, get_args

from speedcheck.program.normal import CONSTANTS, Atom, NormalProgram
from speedcheck.program.syntax import Program, shortened

Kind = Literal["same", "text", "names", "constants", "names and constants", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""From the least difference to the greatest."""

MAX_DETAILS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """How one program differs from another.

    Attributes:
        kind: "text" for comments, layout, docstrings, seeds and other identifiers of runs;
            "names" where names that the program gives itself are others, each everywhere.
        line: line of the first program at which they begin to differ; None for "same" and "text".
        details: the first differences, such as "line 312: 0.0022 -> 0.0024", and how many more;
            of code only the first.
        numbers: whether a constant that is a number, or a text that reads as one, differs; False
            where only other strings do.
    """

    kind: Kind
    line: int | None = None
    details: tuple[str, ...] = ()
    numbers: bool = False


def compare(a: Program, b: Program) -> Difference | None:
    """Say how `b` differs from `a`; None where one of them cannot be parsed."""
    return next(differences(a, [b]))


def differences(a: Program, others: Iterable[Program]) -> Iterator[Difference | None]:
    """Say of each of several programs how it differs from `a`, which is parsed once."""
    before: NormalProgram | None = None
    for b in others:
        if a.problem or b.problem:
            yield None
        elif a.text == b.text:
            yield Difference("same")
        else:
            before = before or NormalProgram(a.text)
            yield _compare(before, NormalProgram(b.text))


def _compare(a: NormalProgram, b: NormalProgram) -> Difference:
    """Compare atom for atom, up to the first that says that the code differs."""
    renamed = _Renaming(a.attributes, b.attributes)
    changes: list[tuple[int, str]] = []
    kinds: set[Kind] = set()
    numbers = False
    for x, y in zip_longest(a.atoms, b.atoms):
        if x is None or y is None or _kind(x) != _kind(y):
            return _code(a, b, x, y)
        if x.kind not in {"name", "attribute"} and x.value == y.value:
            continue
        if x.kind == y.kind == "identifier":
            continue
        if x.kind in CONSTANTS:
            kinds.add("constants")
            numbers = numbers or not (_is_word(x) and _is_word(y))
        elif x.kind == "code" or not renamed.agrees(x, y):
            return _code(a, b, x, y)
        elif renamed.is_new(x, y):
            kinds.add("names")
        else:
            continue
        changes.append((x.line, f"{_shown(x)} -> {_shown(y)}"))
    if not changes:
        return Difference("text")
    kind: Kind = "names and constants" if len(kinds) > 1 else kinds.pop()
    return Difference(kind, changes[0][0], _details(changes), numbers)


class _Renaming:
    """Which name of one program is which of the other: one for one, or it is not a renaming."""

    def __init__(self, attributes_a: set[str], attributes_b: set[str]) -> None:
        self._own = attributes_a, attributes_b
        self._there: dict[tuple[str, object], object] = {}
        self._back: dict[tuple[str, object], object] = {}
        self._seen: set[tuple[str, object]] = set()

    def agrees(self, a: Atom, b: Atom) -> bool:
        """Whether `b` may be the new name of `a`, after all that went before."""
        there = self._there.setdefault((a.kind, a.value), b.value)
        back = self._back.setdefault((b.kind, b.value), a.value)
        if (there, back) != (b.value, a.value):
            return False
        # torch.relu and torch.gelu are two functions, and not one that was renamed.
        is_own = a.value in self._own[0] and b.value in self._own[1]
        return a.kind == "name" or a.value == b.value or is_own

    def is_new(self, a: Atom, b: Atom) -> bool:
        """Whether this is the first place at which `a` has another name."""
        key = a.kind, a.value
        if a.value == b.value or key in self._seen:
            return False
        self._seen.add(key)
        return True


def _code(a: NormalProgram, b: NormalProgram, x: Atom | None, y: Atom | None) -> Difference:
    """Show the lines at which the code begins to differ."""
    starts = ((x.line if x else 1, y.line if y else 1), (1, 1))
    # From the top where both read alike from there on: a name stands for another than before.
    pairs = (_unlike(_lines(a.text, i), _lines(b.text, j)) for i, j in starts)
    number, old, new = next((pair for pair in pairs if pair), (a.atoms[-1].line, "", ""))
    old, new = (f"`{shortened(line)}`" if line else "nothing" for line in (old, new))
    return Difference("code", number, (f"line {number}: {old} -> {new}",), numbers=True)


def _lines(text: str, first: int) -> list[tuple[int, str]]:
    """Return the lines from a number on that are not blank or comments, with their numbers."""
    every = enumerate(text.split("\n"), start=1)
    stripped = ((number, line.strip()) for number, line in every if number >= first)
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _unlike(a: list[tuple[int, str]], b: list[tuple[int, str]]) -> tuple[int, str, str] | None:
    """Return the first two lines that differ, with the number of the first program's."""
    last = a[-1][0] if a else 1
    for (number, old), (_, new) in zip_longest(a, b, fillvalue=(last, "")):
        if old != new:
            return number, old, new
    return None


def _kind(atom: Atom) -> str:
    return "constant" if atom.kind in CONSTANTS else atom.kind


def _is_word(atom: Atom) -> bool:
    """Whether a constant is a string that does not read as a number."""
    match atom.value:
        case (_, str(text) | bytes(text)):
            try:
                float(text)
            except ValueError:
                return True
    return False


def _details(changes: list[tuple[int, str]]) -> tuple[str, ...]:
    shown = [f"line {line}: {text}" for line, text in changes[:MAX_DETAILS]]
    more = len(changes) - MAX_DETAILS
    return (*shown, f"{more} more") if more > 0 else tuple(shown)


def _shown(atom: Atom) -> str:
    match atom:
        case Atom("name", (_, str(name))):
            return shortened(name)
        case Atom("constant", (_, int(number))) if abs(number) >= 1 << 64:
            # Python refuses to print a number of more than 4300 digits.
            return f"a number of {number.bit_length()} bits"
        case Atom("constant", (_, str(text))):
            return repr(shortened(text))
        case Atom("constant", (_, value)):
            return shortened(repr(value))
    return shortened(str(atom.value))
