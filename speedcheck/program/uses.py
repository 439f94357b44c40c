"""Every place at which a program uses what can set up the compiler, by whatever name.

A rule then says of each place what it does there. A place that no rule understands is reported as
unknown: what a value does where it cannot be followed is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from speedcheck.program.names import Names, imported_path
from speedcheck.program.parse import Syntax
from speedcheck.program.paths import PARTIAL, PathFinder

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


class Uses:
    """Finds the uses in a program.

    Attributes:
        names: the scopes of its names.
        paths: what its names may refer to.
    """

    def __init__(self, syntax: Syntax) -> None:
        self.names: Names = syntax.names
        self.paths = PathFinder(syntax.names)

    @cached_property
    def all(self) -> list[Use]:
        """Every use, in source order."""
        found = {(use.node, use.path): use for use in self._all()}
        return sorted(found.values(), key=lambda use: (use.line, use.node.col_offset))

    def hidden_imports(self) -> Iterator[tuple[str, int]]:
        """Yield imports that bind what is watched where it cannot be followed, and their lines."""
        for alias in self.names.imports:
            if path := self._hidden(alias):
                yield path, alias.lineno

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
