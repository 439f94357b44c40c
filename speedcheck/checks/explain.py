"""Looking up a finding's code by what somebody typed or copied from a report."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from speedcheck.checks.explanations import EXPLANATIONS
from speedcheck.errors import UsageError


def find_codes(words: Iterable[str]) -> list[str]:
    """Return the codes that `words` name, each once, in the order of `words`.

    A word is a code (`P003`), a name (`claimed-losses-without-logs`) or both as reports print
    them; capitals do not matter.

    Raises:
        UsageError: a word names no code.
    """
    found = [_find(part) for word in words for part in word.split() or [word]]
    return list(dict.fromkeys(found))


def _find(word: str) -> str:
    by_word = {part.lower(): code for code in EXPLANATIONS for part in code.split()}
    code = by_word.get(word.lower())
    if code is None:
        begun = [part for part in by_word if word and part.startswith(word.lower())][:3]
        near = begun or difflib.get_close_matches(word.lower(), by_word, n=3)
        codes = dict.fromkeys(by_word[part] for part in near)
        hint = f"did you mean {' or '.join(codes)}?" if codes else "`speedcheck explain` lists all"
        raise UsageError(f"no finding is called {word!r}", remedy=hint)
    return code
