"""Where a program changes the compiler's configuration, and what it asks of torch.compile.

Read as a change: an assignment of a literal below `torch._inductor.config` or
`torch._dynamo.config` by any name that the program gives them, a call of their `patch` with
literals, and a literal environment variable TORCHINDUCTOR_*. Every other use that may change them
is reported as uncertain. Reading a value is not a change.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from speedcheck.program.syntax import Setting, is_literal
from speedcheck.program.uses import (
    COMPILE,
    IMPORTERS,
    MODULES,
    NAMESPACES,
    TEXT_RUNNERS,
    Use,
    Uses,
    is_configuration,
    is_watched,
)
from speedcheck.program.variables import EnvironmentReader, is_environment, is_variable

MAX_SETTINGS = 100
"""A reader learns nothing from the next."""

# Functions of the modules of configuration, and others, that only look.
_READERS = frozenset({
    "codegen_config", "get_config_copy", "get_hash", "get_serializable_config_copy", "get_type",
    "is_fbcode", "save_config", "save_config_portable", "shallow_copy_dict", "to_dict",
})  # fmt: skip
_LOOKING = frozenset({
    "bool", "callable", "dict", "dir", "hasattr", "help", "id", "isinstance", "len", "list",
    "print", "repr", "sorted", "str", "type", "json.dumps", "logging.getLogger",
    "warnings.filterwarnings", "inspect.getsource",
})  # fmt: skip
# What a module of configuration holds that is more than a value.
_NOT_VALUES = frozenset({
    "config", "patch", "load_config", "triton", "cpp", "cuda", "rocm", "halide", "aot_inductor",
    "trace",
})  # fmt: skip
# Ways to the compiler around torch.compile, and to modules around imports.
_AROUND = (
    "torch._dynamo.optimize",
    "torch._inductor.compile",
    "torch._inductor.aot_",
    "sys.modules.",
)
_PROCESSES = ("subprocess.", "os.exec", "os.spawn", "os.posix_spawn", "posix.")
_UNSAFE = frozenset({
    "globals", "locals", "sys.modules", "os.environ", "os.environb", "os.putenv", *MODULES,
    *COMPILE, *TEXT_RUNNERS, *IMPORTERS,
})  # fmt: skip
_SETTERS = frozenset({"setattr", "delattr"})
_BY_NAME = _SETTERS | {"getattr", "hasattr"}
_MODULE_NAME = re.compile(r"(?:torch\.)?_(?:inductor|dynamo)(?:\.config(?:\.\w{1,60})?)?")
# Which shapes are compiled, and whether a break in the graph is an error, is free; everything else
# only as it is by default.
_FREE: dict[str, tuple[object, ...]] = {
    "dynamic": (False, None),
    "backend": ("inductor",),
    "mode": (None, "default"),
    "options": (None,),
    "disable": (False,),
}
_ALWAYS_FREE = frozenset({"model", "fullgraph"})
_TELLING = frozenset({"backend", "mode", "options", None})


def find_settings(uses: Uses) -> tuple[Setting, ...]:
    """Return the changes in the order of the source, the first `MAX_SETTINGS` of them."""
    return _first(_SettingFinder(uses).find())


def _first(groups: Iterable[Iterator[Setting]]) -> tuple[Setting, ...]:
    found = [setting for group in groups for setting in islice(group, MAX_SETTINGS)]
    return tuple(sorted(found, key=lambda setting: setting.line)[:MAX_SETTINGS])


class _SettingFinder:
    """Asks of each use what it does."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._parent_of = uses.names.parent_of
        self._environment = EnvironmentReader(uses)
        # Strings that the use they belong to accounts for.
        self._read: set[ast.AST] = self._environment.read

    def find(self) -> Iterator[Iterator[Setting]]:
        uses = self._uses
        followed = (use for use in uses.all if not uses.is_alias(use))
        yield (setting for use in followed for setting in self._of_use(use))
        yield (Setting(path, "", line, certain=False) for path, line in uses.hidden_imports())
        # After the uses, which account for some of the strings.
        yield (setting for node in uses.names.strings for setting in self._of_string(node))

    def _of_use(self, use: Use) -> Iterator[Setting]:
        parent = self._parent_of.get(use.node)
        if is_environment(use.path):
            yield from self._environment.settings(use)
        elif not isinstance(getattr(use.node, "ctx", ast.Load()), ast.Load):
            yield from self._changed(use, use.node)
        elif isinstance(parent, ast.Subscript) and parent.value is use.node:
            yield from self._subscript(use, parent)
        elif isinstance(parent, ast.Call) and parent.func is use.node:
            yield from self._called(use, parent)
        elif not self._is_looked_at(use.node):
            yield from self._passed_on(use, parent)

    def _changed(self, use: Use, target: ast.expr) -> Iterator[Setting]:
        """A target of any kind; only an assignment of a literal says what is set."""
        value = self._uses.names.given.get(target)
        is_set = is_configuration(use.path) and "._" not in use.path.partition(".config")[2]
        certain = use.is_sure and is_set and is_literal(value, self._uses.names)
        if is_set or is_watched(use.path):
            yield Setting(use.path, self._uses.shown(value), use.line, certain)

    def _subscript(self, use: Use, node: ast.Subscript) -> Iterator[Setting]:
        if use.path == "sys.modules":
            if not _is_own_or_other_module(node.slice):
                yield use.unclear()
        elif not isinstance(node.ctx, ast.Load):
            yield from self._changed(use, node)
        elif "__" in use.path:
            yield use.unclear()

    def _called(self, use: Use, call: ast.Call) -> Iterator[Setting]:
        path = use.path
        if path in TEXT_RUNNERS:
            yield use.unclear_call()
        elif path in NAMESPACES:
            if path != "vars" or not call.args:
                yield use.unclear(f"{path}()")
        elif path in IMPORTERS:
            yield from self._imported(use, call)
        elif path.startswith(_PROCESSES):
            if not path.startswith("subprocess.") or _has_environment(call):
                yield use.unclear_call()
        elif is_configuration(path):
            yield from self._by_function(use, call)
        elif path not in COMPILE and _is_unsafe(path):
            yield use.unclear_call()

    def _imported(self, use: Use, call: ast.Call) -> Iterator[Setting]:
        match call.args:
            case [ast.Constant(value=str(name)) as constant, *_]:
                self._read.add(constant)
                root = name.replace(":", ".").split(".", 1)[0]
                if root in {"torch", "os", "sys", "builtins", "importlib", "posix"}:
                    yield use.unclear(name)
            case _:
                yield use.unclear_call()

    def _by_function(self, use: Use, call: ast.Call) -> Iterator[Setting]:
        """A call of a function below a module of configuration: `patch`, a list's `append`."""
        module, _, function = use.path.rpartition(".")
        if function == "patch" and module.endswith(".config"):
            for name, value in _patched(call):
                certain = use.is_sure and name != "<...>" and is_literal(value, self._uses.names)
                shown = self._uses.shown(value)
                yield Setting(f"{module}.{name}", shown, use.line, certain)
        elif function not in _READERS:
            yield use.unclear_call()

    def _passed_on(self, use: Use, parent: ast.AST | None) -> Iterator[Setting]:
        """Something that goes where it cannot be followed."""
        if isinstance(parent, ast.Call) and parent.args[:1] == [use.node]:
            called = self._uses.paths.of(parent.func) & _BY_NAME
            if called:
                yield from self._by_name(use, parent, setter=bool(called & _SETTERS))
                return
        is_decorator = isinstance(parent, ast.FunctionDef | ast.ClassDef)
        if _is_unsafe(use.path) and not (is_decorator and use.path in COMPILE):
            yield use.unclear()

    def _by_name(self, use: Use, call: ast.Call, *, setter: bool) -> Iterator[Setting]:
        """`getattr` and `setattr`: what they reach is never taken for certain."""
        name = call.args[1] if len(call.args) > 1 else None
        literal = name.value if isinstance(name, ast.Constant) else None
        shown = literal if isinstance(literal, str) else f"<{self._uses.shown(name)}>"
        path = f"{use.path}.{shown}"
        if name is not None:
            self._read.add(name)
        if setter:
            if is_configuration(path) or is_watched(path) or not isinstance(literal, str):
                value = self._uses.shown(call.args[2] if len(call.args) > 2 else None)
                yield use.unclear(path, value)
        elif not isinstance(literal, str) or _is_unsafe(path):
            yield use.unclear(path)

    def _of_string(self, node: ast.Constant) -> Iterator[Setting]:
        text = str(node.value)
        if node in self._read or not (_MODULE_NAME.fullmatch(text) or is_variable(text)):
            return
        if not self._is_looked_at(node) and not isinstance(self._parent_of.get(node), ast.Expr):
            shown = text if len(text) < 60 else "TORCHINDUCTOR_*"
            yield Setting(shown, "", node.lineno, certain=False)

    def _is_looked_at(self, node: ast.expr) -> bool:
        """Return whether a place only asks what something is."""
        parent = self._parent_of.get(node)
        match parent:
            case ast.Expr() | ast.Compare() | ast.Assert() | ast.FormattedValue() | ast.Delete():
                return True
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                return test is node
            case ast.UnaryOp(op=ast.Not()):
                return True
            case ast.keyword():
                parent = self._parent_of.get(parent)
        return isinstance(parent, ast.Call) and bool(self._uses.paths.of(parent.func) & _LOOKING)


def _is_unsafe(path: str) -> bool:
    """Return whether the compiler can be set up through what `path` names."""
    if path in _UNSAFE or "__" in path or path.startswith(_AROUND):
        return True
    last = path.rpartition(".")[2]
    return is_configuration(path) and (last in _NOT_VALUES or last.startswith("_"))


def _is_own_or_other_module(name: ast.expr | None = None) -> bool:
    match name:
        case ast.Name(id="__name__"):
            return True
        case ast.Constant(value=str(text)):
            return text.split(".", 1)[0] not in {"torch", "os", "builtins", "__main__"}
    return False


def _has_environment(call: ast.Call) -> bool:
    return any(
        keyword.arg in {"env", None}
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        for keyword in call.keywords
    )


def _patched(node: ast.Call) -> Iterator[tuple[str, ast.expr | None]]:
    """What a call of `patch` changes: `patch("name", value)`, `patch({...})`, `patch(name=...)`."""
    match node.args:
        case [ast.Constant(value=str(name)), value]:
            yield name, value
        case [ast.Dict(keys=keys, values=values)]:
            for key, value in zip(keys, values, strict=True):
                literal = key.value if isinstance(key, ast.Constant) else None
                yield (literal if isinstance(literal, str) else "<...>"), value
        case []:
            pass
        case [other, *_]:
            yield "<...>", other
    for keyword in node.keywords:
        yield keyword.arg or "<...>", keyword.value


def find_compile_options(uses: Uses) -> tuple[Setting, ...]:
    """Return the options in the order of the source, the first `MAX_SETTINGS` of them."""
    methods = uses.names.places.get("compile", ())
    return _first(
        [
            (option for use in uses.all for option in _of_use(use, uses)),
            (option for node in methods for option in _of_method(node, uses)),
        ]
    )


def _of_use(use: Use, uses: Uses) -> Iterator[Setting]:
    if use.path not in COMPILE:
        return
    parent = uses.names.parent_of.get(use.node)
    calls = [parent] if isinstance(parent, ast.Call) and parent.func is use.node else []
    for call in (*use.partials, *calls):
        yield from _options(call, uses, certain=use.is_sure)


def _of_method(node: ast.AST, uses: Uses) -> Iterator[Setting]:
    """`compile` of an object that may be a model."""
    call = uses.names.parent_of.get(node)
    if isinstance(node, ast.Attribute) and isinstance(call, ast.Call) and call.func is node:
        # A function of another module, such as `re.compile`, is not one of torch's.
        others = {path for path in uses.paths.of(node) if path and ".torch." not in path}
        if not others and any(keyword.arg in _TELLING for keyword in call.keywords):
            yield from _options(call, uses, certain=False)


def _options(call: ast.Call, uses: Uses, *, certain: bool) -> Iterator[Setting]:
    for keyword in call.keywords:
        if keyword.arg is None:
            yield Setting("**" + uses.shown(keyword.value), "", call.lineno, certain=False)
        elif not _is_free(keyword.arg, keyword.value):
            is_said = certain and is_literal(keyword.value, uses.names)
            line = keyword.value.lineno
            yield Setting(keyword.arg, uses.shown(keyword.value), line, is_said)


def _is_free(option: str, value: ast.expr) -> bool:
    if option in _ALWAYS_FREE:
        return True
    if isinstance(value, ast.Dict) and option == "options":
        return not value.keys
    # 0 and 1 are equal to False and True, and mean the same here.
    return isinstance(value, ast.Constant) and value.value in _FREE.get(option, ())
