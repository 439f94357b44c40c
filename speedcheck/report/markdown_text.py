"""Markdown of what strangers wrote: code spans, and tables of them.

Markdown, HTML and links mean nothing inside a code span, and GitHub looks for mentions and
references everywhere but there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from speedcheck.report.wording import printable

# A longer text tells the reader of a comment nothing more.
_LONGEST_TEXT = 500

# A pipe would end the cell of a table, and a GitHub runner obeys `##[name]` in what a job prints.
_OUTSIDE_CODE = re.compile(r"(\|+|(?<=##)\[)")


def code(text: str) -> str:
    """Return Markdown that shows `text`, cut to 500 characters, and obeys nothing in it.

    It fits into one line and into one cell of a table.
    """
    shown = printable(text[: _LONGEST_TEXT + 1])
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[: _LONGEST_TEXT - 3]}..."
    pieces = _OUTSIDE_CODE.split(shown)
    return "".join(_references(p) if i % 2 else _span(p) for i, p in enumerate(pieces))


def _references(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def _span(text: str) -> str:
    """Return a code span, between more backticks than `text` has in a row."""
    if not text:
        return ""
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # A renderer takes one blank from each end where both have one, and other text stands between.
    edges = text[0] + text[-1]
    pad = " " if text.strip() and ("`" in edges or edges == "  ") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown; a column named ">..." is aligned right."""
    names = [column.lstrip(">") for column in columns]
    rules = ["---:" if column.startswith(">") else "---" for column in columns]
    return "\n".join(map(_row, (names, rules, *rows)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_within(columns: Sequence[str], rows: Sequence[Sequence[str]], max_characters: int) -> str:
    """Return a table of the rows that there is room for; the last one says how many it lacks."""
    size = len(table(columns, ()))
    for shown, row in enumerate(rows):
        missing = f"{len(rows) - shown} more, left out for want of room"
        rest = (missing, *[""] * (len(columns) - 1))
        size += len(_row(row)) + 1
        if size + len(_row(rest)) + 1 > max_characters:
            return table(columns, [*rows[:shown], rest])
    return table(columns, rows)
