"""The text of a program to what the rules ask of it."""

from __future__ import annotations

from functools import lru_cache

from speedcheck.program.compiling import COMPILE_WORDS, find_compile_options
from speedcheck.program.model import Program
from speedcheck.program.numbers import VAL_TOKEN_WORDS, find_val_tokens
from speedcheck.program.part import part_about
from speedcheck.program.settings import SETTING_WORDS, find_settings
from speedcheck.program.snippet import Snippets
from speedcheck.program.source import UnreadableProgramError

# Enough for the programs of one folder; each takes about a megabyte.
MOST_KEPT = 32

RULE_WORDS = SETTING_WORDS | COMPILE_WORDS | VAL_TOKEN_WORDS


@lru_cache(MOST_KEPT)
def read_program(text: str) -> Program:
    """Read a program, or several source files one after another; nothing of it is run.

    Parsed is what the rules can be about. Never raises: where that cannot be parsed, `problem`
    says why. The last programs are kept: a record and its baseline, or the records of one author,
    often have the same.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        part = part_about(text, RULE_WORDS)
    except UnreadableProgramError as error:
        return Program(text, problem=str(error))
    snippets = Snippets(text)
    return Program(
        text=text,
        settings=find_settings(part, snippets),
        compile_options=find_compile_options(part, snippets),
        val_tokens=find_val_tokens(part),
    )
