"""The text of a program to its syntax tree: within bounds, and never executed."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from speedcheck.program.names import Names


class UnreadableProgramError(ValueError):
    """The text is not a program that can be parsed here; the message says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A place where a program asks the compiler for something that is not its default.

    Attributes:
        name: what is set, such as "torch._inductor.config.coordinate_descent_tuning",
            "TORCHINDUCTOR_MAX_AUTOTUNE" or, among compile options, "mode".
        value: the value as the program writes it; "" where the program does not write it there.
        line: number of the line in the program, from 1.
        certain: whether this certainly sets `name` to `value`. False for a place that may set up
            the compiler in a way that cannot be known, such as `exec(text)`.
    """

    name: str
    value: str
    line: int
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.name} = {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A place where the number of validation tokens is set.

    Attributes:
        value: the number; None where it cannot be computed from constants.
        line: number of the line in the program, from 1.
    """

    value: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Program:
    """What was read from a program.

    Attributes:
        text: the program, with LF line ends.
        settings: changes of torch._inductor.config, torch._dynamo.config and TORCHINDUCTOR_*.
        compile_options: arguments of torch.compile beyond the model, dynamic=False and fullgraph.
        val_tokens: where the number of validation tokens is set; empty where it is not.
        problem: why nothing could be read; "" where it could.
    """

    text: str
    settings: tuple[Setting, ...] = ()
    compile_options: tuple[Setting, ...] = ()
    val_tokens: tuple[TokenCount, ...] = ()
    problem: str = ""


MAX_CHARACTERS = 1 << 20
MAX_TOKENS = 150_000
"""Training programs have 20 to 100 KB and a token every four characters. A token costs the parser
up to 600 bytes and 7 microseconds (measured: 746 MB and 5 s for 1.2 million), so 90 MB at most."""

MAX_BRACES = 5_000
"""Training programs have up to 200. Python 3.11 takes time quadratic in an f-string's fields: 1.7 s
for this many in a mebibyte, but 56 s for 300,000 (measured). All other text takes linear time."""

MAX_SHOWN = 60
# Of a sum, or of names that are bound to names, when they are read as a literal.
_MAX_DEPTH = 20

_TOKEN = re.compile(r"\w++|[^\w\s]")

# Logs with several source files put a line such as "-----" or "=== kernels.py ===" between them.
_DIVIDER = re.compile(r"^([-=*~+<>])\1\1(?=[^\n]*+$)", re.MULTILINE)


# The rules, the digest and the data loader of a program are asked for one after another. A tree
# takes up to 90 MB, so only the newest is kept.
@lru_cache(maxsize=1)
def names_of(text: str) -> Names:
    """Parse a program and find the scopes of its names.

    Raises:
        UnreadableProgramError: as `parse`.
    """
    return Names(parse(text))


def parse(text: str) -> ast.Module:
    """Parse a program, or several source files one after another; lines keep their numbers.

    Raises:
        UnreadableProgramError: the text is too large or too deeply nested to parse, is not Python
            of this interpreter's version, or holds no statement.
    """
    _refuse_costly(text)
    try:
        tree = _tree(text)
    except SyntaxError as error:
        tree = _tree_of_files(text, error)
    if all(is_text_alone(statement) for statement in tree.body):
        raise UnreadableProgramError("comments or prose, not a program")
    return tree


def is_text_alone(node: ast.AST) -> bool:
    """Return whether a statement is a string: a docstring, or a comment in the form of one."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def is_literal(node: object, names: Names, depth: int = 0) -> bool:
    """Return whether the value of `node` is written in the program.

    That is a constant, a collection or a sum of such, or a name that is bound to one of them.
    """
    if depth > _MAX_DEPTH:
        return False
    items: Sequence[object]
    match node:
        case ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
            return True
        case ast.BinOp(left=left, right=right):
            items = [left, right]
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            pass
        case ast.Dict(keys=keys, values=values):
            items = [*keys, *values]
        case ast.Name(id=name):
            owner = names.scope_of[node].owner(name)
            items = owner.bindings[name] if owner else []
            return len(items) == 1 and is_literal(items[0], names, depth + 1)
        case _:
            return False
    return all(is_literal(item, names, depth + 1) for item in items)


def _refuse_costly(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise UnreadableProgramError(f"longer than {MAX_CHARACTERS} characters")
    if text.count("{") > MAX_BRACES:
        raise UnreadableProgramError(f"more than {MAX_BRACES} braces")
    # A token has at least one character.
    if len(text) > MAX_TOKENS and next(islice(_TOKEN.finditer(text), MAX_TOKENS, None), None):
        raise UnreadableProgramError(f"more than {MAX_TOKENS} tokens")


def _tree(text: str) -> ast.Module:
    """Parse; the parser's own limits become errors of ours.

    Deep nesting needs no bound here: CPython refuses it at 200 brackets, 100 indentations or 6,000
    of its own levels, within 1 MiB of stack (measured with 3.11, 3.12 and 3.13).
    """
    try:
        with warnings.catch_warnings():
            # About invalid escapes in a stranger's strings: nobody here can mend them.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (MemoryError, RecursionError, SystemError):
        raise UnreadableProgramError("too deeply nested for the parser") from None
    except SyntaxError as error:
        if "too many" in error.msg:
            raise UnreadableProgramError(f"too deeply nested ({error.msg})") from None
        raise
    except ValueError as error:
        # NUL bytes, and characters that have no UTF-8.
        raise UnreadableProgramError(f"not the text of a program ({error})") from None


def _tree_of_files(text: str, error: SyntaxError) -> ast.Module:
    """Parse again with the lines between embedded files taken for comments."""
    files = _DIVIDER.sub("#", text.replace("\n\ufeff", "\n"))
    if files != text:
        try:
            return _tree(files)
        except SyntaxError:
            pass
    version = ".".join(map(str, sys.version_info[:2]))
    place = f"line {error.lineno}: " if error.lineno else ""
    # What follows is advice on how to call Python.
    problem = error.msg.partition("; use sys.")[0]
    raise UnreadableProgramError(f"not Python {version} ({place}{problem})") from None


def shortened(text: str) -> str:
    """Return the beginning of `text`."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
