"""What was typed wrong, in one line with what to do, and what is refused before a command runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from speedcheck.errors import UsageError

# "--bogus" is not what somebody meant by "--runs".
_NEAR = 0.7


def describe(error: Any) -> str:
    """Return a complaint of the parser of command lines with what to do next.

    Args:
        error: a ClickException, of Typer's own copy of click or of the installed one.
    """
    what = error.format_message().rstrip(".")
    if (name := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        near = get_close_matches(name, error.possibilities or (), 1, _NEAR)
        what = f"No such option: {name}"
        return f"{what}; did you mean {near[0]}?" if near else f"{what}; {_help(error)}"
    is_told = what.endswith("?") or what.startswith("Invalid value") or error.ctx is None
    return what if is_told else f"{what}; {_help(error)}"


def _help(error: Any) -> str:
    words, context = ["--help"], error.ctx
    while context is not None:
        words.insert(0, "speedcheck" if context.parent is None else context.info_name)
        context = context.parent
    return f"see `{' '.join(words)}`"


def refuse_empty(words: Sequence[str], takes_value: frozenset[str]) -> None:
    """Refuse an empty word: a path would be the working folder, and a name would be left out.

    Args:
        words: what was typed after the name of the command; words behind "--" are a script's.
        takes_value: the options that take a value.

    Raises:
        UsageError: a word is empty, or the value of an option.
    """
    own = words[: words.index("--")] if "--" in words else words
    remedy = "give a value, or leave it out; a variable that is not set is an empty word"
    for before, word in pairwise(("", *own)):
        option, is_value, value = word.partition("=")
        if not word:
            named = before if before in takes_value else "an argument"
            raise UsageError(f"{named} is empty", remedy=remedy)
        if option in takes_value and is_value and not value:
            raise UsageError(f"{option} is empty", remedy=remedy)


def refuse_together(options: Mapping[str, object]) -> None:
    """Refuse options that exclude one another.

    Args:
        options: their values by their names; None and False for those that are not given.

    Raises:
        UsageError: more than one is given.
    """
    given = [option for option, value in options.items() if value not in (None, False)]
    if len(given) > 1:
        what = f"{' and '.join(given)} exclude one another"
        raise UsageError(what, remedy="leave all but one of them out")
