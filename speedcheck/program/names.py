"""Which name of a program is which: the scopes of a syntax tree and what each name is bound to.

Control flow is not followed: a name may be any of the things that are bound to it in its scope.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

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
_TYPE_PARAMETERS = ("TypeVar", "ParamSpec", "TypeVarTuple")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENING = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS}
)
_BINDING = frozenset(
    {ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Assign, ast.AnnAssign}
    | {ast.NamedExpr, *_NAMED}
)
_SPECIAL = _BINDING | _OPENING | {ast.keyword}
# Fields that hold no nodes, and those of some kinds of node alone.
_NO_NODES = frozenset({
    "arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level",
    "module", "op", "ops", "rest", "simple", "tag", "type_comment", "type_ignores",
})  # fmt: skip
_NO_NODES_OF: dict[str, AbstractSet[object]] = {
    "name": _NAMED.keys() | {getattr(ast, kind, None) for kind in _TYPE_PARAMETERS} | {ast.alias},
    "names": {ast.Global, ast.Nonlocal},
    "value": {ast.Constant, ast.MatchSingleton},
}
# Lists in which a place may be empty.
_WITH_GAPS = frozenset({ast.Dict, ast.arguments})


def _getter(kind: type[ast.AST]) -> Callable[[ast.AST], Sequence[Any]]:
    """Return what gives the fields of a kind of node that hold nodes."""
    names = [
        name
        for name in kind._fields
        if name not in _NO_NODES and kind not in _NO_NODES_OF.get(name, ())
    ]
    # A program has ten thousand nodes or more: the fields of each are taken in one call.
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda node: (getattr(node, name),)
    return attrgetter(*names)


_FIELDS = {
    kind: _getter(kind)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
# The fields of a definition that have its own scope; the others (decorators, bases, defaults) are
# evaluated outside.
_INNER = ("type_params", "body")

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
    """The scopes of a syntax tree, and where each identifier is in it.

    Attributes:
        scopes: all scopes, the module's first.
        scope_of: the scope of each node that is, binds or declares a name.
        parent_of: the node around each node.
        places: the nodes of each identifier, in source order: names, attributes, keywords,
            parameters, definitions and imports.
        imports: the names that imports bind.
        strings: the string constants, in source order.
        attributes: names that the program itself gives to attributes, class members and
            parameters.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.scopes: list[Scope] = []
        self.scope_of = dict[ast.AST, Scope]()
        self.parent_of = dict[ast.AST, ast.AST]()
        self.places = defaultdict[str, list[ast.AST]](list)
        self.imports: list[ast.alias] = []
        self.strings: list[ast.Constant] = []
        self.attributes: set[str] = set()
        self._bound = set[ast.AST]()
        self._walk(tree)

    def _walk(self, tree: ast.Module) -> None:  # noqa: C901
        # In one loop, written out for what most nodes are: a program has ten thousand.
        scope_of, parent_of, places = self.scope_of, self.parent_of, self.places
        scope = self._scope("module", None)
        # A scope on the stack is that of everything below it.
        stack: list[ast.AST | Scope] = [tree]
        pop = stack.pop
        while stack:
            node = pop()
            while isinstance(node, ast.Attribute):
                places[node.attr].append(node)
                if isinstance(node.ctx, ast.Store):
                    self.attributes.add(node.attr)
                parent_of[node.value] = node
                node = node.value
            if isinstance(node, ast.Name):
                scope_of[node] = scope
                places[node.id].append(node)
                if not isinstance(node.ctx, ast.Load):
                    self._bind_target(node, scope)
            elif isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    self.strings.append(node)
            elif isinstance(node, Scope):
                scope = node
            else:
                inside = _inside(node)
                for child in inside:
                    parent_of[child] = node
                if type(node) in _SPECIAL:
                    stack += self._enter(node, inside, scope)
                else:
                    inside.reverse()
                    stack += inside

    def _enter(
        self, node: ast.AST, inside: list[ast.AST], scope: Scope
    ) -> Sequence[ast.AST | Scope]:
        """Note what `node` binds; return its children, the last first, with their scopes."""
        kind = type(node)
        if kind in _BINDING:
            self.scope_of[node] = scope
            self._bind(node, scope)
        elif isinstance(node, ast.keyword) and node.arg:
            self.places[node.arg].append(node)
        children = self._open(node, inside, scope) if kind in _OPENING else inside
        return children[::-1]

    def _scope(self, kind: ScopeKind, parent: Scope | None) -> Scope:
        self.scopes.append(Scope(len(self.scopes), kind, parent))
        return self.scopes[-1]

    def _open(self, node: ast.AST, inside: list[ast.AST], scope: Scope) -> list[ast.AST | Scope]:
        """Open a scope of its own for `node`, and return its children among their scopes."""
        if isinstance(node, _COMPREHENSIONS):
            return [self._scope("comprehension", scope), *inside, scope]
        inner = self._scope("class" if isinstance(node, ast.ClassDef) else "function", scope)
        own = [child for name in _INNER for child in _children(node, name)]
        inner_nodes = set(own)
        others = [child for child in inside if child not in inner_nodes]
        if isinstance(node, _Function):
            others.remove(node.args)
            arguments = _inside(node.args)
            self.parent_of.update(dict.fromkeys(arguments, node.args))
            parameters = [child for child in arguments if isinstance(child, ast.arg)]
            for parameter in parameters:
                self._bind_parameter(parameter, inner)
            own = [*parameters, *own]
            others += [child for child in arguments if not isinstance(child, ast.arg)]
        return [*others, inner, *own, scope]

    def _bind_parameter(self, parameter: ast.arg, inner: Scope) -> None:
        self.scope_of[parameter] = inner
        self.places[parameter.arg].append(parameter)
        self.attributes.add(parameter.arg)
        inner.bind(parameter.arg, None)

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
            case _ if given := getattr(node, _NAMED[type(node)], None):
                self.places[given].append(node)
                self._bind_name(given, None, scope)

    def _bind_target(self, node: ast.Name, scope: Scope) -> None:
        if node not in self._bound:
            self._bind_name(node.id, None, scope)

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
            name, path = alias.asname or alias.name, imported_path(node, alias)
            if isinstance(node, ast.Import) and not alias.asname:
                name = path = alias.name.split(".", 1)[0]
            self.scope_of[alias] = scope
            self.places[name].append(alias)
            self.imports.append(alias)
            self._bind_name(name, path, scope)

    def _bind_name(self, name: str, value: Value, scope: Scope) -> None:
        scope.bind(name, value)
        if scope.kind == "class":
            self.attributes.add(name)


def imported_path(node: ast.AST, alias: ast.alias) -> str | None:
    """Return the dotted path of what an import names; None for a relative import."""
    if not isinstance(node, ast.ImportFrom):
        return alias.name
    return f"{node.module}.{alias.name}" if node.module and not node.level else None


def _inside(node: ast.AST) -> list[ast.AST]:
    """Return the nodes in all fields, in their order."""
    found: list[Any] = []
    for value in _FIELDS[type(node)](node):
        if type(value) is list:
            found += value
        elif value is not None:
            found.append(value)
    return [item for item in found if item is not None] if type(node) in _WITH_GAPS else found


def _children(node: ast.AST, name: str) -> list[ast.AST]:
    """Return the nodes in one field, in their order."""
    value = getattr(node, name, None)
    if isinstance(value, list):
        return [item for item in value if isinstance(item, ast.AST)]
    return [value] if isinstance(value, ast.AST) else []
