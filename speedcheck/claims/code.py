"""Lines of Python in a document: what they compute, and of which lists. Nothing is executed.

Only code that computes one thing of one list is understood: `np.mean(times) / 60_000` is, and a
difference of two means, a margin to the target or a standard error is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from speedcheck.claims import words as vocabulary
from speedcheck.claims.numbers import NUMBER, printed

_CODE = re.compile(
    r"\s*(?:>>> |\.\.\. |\$ |In ?\[[0-9]{1,4}\]: |import |from \S+ import|print\(|def |for |if "
    r"|with |return |assert )"
    r"|\s*[A-Za-z_][\w., ]{0,80}\s*[-+*/]?=\s*\(?[A-Za-z_][\w.]{0,80}(?:[(\[.]| ?[-+*/] ?[\w(])"
    r"|\s*(?!tensor\(|array\(|np\.float)(?:[A-Za-z_]\w{0,40}\.){0,4}[a-z]\w{0,40}\([^#]*\)\s*(?:#|$)"
)
_TARGET = re.compile(
    r"ttest_1samp\([^,()]{1,200},\s*(?:popmean\s*=\s*)?([0-9]{1,4}(?:\.[0-9]{1,8})?)"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r"([fF]?)(\"[^\"\n]*\"|'[^'\n]*')")
_REPLACED = re.compile(r"\{([^{}:!]*)[^{}]*\}")
_SUM_OVER_COUNT = re.compile(r"\bsum\((\w+)\)\s?/\s?len\(\1\)")
# Between two terms, but for a factor that only changes the unit.
_ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[-+]\s*[\w(]|(?:\*{1,2}|//?)\s*[A-Za-z_(])")
_PROMPT = re.compile(r"\s*(?:>>> |\.\.\. |In ?\[[0-9]{1,4}\]: )?\s*")
_PRINT = re.compile(r"print\((.*)\)\s*;?\s*$")
_KEYWORD = re.compile(r"\s*(?:sep|end|file|flush)\s*=")
_PRINTED = re.compile(rf"-?(?:{NUMBER})")
_BETWEEN = " \t,;()[]"

# Code farther above says nothing of a result.
_MOST_LINES = 5
# Words of a line of code that say what it computes.
_LABEL = 6
_MOST_ARGUMENTS = 8


@dataclass(frozen=True, slots=True)
class Computed:
    """What a result below code is of.

    Attributes:
        label: the words of the code that prints it.
        of: the lists that it is computed from.
        is_plain: whether the code computes one thing of one list.
        target: the target of the t-test in the code.
    """

    label: tuple[str, ...] = ()
    of: frozenset[str] = frozenset()
    is_plain: bool = True
    target: float | None = None


def is_code(text: str) -> bool:
    """Return whether a line is one of Python or of a shell."""
    return _CODE.match(text) is not None


def target_in(code: str) -> float | None:
    """Return the target of a t-test in a line of code."""
    match = _TARGET.search(code)
    number = printed(match[1]) if match else None
    return number.value if number else None


class Code:
    """The last lines of code above a result."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> None:
        """Go on with a line of code, without its comment."""
        self._lines = [*self._lines[1 - _MOST_LINES :], _SUM_OVER_COUNT.sub(r"mean(\1)", line)]

    def words(self) -> set[str]:
        """Return the words of the lines."""
        return set(vocabulary.words(" ".join(self._lines)))

    def results(self, text: str, lists: Collection[str]) -> list[tuple[str, Computed]]:
        """Return a printed line, or each of its numbers, with what it is of.

        The numbers are taken one by one where the code prints as many values and the line holds
        nothing else.

        Args:
            text: the line below the code.
            lists: the names of the lists that the document has.
        """
        computed = self._computed(lists)
        values = _PRINTED.findall(text)
        if not self._lines or len(values) == 1 or _PRINTED.sub("", text).strip(_BETWEEN):
            return [(text, computed)]
        arguments = _arguments(self._lines[-1])
        if len(arguments) != len(values):
            return []
        return [
            (value, self._of_argument(argument, computed, lists))
            for value, argument in zip(values, arguments, strict=True)
        ]

    def _computed(self, lists: Collection[str]) -> Computed:
        """Describe what the lines compute, by the newest one that names a list."""
        label = tuple(vocabulary.words(self._lines[-1])[-_LABEL:]) if self._lines else ()
        target = next((t for line in reversed(self._lines) if (t := target_in(line))), None)
        for line in reversed(self._lines):
            named = _named(line, lists)
            if named:
                is_plain = _is_plain(line, named) and _is_plain(self._lines[-1], named)
                return Computed(label, named, is_plain, target)
        return Computed(label, target=target)

    def _of_argument(self, argument: str, line: Computed, lists: Collection[str]) -> Computed:
        named = _named(argument, lists) or line.of
        label = tuple(vocabulary.words(argument)[-_LABEL:])
        return Computed(label, named, _is_plain(argument, named), line.target)


def _named(line: str, lists: Collection[str]) -> frozenset[str]:
    return frozenset(set(_NAME.findall(line)) & set(lists))


def _is_plain(line: str, named: Collection[str]) -> bool:
    """Return whether code computes one thing of one list: no sum, difference or ratio of two.

    In a shell line a minus begins an option.
    """
    code = _STRING.sub(_without_text, line)
    is_shell = line.lstrip().startswith("$ ")
    return len(named) < 2 and (is_shell or not _ARITHMETIC.search(code))


def _without_text(string: re.Match[str]) -> str:
    """Return what a string computes: the parts in braces of an f-string."""
    inside = _REPLACED.findall(string[2]) if string[1] else []
    return f"({', '.join(inside)})"


def _arguments(line: str) -> list[str]:
    """Return the values that a line of code prints; constant strings are not."""
    code = _PROMPT.sub("", line, count=1).rstrip()
    call = _PRINT.match(code)
    parts, depth, start = [], 0, 0
    text = call[1] if call else code
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append(text[start:position])
            start = position + 1
        if len(parts) > _MOST_ARGUMENTS:
            return []
    parts.append(text[start:])
    values = (part.strip() for part in parts if not _KEYWORD.match(part))
    return [value for value in values if value and not _STRING.fullmatch(value)]
