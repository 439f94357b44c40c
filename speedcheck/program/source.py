"""Text of an embedded program to its syntax tree, without running it and within bounds."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Sequence

from speedcheck.program.lexical import LogicalLine, count_tokens, logical_lines
from speedcheck.program.normal import is_text_alone

MAX_CHARACTERS = 1 << 20
MAX_TOKENS = 150_000
"""Training programs have 20 to 100 KB, with a token in four characters. A token costs the parser up
to 600 bytes and 7 microseconds (measured: 746 MB and 5 s for 1.2 million), so 90 MB at most."""

MAX_NESTING = 500
"""Hand-written modules reach 109 (scipy's longest). CPython's parser gives up by itself at 6000 of
its own levels, within 1 MiB of stack (measured with 3.11, 3.12 and 3.13), far beyond this."""

# Logs with several source files put a line such as "-----" or "=== kernels.py ===" between them.
_DIVIDER = re.compile(r"^([-=*~+<>])\1\1(?=[^\n]*+$)", re.MULTILINE)


class UnreadableProgramError(ValueError):
    """The text is no program that can be parsed here; the message says why."""


def parse(text: str, lines: Sequence[LogicalLine] | None = None) -> ast.Module:
    """Parse a program, or several source files one after another; lines keep their numbers.

    Args:
        text: the program.
        lines: its logical lines where they are known, or those of more that it is a part of.

    Raises:
        UnreadableProgramError: the text is too large or too deeply nested to parse, is no Python
            of this interpreter's version, or holds no statement.
    """
    refuse_long(text)
    _refuse_costly(text, logical_lines(text) if lines is None else lines)
    try:
        tree = _tree(text)
    except SyntaxError as error:
        tree = _tree_of_files(text, error)
    if all(is_text_alone(statement) for statement in tree.body):
        raise UnreadableProgramError("comments or prose stand in its place")
    return tree


def refuse_long(text: str) -> None:
    """Refuse a text that is too long to look at.

    Raises:
        UnreadableProgramError: it has more than `MAX_CHARACTERS` characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableProgramError(f"longer than {MAX_CHARACTERS} characters")


def _refuse_costly(text: str, lines: Sequence[LogicalLine]) -> None:
    # A token has a character at least.
    if len(text) > MAX_TOKENS and count_tokens(text) > MAX_TOKENS:
        raise UnreadableProgramError(f"more than {MAX_TOKENS} tokens")
    # Each `elif` is nested in the one before it.
    nesting = max((line.nesting for line in lines), default=0)
    if max(nesting, text.count("elif")) > MAX_NESTING:
        raise UnreadableProgramError(f"nested deeper than {MAX_NESTING} levels")


def _tree(text: str) -> ast.Module:
    """Parse; the parser's own guards against deep nesting become errors of ours."""
    try:
        with warnings.catch_warnings():
            # Of invalid escapes in a stranger's string; here nobody can mend them.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (MemoryError, RecursionError):
        raise UnreadableProgramError("too complex for the parser") from None
    except SyntaxError:
        raise
    except ValueError as error:
        # NUL bytes, and characters that have no UTF-8.
        raise UnreadableProgramError(f"not a text of Python ({error})") from None


def _tree_of_files(text: str, error: SyntaxError) -> ast.Module:
    """Parse once more with the lines between embedded files taken for comments."""
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
