"""The normal form of a program: what is left of it without comments, layout and docstrings.

A sequence of atoms in the order of the source. Two programs have atoms of the same kinds, and
equal ones among those of kind "code", exactly when they differ in names and constants alone.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Literal, NamedTuple, TypeGuard

from speedcheck.program.scopes import Names, Scope

# A run's own identifier, such as a log's name, in a constant.
_RUN_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
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
            a name behind a dot, of a class member or of a keyword; "constant".
        value: what it is.
        line: number of its line in the program, from 1.
    """

    kind: Literal["code", "name", "attribute", "constant"]
    value: object
    line: int


def normal_form(node: ast.AST, names: Names) -> list[Atom]:
    """Return the atoms of `node`, which is one of the tree of `names`."""
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
            # A third of all nodes; nothing stands in one.
            atoms += (Atom("code", "Name", line), _variable(item.id, names.scope_of[item], line))
            continue
        if isinstance(item, _CONSTANTS) and (constant := _constant(item, line)) is not None:
            atoms.append(constant)
            continue
        atoms.append(Atom("code", type(item).__name__, line))
        parts: list[ast.AST | Atom] = []
        for name in _FIELDS[type(item)]:
            value = getattr(item, name, None)
            if isinstance(value, ast.AST):
                parts.append(value)
            else:
                parts += _field(item, name, value, names, line)
        stack.extend(reversed(parts))
    return atoms


def _constant(node: ast.AST, line: int) -> Atom | None:
    """The atom of a constant, its sign included; its type is a part of it, as True is not 1."""
    match node:
        case ast.Constant(value=str(text)):
            return Atom("constant", (str, _RUN_ID.sub("", text)), line)
        case ast.Constant(value=value):
            return Atom("constant", (type(value), value), line)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if (
            not isinstance(number, bool)
        ):
            return Atom("constant", (type(number), -number), line)
    return None


def _field(node: ast.AST, name: str, value: Any, names: Names, line: int) -> list[ast.AST | Atom]:
    """What a field holds that is no node by itself."""
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


def is_text_alone(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Return whether a statement is a string: a docstring, or a comment in the form of one."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)
