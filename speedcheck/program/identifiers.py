"""Constants that tell one run of a program from another and change nothing else: seeds, names.

A seed counts as one only where it is a whole number, and a name only where it is a string: a
learning rate that is called a seed stays a constant.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from speedcheck.program.names import Names

_SEED = re.compile(r"(?:^|[^a-z])seeds?(?:[^a-z]|$)")
_RUN_NAMES = frozenset({
    "run_id", "run_name", "exp_name", "experiment_name", "logfile", "log_file", "log_path",
    "log_dir", "logdir", "out_dir", "output_dir", "save_dir", "uuid",
})  # fmt: skip
# A run's own identifier, such as a log's name, inside a string.
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# Where a machine keeps its files; the last two parts of a path say which file it is.
_ABSOLUTE = re.compile(r"(?:/|~/)[^\s/]+(?:/[^\s/]+)*/(?=[^\s/]+/[^\s/]*$)")
# `int(os.environ.get("SEED", "1"))`, `1337 + 7 * rank`: a few levels.
_MAX_DEPTH = 5
# Of one function, or items of one dictionary.
_MOST_PARAMETERS = 50


def without_identifiers(text: str) -> str:
    """Return a string constant without identifiers of runs and without the folders of a machine."""
    return _ABSOLUTE.sub("", _UUID.sub("", text), count=1)


def find_identifiers(names: Names) -> set[ast.AST]:
    """Return the constants that identify a run by the name that they are given."""
    found: set[ast.AST] = set()
    for name, places in names.places.items():
        if kind := _kind(name):
            for place in places:
                for value in _given(place, names):
                    found.update(_constants(value, kind))
    for node in names.strings:
        if kind := _kind(str(node.value)):
            for value in _given_by_text(node, names):
                found.update(_constants(value, kind))
    return found


def _kind(name: str) -> type | None:
    if len(name) > 40:
        return None
    word = name.lstrip("-").replace("-", "_").lower()
    if _SEED.search(word):
        return int
    return str if word in _RUN_NAMES else None


def _given(place: ast.AST, names: Names) -> Iterator[ast.AST | None]:
    """Yield the values that are given to a name where it stands."""
    parent = names.parent_of.get(place)
    match parent:
        case ast.Assign(value=value) | ast.AnnAssign(value=value) | ast.NamedExpr(value=value):
            if value is not place:
                yield value
        case ast.Call(func=func, args=[first, *_]) if func is place:
            yield first
        case ast.arguments():
            yield from _defaults(place, parent)
    if isinstance(place, ast.keyword):
        yield place.value


def _defaults(parameter: ast.AST, arguments: ast.arguments) -> Iterator[ast.AST | None]:
    # Defaults belong to the last parameters.
    positional = [*arguments.posonlyargs, *arguments.args][-_MOST_PARAMETERS:]
    defaults = arguments.defaults[-_MOST_PARAMETERS:]
    yield from (
        default
        for name, default in zip(reversed(positional), reversed(defaults), strict=False)
        if name is parameter
    )
    names, values = arguments.kwonlyargs, arguments.kw_defaults
    keywords = zip(names[:_MOST_PARAMETERS], values[:_MOST_PARAMETERS], strict=True)
    yield from (default for name, default in keywords if name is parameter)


def _given_by_text(node: ast.Constant, names: Names) -> Iterator[ast.AST | None]:
    """Yield values given by a name in a string: a variable's default, an option's, an item."""
    parent = names.parent_of.get(node)
    match parent:
        case ast.Call(args=[first, *others]) if first is node:
            yield from others[:1]
            yield from (word.value for word in parent.keywords[:5] if word.arg == "default")
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys[:_MOST_PARAMETERS], values[:_MOST_PARAMETERS], strict=True)
            yield from (value for key, value in pairs if key is node)
        case ast.Subscript(slice=key) if key is node:
            above = names.parent_of.get(parent)
            if isinstance(above, ast.Assign) and above.value is not parent:
                yield above.value


def _constants(value: ast.AST | None, kind: type, depth: int = 0) -> Iterator[ast.AST]:
    if depth > _MAX_DEPTH:
        return
    match value:
        case ast.Constant(value=constant):
            is_number = isinstance(constant, int) and not isinstance(constant, bool)
            is_digits = isinstance(constant, str) and constant.isdecimal()
            if (is_number or is_digits) if kind is int else isinstance(constant, str):
                yield value
        case ast.BinOp(left=left, right=right):
            yield from _constants(left, kind, depth + 1)
            yield from _constants(right, kind, depth + 1)
        case ast.UnaryOp(operand=operand):
            yield from _constants(operand, kind, depth + 1)
        case ast.Call(func=ast.Name(id="int" | "str"), args=[argument]):
            yield from _constants(argument, kind, depth + 1)
