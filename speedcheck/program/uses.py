"""Every place at which a program uses what can set up the compiler, by whatever name.

After `import torch._inductor.config as config`, `config.x` is `torch._inductor.config.x`. A rule
then says of each place what it does there. A place that no rule understands is reported as
unknown: what a value does where it cannot be followed is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from speedcheck.program.names import Names, Scope, Value, imported_path
from speedcheck.program.syntax import MAX_SHOWN, Setting, shortened

COMPILE = frozenset({"torch.compile", "torch.compiler.compile"})
TEXT_RUNNERS = frozenset({"exec", "eval", "compile"})
IMPORTERS = frozenset({
    "__import__", "importlib.__import__", "importlib.import_module", "importlib.reload",
    "pkgutil.resolve_name", "runpy.run_module", "runpy.run_path",
})  # fmt: skip
NAMESPACES = frozenset({"globals", "locals", "vars"})

MODULES = frozenset({
    "torch", "torch._inductor", "torch._dynamo", "torch.compiler", "os", "sys", "builtins",
    "importlib", "__builtins__",
})  # fmt: skip
_EXACT = COMPILE | TEXT_RUNNERS | IMPORTERS | NAMESPACES | MODULES
_BELOW = (
    "torch._inductor.", "torch._dynamo.", "torch.compile.", "torch.compiler.compile.",
    "os.environ", "os.putenv", "os.getenv", "os.unsetenv", "posix.", "os.exec", "os.spawn",
    "os.posix_spawn", "subprocess.", "sys.modules", "__builtins__.",
)  # fmt: skip
_ROOTS = tuple(f"{module}." for module in ("torch", "os", "sys", "importlib"))
_LEADING = frozenset({"subprocess", "posix", "pkgutil", "runpy"})
# What modules say about themselves.
_HARMLESS_DUNDERS = frozenset({
    "__version__", "__file__", "__name__", "__doc__", "__path__", "__package__", "__config__",
})  # fmt: skip
# Ways to the names of a module that need none of the names above.
_BACK_DOORS = ("__globals__", "__builtins__", "f_globals", "f_builtins", "__subclasses__")
_PRIVATE = ("_inductor", "_dynamo")
_PRIVATE_MODULES = ("torch._inductor.", "torch._dynamo.")

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


@dataclass(frozen=True, slots=True)
class Use:
    """A place at which something that can set up the compiler is used.

    Attributes:
        path: what it is, such as "torch._inductor.config.max_autotune".
        node: the whole expression that stands for it.
        is_sure: False where the expression may be something else.
        partials: the calls of `functools.partial` around it that the expression includes.
    """

    path: str
    node: ast.expr
    is_sure: bool
    partials: tuple[ast.Call, ...] = ()

    @property
    def line(self) -> int:
        """Number of its line in the program."""
        return self.node.lineno

    def unclear(self, name: str = "", value: str = "") -> Setting:
        """Return the setting that may be made here, by the path unless a name is given."""
        return Setting(name or self.path, value, self.line, certain=False)

    def unclear_call(self) -> Setting:
        """Return the setting that a call may make."""
        return self.unclear(f"{self.path}(...)")


class Uses:
    """Finds the uses in a program.

    Attributes:
        names: the scopes of its names.
        paths: what its names may refer to.
    """

    def __init__(self, names: Names, text: str) -> None:
        self.names = names
        self.paths = PathFinder(names)
        self._lines = text.split("\n")

    @cached_property
    def all(self) -> list[Use]:
        """Every use, in source order."""
        found = {(use.node, use.path): use for use in self._all()}
        return sorted(found.values(), key=lambda use: (use.line, use.node.col_offset))

    def shown(self, node: ast.expr | None) -> str:
        """Return the text of `node`, short; its first line where it has several."""
        if node is None or getattr(node, "end_lineno", None) is None:
            return ""
        # Columns count bytes of UTF-8, and the rest of a long line is not needed.
        line = self._lines[node.lineno - 1].encode("utf-8", "replace")
        is_one_line = node.lineno == node.end_lineno
        piece = line[node.col_offset : node.end_col_offset if is_one_line else None]
        text = piece[: 4 * MAX_SHOWN].decode("utf-8", "replace")
        return shortened(text if is_one_line else text.rstrip() + " ...")

    def hidden_imports(self) -> Iterator[tuple[str, int]]:
        """Yield imports that bind what is watched where it cannot be followed, and their lines."""
        found = ((self._hidden(alias), alias.lineno) for alias in self.names.imports)
        yield from (place for place in found if place[0])

    def is_alias(self, use: Use) -> bool:
        """Return whether the place only gives the thing another name, which is followed."""
        parent = self.names.parent_of.get(use.node)
        match parent:
            case ast.Assign(targets=targets, value=value) if value is use.node:
                pass
            case ast.AnnAssign(target=target, value=value) if value is use.node:
                targets = [target]
            case _:
                return False
        return all(isinstance(target, ast.Name) and self._follows(target, use.path)
                   for target in targets)  # fmt: skip

    def _follows(self, target: ast.Name, path: str) -> bool:
        # A class's names are reached by attributes, which are not followed.
        scope = self.names.scope_of[target]
        return scope.kind != "class" and path in self.paths.of(target)

    def _hidden(self, alias: ast.alias) -> str:
        parent, scope = self.names.parent_of[alias], self.names.scope_of[alias]
        name, path = alias.asname or alias.name, imported_path(parent, alias)
        if isinstance(parent, ast.Import) and not alias.asname:
            name = path = alias.name.split(".", 1)[0]
        if path is None:
            return ""
        if alias.name == "*":
            return path if _leads(path.removesuffix(".*")) else ""
        is_followed = scope.kind != "class" and path in self.paths.of_name(name, scope)
        return "" if is_followed or not _leads(path) else path

    def _all(self) -> Iterator[Use]:
        names = set(_EXACT)
        for name, paths in self.paths.bound_names():
            if any(path and _leads(path) for path in paths):
                names.add(name)
        for name in names:
            for node in self.names.places.get(name, ()):
                if isinstance(node, ast.Name) and self._is_used(node):
                    heads = self.paths.of(node)
                    for head in heads - {None}:
                        yield from self._climb(node, head or "", is_sure=len(heads) == 1)
        for name in (*_PRIVATE, *_BACK_DOORS):
            yield from self._unrooted(name)

    def _is_used(self, node: ast.Name) -> bool:
        is_augmented = isinstance(self.names.parent_of.get(node), ast.AugAssign)
        return isinstance(node.ctx, ast.Load) or is_augmented

    def _unrooted(self, name: str) -> Iterator[Use]:
        """Uses that hang on something unknown: `torch_of(x)._inductor`, `f.__globals__`."""
        if name in _PRIVATE and name in self.names.attributes:
            # An attribute of the program's own: what it is given is a use by itself.
            return
        for node in self.names.places.get(name, ()):
            if not isinstance(node, ast.Attribute):
                continue
            if name in _BACK_DOORS:
                yield Use(name, node, is_sure=False)
            elif "torch" not in self.paths.of(node.value):
                yield from self._climb(node, f"torch.{name}", is_sure=False)

    def _climb(self, node: ast.expr, path: str, *, is_sure: bool) -> Iterator[Use]:
        """Follow an expression outwards as long as it stands for a path."""
        top = node
        partials: list[ast.Call] = []
        while True:
            parent = self.names.parent_of.get(top)
            match parent:
                case ast.Attribute(attr=name):
                    path = f"{path}.{name}"
                case ast.NamedExpr(value=value, target=target) if value is top:
                    if not self._follows(target, path):
                        break
                case ast.IfExp(test=test) if test is not top:
                    is_sure = False
                case ast.BoolOp():
                    is_sure = False
                case ast.Call(func=func, args=[first, *_]) if first is top and self.paths.of(
                    func
                ) == {PARTIAL}:
                    partials.append(parent)
                case _:
                    break
            top = parent
        path = path.removeprefix("builtins.")
        if is_watched(path):
            yield Use(path, top, is_sure, tuple(partials))


def is_watched(path: str) -> bool:
    """Return whether the compiler can be set up through what `path` names."""
    if path in _EXACT or path.startswith(_BELOW):
        return True
    if not path.startswith(_ROOTS):
        return False
    second = path.split(".", 2)[1]
    return second.startswith("__") and second not in _HARMLESS_DUNDERS


def is_configuration(path: str) -> bool:
    """Return whether `path` is a module of configuration or below one.

    Other modules hold these too: `torch._inductor.compile_fx.config` is `torch._inductor.config`.
    """
    return path.startswith(_PRIVATE_MODULES) and "config" in path.split(".")


def _leads(path: str) -> bool:
    """Return whether what is watched can be reached by attributes of `path`."""
    return path in _LEADING or is_watched(path)
