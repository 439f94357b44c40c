"""Which name of a program is which: the scopes of a syntax tree and what each name is bound to.

Control flow is not followed: a name may be any of the things that are bound to it in its scope.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
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
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENING = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS}
)
_GIVING = frozenset({ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.keyword, ast.Dict})
_BINDING = frozenset({ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, *_NAMED})
_SPECIAL = _BINDING | _GIVING | _OPENING
# A program has ten thousand nodes or more: only fields that may hold nodes are looked at.
_NO_NODES = frozenset({
    "arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level",
    "module", "op", "ops", "rest", "simple", "tag", "type_comment", "type_ignores",
})  # fmt: skip
# Their lists hold names, or places that are empty.
_WITH_OTHERS = frozenset({ast.Dict, ast.arguments, ast.Global, ast.Nonlocal})
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _NO_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}

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
        tree: the syntax tree.
        scopes: all scopes, the module's first.
        scope_of: the scope of each node that is, binds or declares a name.
        parent_of: the node around each node.
        given: what is given to each target of an assignment, keyword, parameter with a default,
            and constant that is the key of a dictionary; None for an annotation without a value.
        places: the nodes of each identifier, in source order: names, attributes, keywords,
            parameters, definitions and imports.
        imports: the names that imports bind.
        strings: the string constants, in source order.
        attributes: names that the program itself gives to attributes, class members and
            parameters.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.scopes: list[Scope] = []
        self.scope_of = dict[ast.AST, Scope]()
        self.parent_of = dict[ast.AST, ast.AST]()
        self.given = dict[ast.AST, ast.expr | None]()
        self.places = defaultdict[str, list[ast.AST]](list)
        self.imports: list[ast.alias] = []
        self.strings: list[ast.Constant] = []
        self.attributes: set[str] = set()
        self._walk(tree)

    def _walk(self, tree: ast.Module) -> None:
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
                if not isinstance(node.ctx, ast.Load) and node not in self.given:
                    self._bind(node.id, None, scope)
            elif isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    self.strings.append(node)
            elif isinstance(node, Scope):
                scope = node
            else:
                inside = _inside(node)
                for child in inside:
                    parent_of[child] = node
                children = (
                    inside if type(node) not in _SPECIAL else self._enter(node, inside, scope)
                )
                stack += reversed(children)

    def _enter(
        self, node: ast.AST, inside: list[ast.AST], scope: Scope
    ) -> Sequence[ast.AST | Scope]:
        """Note what `node` binds and gives; return its children with their scopes."""
        kind = type(node)
        if kind in _BINDING:
            self.scope_of[node] = scope
            self._declare(node, scope)
        elif kind in _GIVING:
            self._give(node, scope)
        return self._open(node, inside, scope) if kind in _OPENING else inside

    def _declare(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.Global() | ast.Nonlocal():
                holder = scope.module if isinstance(node, ast.Global) else scope.parent or scope
                if holder is not scope:
                    scope.elsewhere |= dict.fromkeys(node.names, holder)
            case _ if name := getattr(node, _NAMED[type(node)], None):
                self.places[name].append(node)
                self._bind(name, None, scope)

    def _give(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.keyword):
            self.given[node] = node.value
            if node.arg:
                self.places[node.arg].append(node)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            self.given.update((k, v) for k, v in pairs if isinstance(k, ast.Constant))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            self.scope_of[node] = scope
            if isinstance(node, ast.NamedExpr):
                while scope.kind == "comprehension" and scope.parent is not None:
                    scope = scope.parent
            # A bare annotation binds nothing, but says that something will be.
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self._assign(targets, node.value, scope)

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr | None, scope: Scope) -> None:
        for target in targets:
            self.given[target] = value
            if isinstance(target, ast.Name):
                self._bind(target.id, value, scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            name, path = alias.asname or alias.name, imported_path(node, alias)
            if isinstance(node, ast.Import) and not alias.asname:
                name = path = alias.name.split(".", 1)[0]
            self.scope_of[alias] = scope
            self.places[name].append(alias)
            self.imports.append(alias)
            self._bind(name, path, scope)

    def _scope(self, kind: ScopeKind, parent: Scope | None) -> Scope:
        self.scopes.append(Scope(len(self.scopes), kind, parent))
        return self.scopes[-1]

    def _open(self, node: ast.AST, inside: list[ast.AST], scope: Scope) -> list[ast.AST | Scope]:
        """Open a scope of its own for `node`, and return its children among their scopes.

        Of a definition the body is within; decorators, bases and defaults are outside.
        """
        if isinstance(node, _COMPREHENSIONS):
            return [self._scope("comprehension", scope), *inside, scope]
        inner = self._scope("class" if isinstance(node, ast.ClassDef) else "function", scope)
        body = getattr(node, "body", ())
        inner_nodes = {
            *(body if isinstance(body, list) else [body]),
            *getattr(node, "type_params", ()),
        }
        own = [child for child in inside if child in inner_nodes]
        others = [child for child in inside if child not in inner_nodes]
        if isinstance(node, _Function):
            others.remove(node.args)
            arguments = _inside(node.args)
            self.parent_of.update(dict.fromkeys(arguments, node.args))
            parameters = [child for child in arguments if isinstance(child, ast.arg)]
            self._parameters(node.args, parameters, inner)
            own = [*parameters, *own]
            others += [child for child in arguments if not isinstance(child, ast.arg)]
        return [*others, inner, *own, scope]

    def _parameters(
        self, arguments: ast.arguments, parameters: Sequence[ast.arg], inner: Scope
    ) -> None:
        for parameter in parameters:
            self.scope_of[parameter] = inner
            self.places[parameter.arg].append(parameter)
            self.attributes.add(parameter.arg)
            inner.bind(parameter.arg, None)
        # Defaults belong to the last parameters.
        positional = reversed([*arguments.posonlyargs, *arguments.args])
        self.given.update(zip(positional, reversed(arguments.defaults), strict=False))
        keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        self.given.update((name, default) for name, default in keywords if default)

    def _bind(self, name: str, value: Value, scope: Scope) -> None:
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
    for name in _FIELDS[type(node)]:
        field = getattr(node, name, None)
        if type(field) is list:
            found += field
        elif isinstance(field, ast.AST):
            found.append(field)
    if type(node) in _WITH_OTHERS:
        return [item for item in found if isinstance(item, ast.AST)]
    return found
