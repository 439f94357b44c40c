"""The text of a program to what the rules ask of it."""

from __future__ import annotations

from functools import lru_cache

from speedcheck.program.compiling import find_compile_options
from speedcheck.program.model import Program
from speedcheck.program.numbers import find_val_tokens
from speedcheck.program.paths import PathFinder
from speedcheck.program.settings import find_settings
from speedcheck.program.snippet import Snippets
from speedcheck.program.source import UnreadableProgramError
from speedcheck.program.syntax import syntax_of

# Enough for the programs of one folder; each takes about a megabyte.
MOST_KEPT = 32


@lru_cache(MOST_KEPT)
def read_program(text: str) -> Program:
    """Read a program, or several source files one after another; nothing of it is run.

    Never raises: where the text cannot be parsed, `problem` says why. The last programs are kept:
    a record and its baseline, or the records of one author, often have the same.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        names = syntax_of(text).names
    except UnreadableProgramError as error:
        return Program(text, problem=str(error))
    paths = PathFinder(names)
    snippets = Snippets(text)
    return Program(
        text=text,
        settings=find_settings(names, paths, snippets),
        compile_options=find_compile_options(names, paths, snippets),
        val_tokens=find_val_tokens(names),
    )
