"""What a program asks of torch.compile beyond compiling a model.

Read are calls and decorators of torch.compile by any name that the program gives it, and
`functools.partial(torch.compile, ...)`. `model.compile(mode=...)` may be that of torch.nn.Module
and is uncertain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice

from speedcheck.program.model import Setting
from speedcheck.program.settings import MAX_SETTINGS
from speedcheck.program.shown import Snippets, is_literal
from speedcheck.program.uses import COMPILE, Use, Uses

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


def find_compile_options(uses: Uses, snippets: Snippets) -> tuple[Setting, ...]:
    """Return the options in the order of the source, the first `MAX_SETTINGS` of them."""
    methods = uses.names.places.get("compile", ())
    groups = (
        (option for use in uses.all for option in _of_use(use, uses, snippets)),
        (option for node in methods for option in _of_method(node, uses, snippets)),
    )
    found = [option for group in groups for option in islice(group, MAX_SETTINGS)]
    return tuple(sorted(found, key=lambda option: option.line)[:MAX_SETTINGS])


def _of_use(use: Use, uses: Uses, snippets: Snippets) -> Iterator[Setting]:
    if use.path not in COMPILE:
        return
    parent = uses.names.parent_of.get(use.node)
    calls = [parent] if isinstance(parent, ast.Call) and parent.func is use.node else []
    for call in (*use.partials, *calls):
        yield from _options(call, uses, snippets, certain=use.is_sure)


def _of_method(node: ast.AST, uses: Uses, snippets: Snippets) -> Iterator[Setting]:
    """`compile` of an object that may be a model."""
    call = uses.names.parent_of.get(node)
    if isinstance(node, ast.Attribute) and isinstance(call, ast.Call) and call.func is node:
        # A function of another module, such as `re.compile`, is not one of torch's.
        others = {path for path in uses.paths.of(node) if path and ".torch." not in path}
        if not others and any(keyword.arg in _TELLING for keyword in call.keywords):
            yield from _options(call, uses, snippets, certain=False)


def _options(call: ast.Call, uses: Uses, snippets: Snippets, *, certain: bool) -> Iterator[Setting]:
    for keyword in call.keywords:
        if keyword.arg is None:
            yield Setting("**" + snippets.of(keyword.value), "", call.lineno, certain=False)
        elif not _is_free(keyword.arg, keyword.value):
            is_said = certain and is_literal(keyword.value, uses.names)
            line = keyword.value.lineno
            yield Setting(keyword.arg, snippets.of(keyword.value), line, is_said)


def _is_free(option: str, value: ast.expr) -> bool:
    if option in _ALWAYS_FREE:
        return True
    if isinstance(value, ast.Dict) and option == "options":
        return not value.keys
    # 0 and 1 are equal to False and True, and mean the same here.
    return isinstance(value, ast.Constant) and value.value in _FREE.get(option, ())
