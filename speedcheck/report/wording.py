"""Figures and foreign text in the form that every report shows them."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate


# In place of a figure that does not exist.
ABSENT = "-"

# The tails of a test hold only as far as its model does, and no data shows that they go further.
_SMALLEST_P = 1e-9


def printable(text: str) -> str:
    """Return `text` with every character that could steer a terminal made visible.

    Names and reasons come out of logs and folders that strangers wrote.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# GitHub's runner obeys `::name::` at the start of a line, behind blanks, and `##[name]` anywhere.
_COMMAND = re.compile(r"((?:\A|(?<=[\r\n]))[^\S\r\n]*):(?=:)|#(?=#\[)")


def without_commands(text: str) -> str:
    """Return `text`, one or more lines, without what a GitHub runner would take for a command.

    Of `::` at the start of a line and of `##[` the first character is shown as its escape, so that
    no file name can set a step's output, hide a word or end a group in the log of a workflow.
    """
    return _COMMAND.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return r"\x23" if match[1] is None else rf"{match[1]}\x3a"


def number(value: float | None, spec: str) -> str:
    """Return `value` in the format `spec`, or the sign for absence."""
    return ABSENT if value is None else format(value, spec)


def rounded(value: float | None) -> str:
    """Return a figure for people: five significant digits."""
    return significant(value, 5)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns, each after one blank."""
    every = list(rows)
    # The last cell of a row may be a sentence, and widens no column.
    widths: dict[int, int] = {}
    for row in every:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    return [
        " " + "  ".join(cell.ljust(widths.get(i, 0)) for i, cell in enumerate(row)).rstrip()
        for row in every
    ]


def p_value(p: float | None) -> str:
    """Return a p-value for people: two significant digits."""
    return "not defined" if p is None else f"{p:.2g}"


def two_digits(value: float | None) -> str:
    """Return a spread for people: two significant digits."""
    return significant(value, 2)


def significant(value: float | None, digits: int, sign: str = "") -> str:
    """Return a figure with so many significant digits and no point at its end; zero is "0"."""
    if value is None:
        return ABSENT
    return "0" if value == 0 else f"{value:{sign}#.{digits}g}".rstrip(".")


def small_p(p: float | None) -> str:
    """Return a p-value with its sign of relation, such as "= 0.012" or "< 1e-09"."""
    return f"< {_SMALLEST_P:g}" if p is not None and p < _SMALLEST_P else f"= {p_value(p)}"


def decimals(values: Iterable[float | None]) -> int:
    """Return the decimals that show every value as the logs print it, at most 6."""
    shown = [repr(value).partition(".")[2] for value in values if value is not None]
    return max((min(len(digits), 6) for digits in shown), default=4)


def with_distinct_names(judged: Sequence[tuple[PurePath, Certificate]]) -> list[Certificate]:
    """Return the certificates with the folder behind a record's name that several have."""
    names = Counter(certificate.record for _, certificate in judged)
    return [
        certificate
        if names[certificate.record] == 1
        else replace(certificate, record=f"{certificate.record} ({folder})")
        for folder, certificate in judged
    ]


def command(words: str, folder: Path | str) -> str:
    """Return a command with a folder as its last word, as it can be typed."""
    return f"speedcheck {words} {shlex.quote(str(folder))}"


def resume_command(folder: Path | str) -> str:
    """Return the words to type that continue a record."""
    return command("run --resume --out", folder)


def resume_race_command(folder: Path | str) -> str:
    """Return the words to type that continue a race."""
    return command("race --resume --out", folder)
