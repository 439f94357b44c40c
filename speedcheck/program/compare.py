"""How two programs differ: in text, names, constants or code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Literal, get_args

from speedcheck.program.hunks import hunks
from speedcheck.program.lexical import code_text, without_comments
from speedcheck.program.model import Program
from speedcheck.program.normal import Atom, is_text_alone, normal_form
from speedcheck.program.snippet import MAX_SHOWN, shortened
from speedcheck.program.source import UnreadableProgramError
from speedcheck.program.syntax import whole_of

Kind = Literal["same", "text", "names", "constants", "names and constants", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""From the least difference to the greatest."""

MAX_DETAILS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """How one program differs from another.

    Attributes:
        kind: "text" for comments, blank lines, layout, docstrings and identifiers of runs;
            "names" where names that the program gives itself are others, each everywhere.
        line: line of the first program at which they begin to differ; None for "same" and "text".
        details: the first differences, such as "line 312: 0.0022 -> 0.0024", and how many more.
    """

    kind: Kind
    line: int | None = None
    details: tuple[str, ...] = ()


def compare(a: Program, b: Program) -> Difference | None:
    """Say how `b` differs from `a`; None where one of them cannot be parsed as a whole."""
    return next(differences(a, [b]))


def differences(a: Program, others: Iterable[Program]) -> Iterator[Difference | None]:
    """Say of each of several programs how it differs from `a`, which is parsed once."""
    before: _Parsed | None = None
    for b in others:
        if a.problem or b.problem:
            yield None
        elif a.text == b.text:
            yield Difference("same")
        elif code_text(a.text) == code_text(b.text):
            yield Difference("text")
        else:
            try:
                before, after = before or _Parsed(a), _Parsed(b)
            except UnreadableProgramError:
                yield None
            else:
                yield _compare_atoms(before, after) or _compare_lines(before, after)


class _Parsed:
    """A program in the forms that are compared.

    Attributes:
        attributes: names that the program gives itself, see `Names`.
        atoms: the normal form.
    """

    def __init__(self, program: Program) -> None:
        syntax = whole_of(program)
        self.attributes = syntax.names.attributes
        self.atoms = normal_form(syntax.tree, syntax.names)
        self._text = program.text
        self._documented = {
            line
            for node in syntax.names.scope_of
            if is_text_alone(node)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }

    @cached_property
    def lines(self) -> list[tuple[int, str]]:
        """Numbers and text of the lines that are more than blanks, comments and docstrings."""
        numbered = enumerate(without_comments(self._text).split("\n"), start=1)
        return [
            (number, line.rstrip())
            for number, line in numbered
            if line.strip() and number not in self._documented
        ]


def _compare_atoms(a: _Parsed, b: _Parsed) -> Difference | None:
    """Compare atom for atom; None where the code differs."""
    renamed = _Renaming(a.attributes, b.attributes)
    changes: list[tuple[int, str]] = []
    kinds: set[Kind] = set()
    for x, y in zip_longest(a.atoms, b.atoms):
        if x is None or y is None or x.kind != y.kind:
            return None
        if x.kind in {"code", "constant"} and x.value == y.value:
            continue
        if x.kind == "constant":
            kinds.add("constants")
        elif x.kind == "code" or not renamed.agrees(x, y):
            return None
        elif renamed.is_new(x, y):
            kinds.add("names")
        else:
            continue
        changes.append((x.line, f"{_shown(x)} -> {_shown(y)}"))
    if not changes:
        return Difference("text")
    kind: Kind = "names and constants" if len(kinds) > 1 else kinds.pop()
    return Difference(kind, changes[0][0], _details(changes))


class _Renaming:
    """Which name of one program is which of the other: one for one, or it is none."""

    def __init__(self, attributes_a: set[str], attributes_b: set[str]) -> None:
        self._own = attributes_a, attributes_b
        self._there: dict[tuple[str, object], object] = {}
        self._back: dict[tuple[str, object], object] = {}
        self._told: set[tuple[str, object]] = set()

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
        if a.value == b.value or key in self._told:
            return False
        self._told.add(key)
        return True


def _compare_lines(a: _Parsed, b: _Parsed) -> Difference:
    """Name the lines of code that differ."""
    lines_a, lines_b = ([line for _, line in program.lines] for program in (a, b))
    changes = []
    for hunk in hunks(lines_a, lines_b):
        number = a.lines[min(hunk.a, len(a.lines) - 1)][0] if a.lines else 1
        old, new = lines_a[hunk.a : hunk.a_end], lines_b[hunk.b : hunk.b_end]
        changes.append((number, _stretches(old, new)))
    return Difference("code", changes[0][0] if changes else None, _details(changes))


def _stretches(old: list[str], new: list[str]) -> str:
    """Show the first line of each stretch from shortly before the place where they differ."""
    first, second = (lines[0].strip() if lines else "" for lines in (old, new))
    common = next(
        (i for i, (x, y) in enumerate(zip(first, second, strict=False)) if x != y),
        min(len(first), len(second)),
    )
    begin = max(common - MAX_SHOWN // 3, 0)
    return f"{_stretch(first[begin:], len(old))} -> {_stretch(second[begin:], len(new))}"


def _stretch(first: str, n: int) -> str:
    if n == 0:
        return "nothing"
    more = {1: "", 2: " and 1 more line"}.get(n, f" and {n - 1} more lines")
    return f"`{shortened(first)}`{more}"


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
