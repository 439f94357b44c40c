"""Lists of numbers in Python or as Python prints them; read by a tokenizer and never executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from speedcheck.claims.numbers import Printed, printed
from speedcheck.claims.words import kind_of

# Between numbers: blanks, commas, comments. Around them: a call such as np.float64( ).
_TOKEN = re.compile(
    r"[\s,]+|#[^\n]{0,500}|(?P<number>[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,3})?|\.[0-9]+)(?![\w.])"
    r"|(?P<open>(?:np\.|numpy\.|torch\.)?(?:float(?:32|64)?|tensor)\()|(?P<close>\))"
)
# With its type: "losses: list[float] = "; but of "Failed: losses = " the name is "losses".
_ASSIGNED = re.compile(
    r"([A-Za-z_]\w*)\s*(?::\s*(?:[a-z]{1,10}\.)?(?:[Ll]ist|[Tt]uple|Sequence|ndarray|Tensor)"
    r"(?:\[[\w., ]{0,40}\])?\s*)?=\s*$"
)
_LABELLED = re.compile(r"([A-Za-z_][\w ()@/.-]{0,80}?)[\"'*`]{0,3}\s*:[\"'*`]{0,3}\s*$")
_PRINT = re.compile(r"\bprint\(([A-Za-z_]\w{0,40})\)")
# A string of numbers that a comprehension splits.
_SPLIT = re.compile(
    r"\b([A-Za-z_]\w{0,40})\s*=\s*[^\n\"'=]{0,60}(\"\"\"|'''|[\"'])([0-9.,\s]{3,100000})\2\.split\("
)
_CALL = re.compile(r"[A-Za-z_][\w.]{0,40}\(\s*$")

# "Losses: 3.2781, 3.2790, 3.2777": three numbers at least, since two may be anything.
_BARE = re.compile(
    r"[:=][ \t*]{0,9}((?:[0-9]{1,7}\.[0-9]{1,8}(?: ?m?s)?,[ \t]{0,9}){2,}[0-9]{1,7}\.[0-9]{1,8})"
)

# A column of losses, as a shell prints them. Three lines may be a mean and its interval.
_ROWS = re.compile(
    r"(?m)^(?:[ \t>]{0,9}[0-9]\.[0-9]{1,8}[ \t]*\n){3,}[ \t>]{0,9}[0-9]\.[0-9]{1,8}[ \t]*$"
)

MAX_NUMBERS = 10_000
MAX_LISTS = 1_000
# Of a line before a list: enough for any name.
_LOOK_BACK = 200
# Longer than the published one, which prints its list first.
_SHELL_LINE = 1_000


@dataclass(frozen=True, slots=True)
class FoundList:
    """A list of numbers in a text.

    Attributes:
        start: position of its bracket.
        end: one past its closing bracket.
        name: the variable or label before it; "" where there is none.
        numbers: its values.
    """

    start: int
    end: int
    name: str
    numbers: tuple[Printed, ...]


def find_lists(text: str) -> Iterator[FoundList]:
    """Yield the lists of a text in their order.

    A list without a name has three values at least: one number in brackets is a footnote, and two
    are an interval.
    """
    position = tried = 0
    for bracket in re.finditer(r"[\[(]", text):
        start = bracket.start()
        if start < position or tried == MAX_LISTS:
            continue
        numbers, end = _numbers(text, start + 1, "]" if bracket[0] == "[" else ")")
        # What stands before is looked at only where numbers follow, which bounds the cost.
        if not numbers or text.startswith("(", end):
            continue
        position, tried = end, tried + 1
        name = _name(text, start, only_assigned=bracket[0] == "(")
        name = _printed_name(text, start) if name == "" else name
        if name is not None and len(numbers) >= (1 if name else 3):
            yield FoundList(start, end, name, numbers)


def find_bare_lists(text: str) -> Iterator[FoundList]:
    """Yield the lists that stand behind a name without brackets."""
    for match in _BARE.finditer(text):
        name = _name(text, match.start(1), only_assigned=False)
        found = re.findall(r"[0-9]+\.[0-9]+", match[1])
        numbers = tuple(number for part in found if (number := printed(part)))
        if name:
            yield FoundList(match.start(1), match.end(1), name, numbers)


def find_split_lists(text: str) -> Iterator[FoundList]:
    """Yield the lists that a program makes of a string of numbers."""
    for match in islice(_SPLIT.finditer(text), MAX_LISTS):
        parts = re.findall(r"[0-9]+\.[0-9]+", match[3])
        numbers = tuple(number for part in parts if (number := printed(part)))
        if numbers:
            yield FoundList(match.start(3), match.end(3), match[1], numbers)


def find_rows(text: str) -> Iterator[FoundList]:
    """Yield the lists that have a line for each value and nothing else."""
    for match in islice(_ROWS.finditer(text), MAX_LISTS):
        parts = re.findall(r"[0-9]\.[0-9]+", match[0])
        numbers = tuple(number for part in parts if (number := printed(part)))
        yield FoundList(match.start(), match.end(), "", numbers)


def _name(text: str, start: int, *, only_assigned: bool) -> str | None:
    """Return the name before a bracket; None where the bracket begins no list."""
    before = text[max(text.rfind("\n", 0, start) + 1, start - _LOOK_BACK) : start]
    before = _CALL.sub("", _CALL.sub("", before)) if not only_assigned else before
    match = _ASSIGNED.search(before)
    if match or only_assigned:
        return match[1] if match else None
    if re.search(r"[\w\])]$", before):
        return None
    match = _LABELLED.search(before)
    return match[1].strip() if match else ""


def _printed_name(text: str, start: int) -> str:
    """Return the losses or times that the line above prints, where a list begins its line."""
    line = text.rfind("\n", 0, start) + 1
    above = text[max(text.rfind("\n", 0, max(line - 1, 0)) + 1, line - _SHELL_LINE) : line]
    match = _PRINT.search(above) if not text[line:start].strip() else None
    return match[1] if match and kind_of(match[1]) else ""


def _numbers(text: str, position: int, closing: str) -> tuple[tuple[Printed, ...], int]:
    """Read numbers up to the closing bracket; none where anything else stands among them."""
    numbers: list[Printed] = []
    calls = 0
    while len(numbers) <= MAX_NUMBERS:
        if text.startswith(closing, position) and not calls:
            return tuple(numbers), position + 1
        token = _TOKEN.match(text, position)
        if token is None:
            break
        if token["number"]:
            number = printed(token["number"].rstrip("."))
            if number is None:
                break
            numbers.append(number)
        calls += bool(token["open"]) - bool(token["close"])
        if calls not in (0, 1):
            break
        position = token.end()
    return (), position
