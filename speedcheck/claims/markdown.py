"""Markdown as passages: code, tables and text, each with its heading. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from speedcheck.claims.model import Passage

# A README with every figure of 1,500 runs has 100 kB and 3,000 lines.
MAX_LINES = 70_000

# Deeper quotes and lists hold nothing that anybody reads.
_MOST_NESTING = 20

_LANGUAGES = frozenset(
    {"", "python", "py", "python3", "pycon", "ipython", "text", "txt", "output", "console"}
    | {"bash", "sh", "shell", "shell-session", "log", "plaintext"}
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def read_passages(text: str) -> Iterator[Passage]:
    """Yield the passages of a document in their order.

    HTML, code of other languages than Python and a shell's, and comments are left out. The
    parser takes time linear in the text and nests to a fixed depth.
    """
    headings: dict[int, str] = {}
    lead, is_heading = "", 0
    tokens = iter(_PARSER.parse(_COMMENT.sub(_blank, text)))
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        if token.type == "heading_open":
            is_heading = int(token.tag[1:])
        elif token.type == "inline":
            if is_heading:
                kept = {level: title for level, title in headings.items() if level < is_heading}
                headings = {**kept, is_heading: token.content[:200]}
            above, lead = lead, token.content[-500:]
            yield Passage("text", token.content, line, (), _path(headings), above)
            is_heading = 0
        elif token.type in ("fence", "code_block"):
            language = token.info.strip().partition(" ")[0].lower()
            if language in _LANGUAGES:
                first = line + (token.type == "fence")
                yield Passage("code", token.content, first, (), _path(headings), lead)
            lead = ""
        elif token.type == "table_open":
            yield Passage("table", "", line, _rows(tokens, line), _path(headings), lead)
            lead = ""


_PARSER = MarkdownIt("commonmark", {"maxNesting": _MOST_NESTING}).enable("table")
# What is inside a paragraph is read here: reading it as Markdown, too, would cost more than all.
_PARSER.disable(["inline", "reference"])


def _blank(comment: re.Match[str]) -> str:
    """Return the line ends of a comment, so that lines keep their numbers."""
    return "\n" * comment[0].count("\n")


def _path(headings: dict[int, str]) -> str:
    return " / ".join(headings.values())


def _rows(tokens: Iterator[Token], line: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
    rows: list[tuple[int, list[str]]] = []
    for token in tokens:
        if token.type == "tr_open":
            # Below the header is a line of dashes.
            rows.append((line + len(rows) + bool(rows), []))
        elif token.type == "inline" and rows:
            rows[-1][1].append(token.content)
        elif token.type == "table_close":
            break
    return tuple((number, tuple(cells)) for number, cells in rows)
