"""What a program does with environment variables that set up the compiler."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from speedcheck.program.syntax import Setting, is_literal
from speedcheck.program.uses import Use, Uses

_PATHS = ("os.environ", "os.getenv", "os.putenv", "os.unsetenv", "posix.")
_VARIABLE = re.compile(r"TORCH(?:INDUCTOR|DYNAMO)\w*")
# Say whether and where compiled code is kept or what is printed, not what is compiled.
_HARMLESS = frozenset({
    "TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_FX_GRAPH_CACHE", "TORCHINDUCTOR_AUTOGRAD_CACHE",
    "TORCHDYNAMO_VERBOSE",
})  # fmt: skip
_SETTERS = frozenset({
    "os.environ.setdefault", "os.environ.__setitem__", "os.putenv", "posix.putenv",
})  # fmt: skip
_GETTERS = frozenset({
    "os.environ.get", "os.environ.pop", "os.environ.copy", "os.environ.items", "os.environ.keys",
    "os.environ.values", "os.environ.__contains__", "os.environ.__getitem__", "os.getenv",
    "os.unsetenv",
})  # fmt: skip
_LOOKING = frozenset({"dict", "len", "list", "print", "repr", "sorted", "str", "type"})


def is_environment(path: str) -> bool:
    """Return whether `path` is the environment or one of its functions."""
    return path.startswith(_PATHS)


def is_variable(text: str) -> bool:
    """Return whether a text names a variable that sets up the compiler."""
    return any(name not in _HARMLESS for name in _VARIABLE.findall(text))


class EnvironmentReader:
    """Asks of each use of the environment what it sets.

    Attributes:
        read: the names of variables that are accounted for.
    """

    def __init__(self, uses: Uses) -> None:
        self.read: set[ast.AST] = set()
        self._copied: dict[ast.Dict, set[ast.expr]] = {}
        self._uses = uses
        self._parent_of = uses.names.parent_of

    def settings(self, use: Use) -> Iterator[Setting]:
        """Yield what a use of the environment sets; the uncertain ones have no literal name."""
        parent = self._parent_of.get(use.node)
        match parent:
            case ast.Subscript(value=value, slice=key) if value is use.node:
                self.read.add(key)
                if isinstance(parent.ctx, ast.Store):
                    yield from self._variable(use, key, self._uses.names.given.get(parent))
            case ast.AugAssign(target=target, value=value) if target is use.node:
                yield from self._variables(use, [value], [])
            case ast.Call(func=func) if func is use.node:
                yield from self._called(use, parent)
            case _:
                if use.path not in _GETTERS and not self._is_looked_at(use.node, parent):
                    yield use.unclear()

    def _called(self, use: Use, call: ast.Call) -> Iterator[Setting]:
        if use.path in _GETTERS:
            self.read.update(call.args)
        elif use.path in _SETTERS and len(call.args) == 2 and not call.keywords:
            yield from self._variable(use, *call.args)
        elif use.path == "os.environ.update":
            yield from self._variables(use, call.args, call.keywords)
        else:
            yield use.unclear_call()

    def _variables(
        self, use: Use, values: Iterable[ast.expr], keywords: Iterable[ast.keyword]
    ) -> Iterator[Setting]:
        for value in values:
            if isinstance(value, ast.Dict):
                for key, item in zip(value.keys, value.values, strict=True):
                    yield from self._variable(use, key, item)
            else:
                yield from self._variable(use, value, None)
        for keyword in keywords:
            name = ast.Constant(keyword.arg) if keyword.arg else keyword.value
            yield from self._variable(use, name, keyword.value)

    def _variable(
        self, use: Use, key: ast.expr | None, value: ast.expr | None
    ) -> Iterator[Setting]:
        shown = self._uses.shown(value)
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            self.read.add(key)
            if is_variable(key.value):
                certain = use.is_sure and is_literal(value, self._uses.names)
                yield Setting(key.value, shown, use.line, certain)
        else:
            yield use.unclear(f"os.environ[{self._uses.shown(key)}]", shown)

    def _is_looked_at(self, node: ast.expr, parent: ast.AST | None) -> bool:
        match parent:
            case ast.Expr() | ast.Compare() | ast.FormattedValue() | ast.comprehension():
                return True
            case ast.For(iter=iterated):
                return iterated is node
            case ast.Dict():
                return node in self._unpacked(parent)
            case ast.Call(func=func):
                return bool(self._uses.paths.of(func) & _LOOKING)
        return False

    def _unpacked(self, node: ast.Dict) -> set[ast.expr]:
        """What `{**a, **b}` makes copies of."""
        if node not in self._copied:
            pairs = zip(node.keys, node.values, strict=True)
            self._copied[node] = {value for key, value in pairs if key is None}
        return self._copied[node]
