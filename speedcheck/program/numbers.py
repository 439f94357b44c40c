"""Numbers that a program computes from constants, computed without running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator

from speedcheck.program.excerpt import Words
from speedcheck.program.model import TokenCount
from speedcheck.program.part import Part
from speedcheck.program.scopes import Names, Scope

# Sums and products of a few names are written a few levels deep.
_MAX_DEPTH = 20
_MAX_EXPONENT = 64
_MAX_NUMBER = 1 << 63
_MAX_COUNTS = 100

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_NAMES = frozenset({"val_tokens", "num_val_tokens", "val_num_tokens"})
VAL_TOKEN_WORDS = Words(parts=_NAMES)
"""Without one of these no number of validation tokens is set."""

_KINDS = frozenset(
    {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.keyword, ast.arguments, ast.Dict}
    | {ast.Call}
)


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


def find_val_tokens(part: Part) -> tuple[TokenCount, ...]:
    """Return where the number of validation tokens is set, the first `_MAX_COUNTS` places.

    Those are assignments, fields, keyword arguments, defaults of parameters, keys of dictionaries
    and options of argparse called `val_tokens`. One that hands on another (`args.val_tokens`) is
    left out.
    """
    calculator = Calculator(part.names)
    found: list[TokenCount] = []
    for node in part.of_kinds(_KINDS):
        if isinstance(node, ast.AugAssign) and _is_val_tokens(node.target):
            # What is added to a number is not that number.
            found.append(TokenCount(None, node.lineno))
        values = [value for value in _settings(node) if not _hands_on(value)]
        found += [TokenCount(calculator.value(value), value.lineno) for value in values]
        if len(found) >= _MAX_COUNTS:
            break
    return tuple(found[:_MAX_COUNTS])


def _settings(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(args=[ast.Constant(value=name), *_]) if _is_called(name):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "default")
        case ast.Assign(targets=targets, value=value):
            yield from (value for target in targets if _is_val_tokens(target))
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_val_tokens(target):
            yield value
        case ast.NamedExpr(target=target, value=value) if _is_val_tokens(target):
            yield value
        case ast.keyword(arg=str(name), value=value) if _is_called(name):
            yield value
        case ast.arguments():
            yield from _defaults(node)
        case ast.Dict():
            yield from _items(node)


def _items(node: ast.Dict) -> Iterator[ast.expr]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and _is_called(key.value):
            yield value


def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    yield from (default for argument, default in pairs if default and _is_called(argument.arg))


def _is_val_tokens(target: ast.expr) -> bool:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _is_called(name)
    return False


def _is_called(name: object) -> bool:
    return isinstance(name, str) and name.lstrip("-").replace("-", "_").lower() in _NAMES


def _hands_on(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]
    return _is_val_tokens(value)


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
