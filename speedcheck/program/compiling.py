"""What a program asks of torch.compile beyond compiling a model.

Read are calls and decorators of torch.compile by any name that the program gives it, and
`functools.partial(torch.compile, ...)`. `model.compile(mode=...)` may be that of torch.nn.Module
and is uncertain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import cast

from speedcheck.program.excerpt import Words
from speedcheck.program.model import Setting
from speedcheck.program.part import Part
from speedcheck.program.paths import PathFinder
from speedcheck.program.settings import MAX_SETTINGS
from speedcheck.program.snippet import Snippets

_COMPILE = frozenset({"torch.compile", "torch.compiler.compile"})

COMPILE_WORDS = Words(parts=frozenset({"compile"}))
"""Without it nothing is compiled, but by another name that is given to it."""

# Which shapes are compiled, and whether a break in the graph is an error, is free; the rest only
# as it is by default.
_FREE: dict[str, tuple[object, ...]] = {
    "model": (),
    "dynamic": (False, None),
    "fullgraph": (True, False),
    "backend": ("inductor",),
    "mode": (None, "default"),
    "options": (None,),
    "disable": (False,),
}
_TELLING = frozenset({"backend", "mode", "options"})


def find_compile_options(part: Part, snippets: Snippets) -> tuple[Setting, ...]:
    """Return the options in the order of the source, the first `MAX_SETTINGS` of them."""
    found: list[Setting] = []
    for node in part.of_kinds({ast.Call}):
        found.extend(_options(cast(ast.Call, node), part.paths, snippets))
        if len(found) >= MAX_SETTINGS:
            break
    return tuple(found[:MAX_SETTINGS])


def _options(node: ast.Call, paths: PathFinder, snippets: Snippets) -> Iterator[Setting]:
    if not node.keywords:
        return
    called = paths.of(node.func)
    if called & _COMPILE:
        certain = called <= _COMPILE
    elif called & {"functools.partial"} and node.args and paths.of(node.args[0]) & _COMPILE:
        certain = True
    elif _is_compile_of_a_model(node, called):
        certain = False
    else:
        return
    for keyword in node.keywords:
        if keyword.arg is None:
            yield Setting("**" + snippets.of(keyword.value), "", node.lineno, certain=False)
        elif not _is_free(keyword.arg, keyword.value):
            line = keyword.value.lineno
            yield Setting(keyword.arg, snippets.of(keyword.value), line, certain)


def _is_compile_of_a_model(node: ast.Call, called: frozenset[str | None]) -> bool:
    is_method = isinstance(node.func, ast.Attribute) and node.func.attr == "compile"
    options = {keyword.arg for keyword in node.keywords}
    return is_method and called == {None} and bool(options & _TELLING)


def _is_free(option: str, value: ast.expr) -> bool:
    if option == "model":
        return True
    if isinstance(value, ast.Dict) and option == "options":
        return not value.keys
    # 0 and 1 are equal to False and True, and mean the same here.
    return isinstance(value, ast.Constant) and value.value in _FREE.get(option, ())
