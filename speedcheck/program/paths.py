"""What a dotted expression may refer to.

After `import torch._inductor.config as config`, `config.x` is `torch._inductor.config.x`.
"""

from __future__ import annotations

import ast

from speedcheck.program.scopes import Names, Scope, Value

Paths = frozenset[str | None]
"""Every dotted path that an expression may stand for; None among them: or something else."""

UNKNOWN: Paths = frozenset({None})

# What gives a path another name: an import, or another name.
_RENAMING = (str, ast.Name, ast.Attribute)

# An honest program renames a module once or twice and binds a name to one or two modules. Beyond
# these a name is anything.
_MAX_RENAMINGS = 8
_MAX_PATHS = 8


class PathFinder:
    """Finds the paths of expressions; the answer for a name of a scope is kept."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[tuple[Scope, str, int], Paths] = {}

    def of(self, node: ast.AST, renamings: int = 0) -> Paths:
        """Return what `node` may stand for."""
        if isinstance(node, ast.Name):
            return self._of_name(node.id, self._names.scope_of[node], renamings)
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return UNKNOWN
        heads = self._of_name(node.id, self._names.scope_of[node], renamings)
        if heads == UNKNOWN:
            return UNKNOWN
        rest = "".join(f".{name}" for name in reversed(attributes))
        return frozenset(None if head is None else head + rest for head in heads)

    def named(self) -> dict[str, set[str]]:
        """Return for each path the names that the program binds and that may stand for it."""
        found: dict[str, set[str]] = {}
        for scope in self._names.scopes:
            for name, values in scope.bindings.items():
                if any(isinstance(value, _RENAMING) for value in values):
                    for path in self._of_name(name, scope, 0) - UNKNOWN:
                        found.setdefault(path or "", set()).add(name)
        return found

    def _of_name(self, name: str, scope: Scope, renamings: int) -> Paths:
        key = scope, name, renamings
        if key not in self._known:
            # What a name may stand for beside itself, where it is bound to itself.
            self._known[key] = UNKNOWN
            owner = scope.owner(name)
            if owner is None:
                self._known[key] = frozenset({name})
            elif owner is scope:
                self._known[key] = self._of_values(owner.bindings[name], renamings + 1)
            else:
                self._known[key] = self._of_name(name, owner, renamings)
        return self._known[key]

    def _of_values(self, values: list[Value], renamings: int) -> Paths:
        if len(values) > _MAX_PATHS or renamings > _MAX_RENAMINGS:
            return UNKNOWN
        paths: set[str | None] = set()
        for value in values:
            found = self.of(value, renamings) if isinstance(value, ast.AST) else {value}
            paths.update(found)
        return frozenset(paths) if len(paths) <= _MAX_PATHS else UNKNOWN
