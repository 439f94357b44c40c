"""The number of validation tokens that a program sets, computed without running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator

from speedcheck.program.names import Names, Scope
from speedcheck.program.syntax import TokenCount

# Sums and products of a few names are written a few levels deep.
_MAX_DEPTH = 20
_MAX_EXPONENT = 64
_MAX_NUMBER = 1 << 63
# Honest programs have about ten places.
_MAX_PLACES = 200

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_NAMES = frozenset({"val_tokens", "num_val_tokens", "val_num_tokens"})
# Functions and methods that are given the name of a field and change nothing.
_READERS = frozenset({
    "get", "getattr", "hasattr", "print", "print0", "add_argument", "info", "debug", "format",
    "__getitem__", "__getattribute__", "startswith", "append", "add",
})  # fmt: skip


class Calculator:
    """Computes whole numbers from constants and from names that are bound to one constant."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._fields = _class_fields(names)

    def value(self, node: ast.AST, depth: int = 0) -> int | None:
        """Return the number that `node` stands for; None where that depends on more."""
        if depth > _MAX_DEPTH:
            return None
        match node:
            case ast.Constant(value=number):
                return _whole(number)
            case ast.Call(func=ast.Name(id="int"), args=[argument], keywords=[]):
                return self.value(argument, depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                return _combined(op, self.value(left, depth + 1), self.value(right, depth + 1))
            case ast.Name() | ast.Attribute():
                value = self._only_value(node)
                return self.value(value, depth + 1) if value else None
        return None

    def _only_value(self, node: ast.Name | ast.Attribute) -> ast.expr | None:
        """What a variable, or a field that only one class has, is bound to, if it is one thing."""
        if isinstance(node, ast.Name):
            owner, name = self._names.scope_of[node].owner(node.id), node.id
        else:
            name = node.attr
            scopes = self._fields.get(name, [])
            owner = scopes[0] if len(scopes) == 1 else None
        values = owner.bindings[name] if owner else []
        return values[0] if len(values) == 1 and isinstance(values[0], ast.expr) else None


def find_val_tokens(names: Names) -> tuple[TokenCount, ...]:
    """Return where the number of validation tokens is set, in source order.

    Those are assignments, fields, keyword arguments, defaults of parameters, keys of dictionaries
    and options of argparse called `val_tokens`. One that passes on another (`args.val_tokens`) is
    left out. Every other way to set it (a target of a loop or a tuple, `setattr`, a property of
    that name) gives None, and so do more than `_MAX_PLACES` places.
    """
    calculator = Calculator(names)
    places = _places(names)
    if len(places) > _MAX_PLACES:
        return (TokenCount(None, _line(places[0], names)),)
    found: list[TokenCount] = []
    for place in places:
        for value in _values(place, names):
            if value is None:
                found.append(TokenCount(None, _line(place, names)))
            elif not _passes_on(value):
                found.append(TokenCount(calculator.value(value), value.lineno))
    return tuple(sorted(found, key=lambda count: count.line))


def _places(names: Names) -> list[ast.AST]:
    places = [node for name, nodes in names.places.items() if _is_called(name) for node in nodes]
    return places + [node for node in names.strings if _is_called(node.value)]


def _values(place: ast.AST, names: Names) -> Iterator[ast.expr | None]:
    """Yield what a place sets the number to; None for what cannot be known."""
    match place:
        case _ if place in names.given:
            if (value := names.given[place]) is not None:
                yield value
        case ast.Name() | ast.Attribute():
            # Of a loop, `with`, a tuple, `del`, or one to which something is added.
            if not isinstance(place.ctx, ast.Load):
                yield None
        case ast.arg():
            pass
        case ast.Constant():
            yield from _named(place, names)
        case _:
            yield None


def _named(node: ast.Constant, names: Names) -> Iterator[ast.expr | None]:
    """Yield what is set where the name is a string."""
    parent = names.parent_of.get(node)
    match parent:
        case ast.Subscript(slice=key) if key is node and not isinstance(parent.ctx, ast.Load):
            yield names.given.get(parent)
        case ast.Call(func=function):
            called = getattr(function, "attr", getattr(function, "id", ""))
            if called == "add_argument":
                yield from (word.value for word in parent.keywords if word.arg == "default")
            elif called not in _READERS:
                yield None


def _line(node: ast.AST, names: Names) -> int:
    while not hasattr(node, "lineno"):
        node = names.parent_of[node]
    return int(node.lineno)


def _is_called(name: object) -> bool:
    return isinstance(name, str) and name.lstrip("-").replace("-", "_").lower() in _NAMES


def _passes_on(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _is_called(name)
    return False


def _class_fields(names: Names) -> dict[str, list[Scope]]:
    """The scopes of the classes that have a field of a name."""
    fields: dict[str, list[Scope]] = {}
    for scope in names.scopes:
        if scope.kind == "class":
            for name in scope.bindings:
                fields.setdefault(name, []).append(scope)
    return fields


def _combined(op: ast.operator, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if isinstance(op, ast.Div):
        return left // right if right and left % right == 0 else None
    if isinstance(op, ast.Pow | ast.LShift):
        if not 0 <= right < _MAX_EXPONENT:
            return None
        return _bounded(left**right if isinstance(op, ast.Pow) else left << right)
    combine = _OPERATORS.get(type(op))
    is_division = isinstance(op, ast.FloorDiv | ast.Mod)
    if combine is None or (is_division and right == 0):
        return None
    return _bounded(combine(left, right))


def _bounded(number: int) -> int | None:
    return number if abs(number) < _MAX_NUMBER else None


def _whole(constant: object) -> int | None:
    if isinstance(constant, bool) or not isinstance(constant, int | float):
        return None
    is_whole = abs(constant) < _MAX_NUMBER and int(constant) == constant
    return int(constant) if is_whole else None
