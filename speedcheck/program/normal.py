"""The normal form of a program: what is left of it without comments, layout and docstrings.

A sequence of atoms in the order of the source. Two programs have atoms of the same kinds, and
equal ones among those of kind "code", exactly when they differ in names and constants alone.
"""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NamedTuple

from speedcheck.program.identifiers import without_identifiers
from speedcheck.program.names import Names, Scope
from speedcheck.program.parse import is_text_alone

# Fields of no consequence to what runs, and those of each kind of node that are left.
_IGNORED = frozenset({"ctx", "kind", "type_ignores", "type_comment"})
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _IGNORED)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_CONSTANTS = (ast.Constant, ast.UnaryOp)
# Fields whose text names a variable, by the class of the node; `asname` is that of an import.
_VARIABLES = frozenset({
    ("arg", "arg"), ("FunctionDef", "name"), ("AsyncFunctionDef", "name"),
    ("ClassDef", "name"), ("alias", "asname"), ("ExceptHandler", "name"), ("MatchAs", "name"),
    ("MatchStar", "name"), ("MatchMapping", "rest"), ("Global", "names"), ("Nonlocal", "names"),
})  # fmt: skip
_ATTRIBUTES = frozenset({("Attribute", "attr"), ("keyword", "arg"), ("MatchClass", "kwd_attrs")})


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
        if isinstance(item, _CONSTANTS) and (value := _constant(item)) is not None:
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
