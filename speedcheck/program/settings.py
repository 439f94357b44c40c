"""Where a program changes the compiler's configuration.

Read as a change: an assignment or deletion below `torch._inductor.config` or `torch._dynamo.config`
by any name that the program gives them, `setattr` on them, a call of one of their functions such as
`patch`, and an environment variable TORCHINDUCTOR_*. What may be a change and cannot be told is
listed as uncertain: `exec`, a module of configuration that is passed on, a variable's name that is
used otherwise. Reading a value is no change.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from speedcheck.program.excerpt import Words
from speedcheck.program.model import Setting
from speedcheck.program.part import Part
from speedcheck.program.paths import UNKNOWN, PathFinder, Paths
from speedcheck.program.snippet import Snippets

_MODULES = ("torch._inductor.config", "torch._dynamo.config")
_LAST = "config"
_BELOW = tuple(f"{module}." for module in _MODULES)
_ALONE: dict[Paths, str] = {frozenset({module}): module for module in _MODULES}

# Functions of these modules, and builtins, that only look.
_READERS = frozenset({
    "codegen_config", "get_config_copy", "get_hash", "get_serializable_config_copy", "get_type",
    "is_fbcode", "save_config", "save_config_portable", "shallow_copy_dict", "to_dict",
})  # fmt: skip
_LOOKING = frozenset({
    "dir", "hasattr", "help", "id", "isinstance", "print", "type", "logging.getLogger",
    "warnings.filterwarnings",
})  # fmt: skip
_RUNNING_TEXT = frozenset({"exec", "eval"})

_VARIABLE = re.compile(r"TORCHINDUCTOR_[A-Z0-9_]{1,60}")
# Say whether and where compiled code is kept, not what it is.
_HARMLESS_VARIABLES = frozenset({
    "TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_FX_GRAPH_CACHE", "TORCHINDUCTOR_AUTOGRAD_CACHE",
})  # fmt: skip
_MODULE_NAME = re.compile(r"(?:torch\.)?_(?:inductor|dynamo)(?:\.config(?:\.\w{1,60})?)?")
_ENVIRONMENT = "os.environ"
_SETTERS = frozenset({"os.environ.setdefault", "os.putenv", "os.environ.__setitem__"})
_GETTERS = frozenset({"os.environ.get", "os.environ.pop", "os.getenv", "os.unsetenv"})

SETTING_WORDS = Words(
    parts=frozenset({"_inductor", "_dynamo", "torchinductor_", "environ", "putenv"}),
    names=_RUNNING_TEXT,
)
"""Without these no change can be written, but by another name that is given to one of them."""

MAX_SETTINGS = 100
"""A reader learns nothing from the next."""

_NOTED = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.Compare)


def find_settings(part: Part, snippets: Snippets) -> tuple[Setting, ...]:
    """Return the changes in the order of the source, the first `MAX_SETTINGS` of them."""
    looks = _SettingFinder(part.paths, snippets).looks()
    found: list[Setting] = []
    for node in part.of_kinds(looks):
        found.extend(looks[type(node)](node))
        if len(found) >= MAX_SETTINGS:
            break
    return tuple(found[:MAX_SETTINGS])


class _SettingFinder:
    """Looks at one node after another, each after the node that holds it."""

    def __init__(self, paths: PathFinder, snippets: Snippets) -> None:
        self._paths = paths
        self._snippets = snippets
        self._values: dict[ast.AST, ast.expr | None] = {}
        # Nodes that the node around them has accounted for.
        self._done: set[ast.AST] = set()

    def looks(self) -> dict[type[ast.AST], Callable[[Any], Iterable[Setting]]]:
        """Return what looks at each kind of node.

        Kept in the finder it would be a cycle, and the tree stay until the next collection.
        """
        return {
            **dict.fromkeys(_NOTED, self._note),
            ast.Name: self._passed_on,
            ast.Attribute: self._in_attribute,
            ast.Constant: self._in_constant,
            ast.Call: self._in_call,
            ast.Subscript: self._in_subscript,
        }

    def _note(self, node: ast.AST) -> Iterable[Setting]:
        """Note which value goes where, and what is no more than another name or a question."""
        match node:
            case ast.Assign(targets=targets, value=value):
                self._values |= dict.fromkeys(targets, value)
                if all(isinstance(target, ast.Name) for target in targets):
                    self._done.add(value)
            case (
                ast.AnnAssign(target=target, value=some) | ast.AugAssign(target=target, value=some)
            ):
                self._values[target] = some
            case ast.NamedExpr(value=same) | ast.Compare(left=ast.Constant() as same):
                self._done.add(same)
        return ()

    def _in_attribute(self, node: ast.Attribute) -> Iterable[Setting]:
        self._done.add(node.value)
        if isinstance(node.ctx, ast.Load):
            return self._passed_on(node)
        return self._changed(node, node, self._values.get(node))

    def _in_constant(self, node: ast.Constant) -> Iterable[Setting]:
        text = node.value
        if not isinstance(text, str) or node in self._done:
            return ()
        is_telling = _MODULE_NAME.fullmatch(text) or _is_variable(text)
        return (Setting(text, "", node.lineno, certain=False),) if is_telling else ()

    def _in_subscript(self, node: ast.Subscript) -> Iterator[Setting]:
        if _ENVIRONMENT in self._paths.of(node.value):
            self._done.add(node.slice)
            if isinstance(node.ctx, ast.Store):
                yield from self._variable(node.slice, self._values.get(node))
        elif not isinstance(node.ctx, ast.Load):
            yield from self._changed(node, node.value, self._values.get(node))

    def _in_call(self, node: ast.Call) -> Iterable[Setting]:
        called = self._paths.of(node.func)
        return () if called == UNKNOWN else self._called(node, called)

    def _called(self, node: ast.Call, called: Paths) -> Iterator[Setting]:
        if called & _LOOKING:
            self._done.update(node.args, (keyword.value for keyword in node.keywords))
        elif "getattr" in called:
            self._done.update(node.args[:1])
        elif called & _RUNNING_TEXT:
            name = node.func.id if isinstance(node.func, ast.Name) else "exec"
            yield Setting(f"{name}(...)", "", node.lineno, certain=False)
        elif "setattr" in called and len(node.args) == 3:
            yield from self._set_by_name(node)
        elif called & _GETTERS:
            self._done.update(node.args)
        elif called & _SETTERS and len(node.args) == 2:
            self._done.update(node.args)
            yield from self._variable(node.args[0], node.args[1])
        elif "os.environ.update" in called:
            yield from self._variables(node)
        else:
            yield from self._by_function(node)

    def _changed(
        self, node: ast.expr, place: ast.expr, value: ast.expr | None
    ) -> Iterator[Setting]:
        """A change of what `place` refers to, if that is configuration."""
        paths = self._paths.of(place)
        for path in sorted(path for path in paths if path and path.startswith(_BELOW)):
            yield Setting(path, self._snippets.of(value), node.lineno, certain=len(paths) == 1)

    def _set_by_name(self, node: ast.Call) -> Iterator[Setting]:
        module, name, value = node.args
        self._done.add(module)
        paths = self._paths.of(module)
        shown = f"<{self._snippets.of(name)}>"
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            shown = name.value
        for path in sorted(path for path in paths if path and _is_configuration(path)):
            certain = len(paths) == 1
            yield Setting(f"{path}.{shown}", self._snippets.of(value), node.lineno, certain)

    def _by_function(self, node: ast.Call) -> Iterator[Setting]:
        """A call of a function below a module of configuration: `patch`, a list's `append`."""
        paths = self._paths.of(node.func)
        for path in sorted(path for path in paths if path and path.startswith(_BELOW)):
            module, _, function = path.rpartition(".")
            certain = len(paths) == 1
            if function == "patch" and module in _MODULES:
                for name, value in _patched(node):
                    shown = self._snippets.of(value)
                    yield Setting(f"{module}.{name}", shown, node.lineno, certain)
            elif function not in _READERS:
                yield Setting(f"{path}(...)", "", node.lineno, certain)

    def _passed_on(self, node: ast.Name | ast.Attribute) -> Iterable[Setting]:
        """A module of configuration that goes where it cannot be followed."""
        if node in self._done or not isinstance(node.ctx, ast.Load):
            return ()
        if isinstance(node, ast.Attribute) and node.attr != _LAST:
            return ()
        # A name that may be something else is not called a module of configuration.
        module = _ALONE.get(self._paths.of(node))
        return (Setting(module, "", node.lineno, certain=False),) if module else ()

    def _variable(self, name: ast.expr | None, value: ast.expr | None) -> Iterator[Setting]:
        if isinstance(name, ast.Constant) and _is_variable(name.value):
            yield Setting(str(name.value), self._snippets.of(value), name.lineno)

    def _variables(self, node: ast.Call) -> Iterator[Setting]:
        for argument in node.args:
            if isinstance(argument, ast.Dict):
                self._done.update(key for key in argument.keys if key)
                for key, value in zip(argument.keys, argument.values, strict=True):
                    yield from self._variable(key, value)
        for keyword in node.keywords:
            if keyword.arg and _is_variable(keyword.arg):
                yield Setting(keyword.arg, self._snippets.of(keyword.value), node.lineno)


def _is_configuration(path: str) -> bool:
    return path in _MODULES or path.startswith(_BELOW)


def _is_variable(name: object) -> bool:
    return (
        isinstance(name, str)
        and _VARIABLE.fullmatch(name) is not None
        and name not in _HARMLESS_VARIABLES
    )


def _patched(node: ast.Call) -> Iterator[tuple[str, ast.expr | None]]:
    """What a call of `patch` changes: `patch("name", value)`, `patch({...})`, `patch(name=...)`."""
    match node.args:
        case [ast.Constant(value=str(name)), value]:
            yield name, value
        case [ast.Dict(keys=keys, values=values)]:
            for key, value in zip(keys, values, strict=True):
                yield (str(key.value) if isinstance(key, ast.Constant) else "<...>"), value
        case [other]:
            yield "<...>", other
    for keyword in node.keywords:
        yield keyword.arg or "<...>", keyword.value
