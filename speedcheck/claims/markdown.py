"""Markdown as passages: code, tables and text, each with its heading. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

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
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read_passages(text: str) -> Iterator[Passage]:
    """Yield the passages of a document in their order.

    HTML, code of other languages than Python and a shell's, and comments are left out. The
    parser takes time linear in the text and nests to a fixed depth.
    """
    headings: dict[int, str] = {}
    lead, above, level, is_title = "", "", 0, True
    tokens = iter(_PARSER.parse(_COMMENT.sub(_blank, text)))
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        if token.type == "heading_open":
            level = int(token.tag[1:])
        if token.type not in ("inline", "fence", "code_block", "table_open"):
            continue
        if level:
            headings = {depth: title for depth, title in headings.items() if depth < level}
            headings[level] = token.content[:200]
        about = " / ".join((*headings.values(), lead))
        passage = Passage("text", line, about=about, above=above)
        if token.type == "inline":
            yield replace(passage, text=token.content)
            last = _SENTENCE_END.split(token.content[-200:].strip())[-1]
            # A text that ends in a colon, or a line that is not a sentence, is of what follows it.
            is_caption = last[-1:] == ":" or (token.level == 1 and last[-1:] not in ".!?")
            lead = token.content[-200:] if is_caption else ""
            # The title names the record, and says nothing of one list.
            above, is_title = "" if level and is_title else last, is_title and not level
        else:
            lead = above = ""
        level = 0
        if token.type == "table_open":
            yield replace(passage, kind="table", rows=_rows(tokens, line))
        elif token.type != "inline" and _language(token) in _LANGUAGES:
            first = line + (token.type == "fence")
            yield replace(passage, kind="code", line=first, text=token.content)


_PARSER = MarkdownIt("commonmark", {"maxNesting": _MOST_NESTING}).enable("table")
# What is inside a paragraph is read here: reading it as Markdown, too, would cost more than all.
_PARSER.disable(["inline", "reference"])


def _language(token: Token) -> str:
    return token.info.strip().partition(" ")[0].lower()


def _blank(comment: re.Match[str]) -> str:
    """Return the line ends of a comment, so that lines keep their numbers."""
    return "\n" * comment[0].count("\n")


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
