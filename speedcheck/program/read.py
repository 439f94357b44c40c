"""The text of a program to what the rules ask of it."""

from __future__ import annotations

from functools import lru_cache

from speedcheck.program.compiling import find_compile_options
from speedcheck.program.model import Program, UnreadableProgramError
from speedcheck.program.parse import Syntax, syntax_of
from speedcheck.program.settings import find_settings
from speedcheck.program.shown import Snippets
from speedcheck.program.tokens import find_val_tokens
from speedcheck.program.uses import Uses

# Enough for the programs of one folder.
_MOST_KEPT = 64


@lru_cache(_MOST_KEPT)
def read_program(text: str) -> Program:
    """Read a program, or several source files one after another; nothing of it is run.

    Never raises: where the text cannot be parsed, `problem` says why. The last programs are kept:
    a record and its baseline, or the records of one author, often have the same.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        syntax = syntax_of(text)
    except UnreadableProgramError as error:
        return Program(text, problem=str(error))
    uses, snippets = Uses(syntax), Snippets(text)
    return Program(
        text=text,
        settings=find_settings(uses, snippets),
        compile_options=find_compile_options(uses, snippets),
        val_tokens=find_val_tokens(syntax.names),
        n_names=len(syntax.names.scope_of),
    )


def syntax_of_program(program: Program) -> Syntax:
    """Return the syntax of a program that was read.

    Raises:
        UnreadableProgramError: its `problem`.
    """
    if program.problem:
        raise UnreadableProgramError(program.problem)
    return syntax_of(program.text)
