"""The normal form of a program: what is left of it without comments, layout and docstrings.

A sequence of atoms in the order of the source. Two programs have atoms of the same kinds, and
equal ones among those of kind "code", exactly when they differ in names and constants alone.

Some constants tell one run of a program from another and change nothing else: seeds and names. A
seed counts as one only where it is a whole number, and a name only where it is a string: a
learning rate that is called a seed stays a constant.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from speedcheck.program.names import Names, Scope
from speedcheck.program.syntax import Program, UnreadableProgramError, is_text_alone, names_of

# Fields of no consequence to what runs, and those of each kind of node that are left.
_IGNORED = frozenset({"ctx", "kind", "type_ignores", "type_comment"})
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _IGNORED)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_SIGNED = (ast.Constant, ast.UnaryOp)
CONSTANTS = frozenset({"constant", "identifier"})
# Fields whose text names a variable, by the class of the node; `asname` is that of an import.
_VARIABLES = frozenset({
    ("arg", "arg"), ("FunctionDef", "name"), ("AsyncFunctionDef", "name"),
    ("ClassDef", "name"), ("alias", "asname"), ("ExceptHandler", "name"), ("MatchAs", "name"),
    ("MatchStar", "name"), ("MatchMapping", "rest"), ("Global", "names"), ("Nonlocal", "names"),
})  # fmt: skip
_ATTRIBUTES = frozenset({("Attribute", "attr"), ("keyword", "arg"), ("MatchClass", "kwd_attrs")})
_SEED = re.compile(r"(?:^|[^a-z])seeds?(?:[^a-z]|$)")
_RUN_NAMES = frozenset({
    "run_id", "run_name", "exp_name", "experiment_name", "logfile", "log_file", "log_path",
    "log_dir", "logdir", "out_dir", "output_dir", "save_dir", "uuid",
})  # fmt: skip
# A run's own identifier, such as a log's name, inside a string.
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# Where a machine keeps its files; the last two parts of a path say which file it is.
_ABSOLUTE = re.compile(r"(?:/|~/)[^\s/]+(?:/[^\s/]+)*/(?=[^\s/]+/[^\s/]*$)")
# `int(os.environ.get("SEED", "1"))`, `1337 + 7 * rank`: a few levels.
_MAX_DEPTH = 5


class Atom(NamedTuple):
    """One piece of a program.

    Attributes:
        kind: "code" for structure, imports and names that the program does not give itself;
            "name" for a variable, whose value is its scope's index and its name; "attribute" for
            a name behind a dot, of a class member or of a keyword; "constant", whose value is its
            type and itself; "identifier", a constant that tells runs apart.
        value: what it is.
        line: number of its line in the program, from 1.
    """

    kind: Literal["code", "name", "attribute", "constant", "identifier"]
    value: object
    line: int


class NormalProgram:
    """A program in the form that is compared.

    Args:
        text: the program.

    Raises:
        UnreadableProgramError: it cannot be parsed.

    Attributes:
        text: the program.
        attributes: names that the program gives itself, see `Names`.
        atoms: the normal form.
    """

    def __init__(self, text: str) -> None:
        names = names_of(text)
        self.text = text
        self.attributes = names.attributes
        self.atoms = normal_form(names.tree, names, find_identifiers(names))


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of a program.

    Attributes:
        code: of the code without the program's own names and its constants. Equal exactly when
            `compare` finds no difference of kind "code".
        all_but_text: of all but comments, layout, docstrings and identifiers of runs. Where it is
            equal, `compare` finds a difference of kind "text" at most.
    """

    code: str
    all_but_text: str


def digests(program: Program) -> Digests | None:
    """Return the digests of a program; None where it cannot be parsed."""
    try:
        normal = NormalProgram(program.text)
    except UnreadableProgramError:
        return None
    numbers: dict[object, int] = {}

    def code(atom: Atom) -> str:
        if atom.kind in CONSTANTS:
            return "constant"
        if atom.kind == "name" or (atom.kind == "attribute" and atom.value in normal.attributes):
            return numbered(atom, numbers)
        return printed(atom)

    every = ("identifier" if atom.kind == "identifier" else printed(atom) for atom in normal.atoms)
    return Digests(sha256(map(code, normal.atoms)), sha256(every))


def code_digest(program: Program) -> str | None:
    """Return the digest of a program's code; None where it cannot be parsed."""
    found = digests(program)
    return found.code if found else None


def printed(atom: Atom) -> str:
    """Return an atom as text that no other atom has."""
    match atom.value:
        case (type() as kind, int(number)) if kind is int:
            # In decimal Python refuses to print more than 4300 digits.
            return f"{atom.kind} {number:#x}"
    return f"{atom.kind} {atom.value!r}"


def numbered(atom: Atom, numbers: dict[object, int]) -> str:
    """Return an atom with the number of its value in place of it: the first to come is 0."""
    return f"{atom.kind} {numbers.setdefault((atom.kind, atom.value), len(numbers))}"


def sha256(texts: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of texts, in which none can run into the next."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def normal_form(
    node: ast.AST, names: Names, identifiers: AbstractSet[ast.AST] = frozenset()
) -> list[Atom]:
    """Return the atoms of `node`.

    Args:
        node: a node of the tree of `names`.
        names: the scopes of the program's names.
        identifiers: constants that tell one run from another.
    """
    atoms: list[Atom] = []
    stack: list[ast.AST | Atom] = [node]
    line = 1
    while stack:
        item = stack.pop()
        if isinstance(item, Atom):
            atoms.append(item)
            continue
        line = getattr(item, "lineno", line)
        if isinstance(item, ast.Name):
            # A third of all nodes; they hold nothing.
            atoms += (Atom("code", "Name", line), _variable(item.id, names.scope_of[item], line))
            continue
        if isinstance(item, _SIGNED) and (value := _constant(item)) is not None:
            constant = item.operand if isinstance(item, ast.UnaryOp) else item
            atoms.append(Atom("identifier" if constant in identifiers else "constant", value, line))
            continue
        atoms.append(Atom("code", type(item).__name__, line))
        parts: list[ast.AST | Atom] = []
        for name in _FIELDS[type(item)]:
            field = getattr(item, name, None)
            if isinstance(field, ast.AST):
                parts.append(field)
            else:
                parts += _field(item, name, field, names, line)
        stack.extend(reversed(parts))
    return atoms


def _constant(node: ast.AST) -> tuple[type, object] | None:
    """A constant, its sign included; its type is a part of it, as True is not 1."""
    match node:
        case ast.Constant(value=str(text)):
            return str, without_identifiers(text)
        case ast.Constant(value=value):
            return type(value), value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if (
            not isinstance(number, bool)
        ):
            return type(number), -number
    return None


def _field(node: ast.AST, name: str, value: Any, names: Names, line: int) -> list[ast.AST | Atom]:
    """What a field holds that is not a node by itself."""
    key = type(node).__name__, name
    items = value if isinstance(value, list) else [value]
    if key in _VARIABLES:
        scope = names.scope_of[node]
        return [_variable(text, scope, line) for text in items]
    if key in _ATTRIBUTES:
        return [Atom("attribute" if text else "code", text, line) for text in items]
    if not isinstance(value, list):
        return [Atom("code", value, line)]
    nodes = [item for item in items if isinstance(item, ast.AST) and not is_text_alone(item)]
    plain = [Atom("code", item, line) for item in items if not isinstance(item, ast.AST)]
    return [Atom("code", len(nodes), line), *plain, *nodes]


def _variable(name: str | None, scope: Scope, line: int) -> Atom:
    owner = scope.owner(name) if name else None
    if name is None or owner is None:
        return Atom("code", name, line)
    if owner.kind == "class":
        return Atom("attribute", name, line)
    return Atom("name", (owner.index, name), line)


def without_identifiers(text: str) -> str:
    """Return a string constant without identifiers of runs and without the folders of a machine."""
    return _ABSOLUTE.sub("", _UUID.sub("", text), count=1)


def find_identifiers(names: Names) -> set[ast.AST]:
    """Return the constants that identify a run by the name that they are given."""
    places: list[tuple[str, Sequence[ast.AST]]] = [
        *names.places.items(),
        *((str(node.value), [node]) for node in names.strings),
    ]
    return {
        constant
        for name, nodes in places
        if (kind := _kind(name))
        for node in nodes
        for value in _given(node, names)
        for constant in _constants(value, kind)
    }


def _kind(name: str) -> type | None:
    if len(name) > 40:
        return None
    word = name.lstrip("-").replace("-", "_").lower()
    if _SEED.search(word):
        return int
    return str if word in _RUN_NAMES else None


def _given(place: ast.AST, names: Names) -> Iterator[ast.AST | None]:
    """Yield the values that are given to a name: a variable's, an argument's, an option's."""
    yield names.given.get(place)
    is_text = isinstance(place, ast.Constant)
    match names.parent_of.get(place):
        case ast.Call(func=func, args=[first, *_]) if func is place:
            yield first
        case ast.Call(args=[first, *others], keywords=keywords) if first is place and is_text:
            yield from others[:1]
            yield from (word.value for word in keywords[:5] if word.arg == "default")
        case ast.Subscript(slice=key) as item if key is place and is_text:
            yield names.given.get(item)


def _constants(value: ast.AST | None, kind: type, depth: int = 0) -> Iterator[ast.AST]:
    if depth > _MAX_DEPTH:
        return
    match value:
        case ast.Constant(value=constant):
            is_number = isinstance(constant, int) and not isinstance(constant, bool)
            is_digits = isinstance(constant, str) and constant.isdecimal()
            if (is_number or is_digits) if kind is int else isinstance(constant, str):
                yield value
        case ast.BinOp(left=left, right=right):
            yield from _constants(left, kind, depth + 1)
            yield from _constants(right, kind, depth + 1)
        case ast.UnaryOp(operand=operand):
            yield from _constants(operand, kind, depth + 1)
        case ast.Call(func=ast.Name(id="int" | "str"), args=[argument]):
            yield from _constants(argument, kind, depth + 1)
