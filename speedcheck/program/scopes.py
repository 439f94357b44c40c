"""Which name of a program is which: the scopes of a syntax tree and what is bound in them.

Flow is not followed: a name may be any of the things that are bound to it in its scope.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
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
    | {ast.NamedExpr}
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENING = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS}
)
# A program has ten thousand nodes or more, so that each costs as little as can be. Operators and
# the like hold nothing and have no use for a scope.
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in {"ctx", "op", "ops"})
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
# Of a definition; what stands in its other fields (decorators, bases, defaults) is evaluated
# outside.
_INNER = ("type_params", "body")
_NAMES = (ast.Name, ast.Attribute)

Value = ast.expr | str | None
"""What is bound to a name: an expression, the dotted path of an import, or None: anything else."""


ScopeKind = Literal["module", "class", "function", "comprehension"]


@dataclass(slots=True, eq=False)
class Scope:
    """The names of one module, class, function or comprehension.

    Attributes:
        index: position among the program's scopes; the module's is 0.
        kind: what it belongs to.
        parent: the scope around it; None for the module.
        bindings: everything that is bound to each of its names.
        elsewhere: names declared global or nonlocal, with the scope from which they are looked up.
    """

    index: int
    kind: ScopeKind
    parent: Scope | None
    bindings: dict[str, list[Value]] = field(default_factory=dict)
    elsewhere: dict[str, Scope] = field(default_factory=dict)

    def bind(self, name: str, value: Value) -> None:
        """Note that `value` is bound to `name` here."""
        holder = self.elsewhere.get(name)
        owner = self if holder is None else holder.owner(name) or holder
        owner.bindings.setdefault(name, []).append(value)

    def owner(self, name: str) -> Scope | None:
        """Return the scope in which `name`, used here, is bound; None for a builtin."""
        if name in self.elsewhere:
            return self.elsewhere[name].owner(name)
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
        scopes: all scopes, the module's first.
        attributes: names that the program itself gives to attributes, class members and
            parameters.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.scope_of = scope_of = dict[ast.AST, Scope]()
        self.attributes: set[str] = set()
        self.scopes: list[Scope] = []
        self._bound: set[ast.AST] = set()
        scope = self._scope("module", None)
        # A scope on the stack is that of all that lies below it.
        stack: list[ast.AST | Scope] = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, Scope):
                scope = node
                continue
            scope_of[node] = scope
            kind = type(node)
            if isinstance(node, _NAMES):
                # Half of all nodes, and most of them are only looked up.
                if not isinstance(node.ctx, ast.Load):
                    self._bind(node, scope)
                if isinstance(node, ast.Attribute):
                    stack.append(node.value)
                continue
            if kind in _BINDING:
                self._bind(node, scope)
            if kind in _OPENING:
                stack += reversed(self._enter(node, scope))
            elif kind is not ast.Constant:
                stack += reversed(_inside(node))

    def of_kinds(self, kinds: Container[type[ast.AST]]) -> Iterator[ast.AST]:
        """Yield the nodes of some kinds in the order of the source."""
        return (node for node in self.scope_of if type(node) in kinds)

    def _scope(self, kind: ScopeKind, parent: Scope | None) -> Scope:
        self.scopes.append(Scope(len(self.scopes), kind, parent))
        return self.scopes[-1]

    def _enter(self, node: ast.AST, scope: Scope) -> list[ast.AST | Scope]:
        """Open a scope of its own for `node`, and return its children among their scopes."""
        if isinstance(node, _COMPREHENSIONS):
            return [self._scope("comprehension", scope), *_inside(node), scope]
        inner = self._scope("class" if isinstance(node, ast.ClassDef) else "function", scope)
        inside = [child for name in _INNER for child in children(node, name)]
        outside = [
            child
            for name in _FIELDS[type(node)]
            if name not in _INNER
            for child in children(node, name)
        ]
        if isinstance(node, _Function):
            outside.remove(node.args)
            self.scope_of[node.args] = scope
            arguments = _inside(node.args)
            inside = [*self._parameters(arguments, inner), *inside]
            outside += [child for child in arguments if not isinstance(child, ast.arg)]
        return [*outside, inner, *inside, scope]

    def _parameters(self, arguments: list[ast.AST], inner: Scope) -> list[ast.arg]:
        parameters = [child for child in arguments if isinstance(child, ast.arg)]
        for parameter in parameters:
            inner.bind(parameter.arg, None)
            self.attributes.add(parameter.arg)
        return parameters

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


def _inside(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        value = getattr(node, name)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def children(node: ast.AST, name: str) -> list[ast.AST]:
    """Return the nodes in one field, in their order."""
    value = getattr(node, name, None)
    if isinstance(value, list):
        return [item for item in value if isinstance(item, ast.AST)]
    return [value] if isinstance(value, ast.AST) else []
