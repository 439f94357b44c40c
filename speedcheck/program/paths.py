"""What a dotted expression may refer to.

After `import torch._inductor.config as config`, `config.x` is `torch._inductor.config.x`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from speedcheck.program.names import Names, Scope, Value

Paths = frozenset[str | None]
"""Every dotted path that an expression may stand for; None among them: or something else."""

UNKNOWN: Paths = frozenset({None})
PARTIAL = "functools.partial"

# Honest programs rename a module once or twice and bind a name to one or two modules. Beyond these
# limits a name may be anything.
_MAX_RENAMINGS = 8
_MAX_PATHS = 8

# What can give a path another name.
_RENAMING = (str, ast.Name, ast.Attribute, ast.NamedExpr, ast.IfExp, ast.BoolOp, ast.Call)


class PathFinder:
    """Finds the paths of expressions and keeps the answer for each name of a scope."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[tuple[Scope, str, int], Paths] = {}

    def of(self, node: ast.AST, renamings: int = 0) -> Paths:
        """Return what `node` may stand for."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        heads = self._of_head(node, renamings)
        if not attributes or heads == UNKNOWN:
            return heads
        rest = "".join(f".{name}" for name in reversed(attributes))
        return frozenset(None if head is None else head + rest for head in heads)

    def of_name(self, name: str, scope: Scope, renamings: int = 0) -> Paths:
        """Return what `name`, used in `scope`, may stand for."""
        key = scope, name, renamings
        if key not in self._known:
            # What a name may stand for besides itself, where it is bound to itself.
            self._known[key] = UNKNOWN
            owner = scope.owner(name)
            if owner is None:
                self._known[key] = frozenset({name})
            elif owner is scope:
                self._known[key] = self._of_values(owner.bindings[name], renamings + 1)
            else:
                self._known[key] = self.of_name(name, owner, renamings)
        return self._known[key]

    def bound_names(self) -> Iterator[tuple[str, Paths]]:
        """Yield the names that the program binds to something with a path, and those paths."""
        for scope in self._names.scopes:
            for name, values in scope.bindings.items():
                # Most names are parameters, or bound to the one result of something.
                if values != [None] and any(isinstance(value, _RENAMING) for value in values):
                    yield name, self.of_name(name, scope)

    def _of_head(self, node: ast.AST, renamings: int) -> Paths:
        match node:
            case ast.Name(id=name):
                return self.of_name(name, self._names.scope_of[node], renamings)
            case _ if renamings > _MAX_RENAMINGS:
                pass
            case ast.NamedExpr(value=value):
                return self.of(value, renamings + 1)
            case ast.IfExp(body=body, orelse=orelse):
                return self._of_values([body, orelse], renamings + 1)
            case ast.BoolOp(values=values):
                return self._of_values(values, renamings + 1)
            case ast.Call(func=function, args=[first, *_]):
                if self.of(function, renamings + 1) == {PARTIAL}:
                    return self.of(first, renamings + 1)
        return UNKNOWN

    def _of_values(self, values: list[Value] | list[ast.expr], renamings: int) -> Paths:
        if renamings > _MAX_RENAMINGS:
            return UNKNOWN
        paths: set[str | None] = set()
        for value in values:
            paths.update(self.of(value, renamings) if isinstance(value, ast.AST) else {value})
            if len(paths) > _MAX_PATHS:
                return UNKNOWN
        return frozenset(paths)
