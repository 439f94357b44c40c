"""Which name of a program is which: the scopes of a syntax tree and what is bound in them.

Flow is not followed: a name may be any of the things that are bound to it in its scope.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
# Further nodes that bind a name, and the field that holds it.
_NAMED: dict[type[ast.AST], str] = {
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}
_BINDING = frozenset(
    {ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Assign, ast.AnnAssign, *_NAMED}
    | {ast.NamedExpr, ast.Name, ast.Attribute}
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)

Value = ast.expr | str | None
"""What is bound to a name: an expression, the dotted path of an import, or None: anything else."""


@dataclass(slots=True, eq=False)
class Scope:
    """The names of one module, class, function or comprehension.

    Attributes:
        index: position among the program's scopes; the module's is 0.
        kind: what it belongs to.
        parent: the scope around it; None for the module.
        bindings: everything that is bound to each of its names.
        elsewhere: names declared global or nonlocal, with the scope that holds them.
    """

    index: int
    kind: Literal["module", "class", "function", "comprehension"]
    parent: Scope | None
    bindings: dict[str, list[Value]] = field(default_factory=dict)
    elsewhere: dict[str, Scope] = field(default_factory=dict)

    def bind(self, name: str, value: Value) -> None:
        """Note that `value` is bound to `name` here."""
        owner = self.elsewhere.get(name, self)
        owner.bindings.setdefault(name, []).append(value)

    def owner(self, name: str) -> Scope | None:
        """Return the scope in which `name`, used here, is bound; None for a builtin."""
        if name in self.elsewhere:
            return self.elsewhere[name]
        scope: Scope | None = self
        while scope is not None:
            # The names of a class are not visible in its methods.
            if name in scope.bindings and (scope is self or scope.kind != "class"):
                return scope
            scope = scope.parent
        return None

    @property
    def module(self) -> Scope:
        """The outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


class Names:
    """The scopes of a syntax tree.

    Attributes:
        scope_of: each node's scope, in the order of the source.
        attributes: names that the program itself gives to attributes, class members and
            parameters.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.scope_of: dict[ast.AST, Scope] = {}
        self.attributes: set[str] = set()
        self._count = 0
        self._bound: set[ast.AST] = set()
        stack: list[tuple[ast.AST, Scope]] = [(tree, self._scope("module", None))]
        while stack:
            node, scope = stack.pop()
            self.scope_of[node] = scope
            if type(node) in _BINDING:
                self._bind(node, scope)
            if isinstance(node, _OPENING):
                inside = list(self._enter(node, scope))
            else:
                inside = [(child, scope) for name in node._fields for child in children(node, name)]
            # Operators and the like, which hold nothing, have no use for a scope.
            stack.extend(pair for pair in reversed(inside) if pair[0]._fields)

    def _scope(
        self, kind: Literal["module", "class", "function", "comprehension"], parent: Scope | None
    ) -> Scope:
        self._count += 1
        return Scope(self._count - 1, kind, parent)

    def _enter(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        """Open a scope of its own for `node`, and give its children with their scopes."""
        if isinstance(node, _Function):
            inner = self._scope("function", scope)
            self._bind_parameters(node.args, inner)
        elif isinstance(node, ast.ClassDef):
            inner = self._scope("class", scope)
        else:
            inner = self._scope("comprehension", scope)
        for name in node._fields:
            # What a definition evaluates outside itself: decorators, bases, defaults.
            is_inside = name in {"body", "type_params"} or isinstance(node, _COMPREHENSIONS)
            for child in children(node, name):
                if isinstance(child, ast.arguments):
                    yield from self._parameters(child, scope, inner)
                else:
                    yield child, inner if is_inside else scope

    def _parameters(
        self, arguments: ast.arguments, outer: Scope, inner: Scope
    ) -> Iterator[tuple[ast.AST, Scope]]:
        self.scope_of[arguments] = outer
        for name in arguments._fields:
            for child in children(arguments, name):
                yield child, inner if isinstance(child, ast.arg) else outer

    def _bind_parameters(self, arguments: ast.arguments, inner: Scope) -> None:
        for name in arguments._fields:
            for child in children(arguments, name):
                if isinstance(child, ast.arg):
                    inner.bind(child.arg, None)
                    self.attributes.add(child.arg)

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._bind_imports(node, scope)
            case ast.Global() | ast.Nonlocal():
                holder = scope.module if isinstance(node, ast.Global) else scope.parent or scope
                if holder is not scope:
                    scope.elsewhere |= dict.fromkeys(node.names, holder)
            case ast.Assign() | ast.AnnAssign() | ast.NamedExpr():
                self._bind_values(node, scope)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if node not in self._bound:
                self._bind_name(name, None, scope)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                self.attributes.add(name)
            case _ if given := getattr(node, _NAMED.get(type(node), ""), None):
                self._bind_name(given, None, scope)

    def _bind_values(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr, scope: Scope) -> None:
        if isinstance(node, ast.NamedExpr):
            while scope.kind == "comprehension" and scope.parent is not None:
                scope = scope.parent
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                self._bound.add(target)
                # A bare annotation binds nothing, but says that something will be.
                self._bind_name(target.id, node.value, scope)

    def _bind_imports(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                first = alias.name.split(".", 1)[0]
                name, path = alias.asname or first, alias.name if alias.asname else first
                self._bind_name(name, path, scope)
            else:
                member = f"{node.module}.{alias.name}" if node.module and not node.level else None
                self._bind_name(alias.asname or alias.name, member, scope)

    def _bind_name(self, name: str, value: Value, scope: Scope) -> None:
        scope.bind(name, value)
        if scope.kind == "class":
            self.attributes.add(name)


def children(node: ast.AST, name: str) -> list[ast.AST]:
    """Return the nodes in one field, in their order."""
    value = getattr(node, name, None)
    if isinstance(value, list):
        return [item for item in value if isinstance(item, ast.AST)]
    return [value] if isinstance(value, ast.AST) else []
