"""What of a program's values can be shown and believed: short source text, and literals."""

from __future__ import annotations

import ast

from speedcheck.program.names import Names

MAX_SHOWN = 60
_MAX_DEPTH = 20


class Snippets:
    """Cuts expressions out of a program's text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def of(self, node: ast.expr | None) -> str:
        """Return the text of `node` as it stands; its first line where it has several."""
        if node is None or getattr(node, "end_lineno", None) is None:
            return ""
        # Columns count bytes of UTF-8, and the rest of a long line is not needed.
        line = self._lines[node.lineno - 1].encode("utf-8", "replace")
        is_one_line = node.lineno == node.end_lineno
        piece = line[node.col_offset : node.end_col_offset if is_one_line else None]
        text = piece[: 4 * MAX_SHOWN].decode("utf-8", "replace")
        return shortened(text if is_one_line else text.rstrip() + " ...")


def shortened(text: str) -> str:
    """Return the beginning of `text`."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def is_literal(node: ast.AST | None, names: Names, depth: int = 0) -> bool:
    """Return whether the value of `node` is written in the program.

    That is a constant, a collection or a sum of such, or a name that is bound to one of them.
    """
    if depth > _MAX_DEPTH:
        return False
    items: list[ast.expr] | list[ast.expr | None]
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=ast.Constant()):
            return True
        case ast.BinOp(left=left, right=right):
            items = [left, right]
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            pass
        case ast.Dict(keys=keys, values=values):
            items = [*keys, *values]
        case ast.Name(id=name):
            owner = names.scope_of[node].owner(name)
            values_of = owner.bindings[name] if owner else []
            return len(values_of) == 1 and is_literal(_expression(values_of[0]), names, depth + 1)
        case _:
            return False
    return all(is_literal(item, names, depth + 1) for item in items)


def _expression(value: object) -> ast.AST | None:
    return value if isinstance(value, ast.AST) else None
