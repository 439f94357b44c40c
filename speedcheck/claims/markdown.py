"""Markdown as passages: code, tables and text, each with its context. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from speedcheck.claims.model import Passage, PassageKind, Rows

# Deeper quotes and lists hold nothing that anybody reads.
_MOST_NESTING = 20

_LANGUAGES = frozenset(
    {"", "python", "py", "python3", "pycon", "ipython", "text", "txt", "output", "console"}
    | {"bash", "sh", "shell", "shell-session", "log", "plaintext"}
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]{0,1000}>")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_MOST_CHARACTERS = 200


def read_passages(text: str) -> Iterator[Passage]:
    """Yield the passages of a document in their order.

    HTML, code of other languages than Python and a shell's, and comments are left out. The
    parser takes time linear in the text and nests to a fixed depth.
    """
    headings: dict[int, str] = {}
    above, level = "", 0
    tokens = iter(_PARSER.parse(_COMMENT.sub(_blank, text)))
    for token in tokens:
        line, content = token.map[0] + 1 if token.map else 0, token.content
        context = _context(headings, above)
        if token.type == "heading_open":
            level = int(token.tag[1:])
            headings = {depth: text for depth, text in headings.items() if depth < level}
        elif token.type == "inline" and level:
            headings[level] = content[:_MOST_CHARACTERS]
            kind: PassageKind = "title" if level == 1 else "text"
            yield Passage(kind, line, content, context=_context(headings, above))
            above, level = "", 0
        elif token.type == "inline":
            yield Passage("text", line, content, context=context)
            above = content
        elif token.type == "html_block":
            # Its text is said of what follows, such as that of details.
            above = _TAG.sub(" ", content).strip() or above
        elif token.type == "table_open":
            yield Passage("table", line, rows=_rows(tokens, line), context=context)
            above = ""
        elif token.type in ("fence", "code_block"):
            if token.info.strip().partition(" ")[0].lower() in _LANGUAGES:
                yield Passage("code", line + (token.type == "fence"), content, context=context)
            above = ""


def _context(headings: dict[int, str], above: str) -> str:
    """Return the headings without the title, of level 1, and the sentence directly above."""
    sentence = _SENTENCE_END.split(above[-_MOST_CHARACTERS:].strip())[-1]
    return " / ".join((*(text for level, text in headings.items() if level > 1), sentence))


_PARSER = MarkdownIt("commonmark", {"maxNesting": _MOST_NESTING}).enable("table")
# What is inside a paragraph is read here: reading it as Markdown, too, would cost more than all.
_PARSER.disable(["inline", "reference"])


def _blank(comment: re.Match[str]) -> str:
    """Return the line ends of a comment, so that lines keep their numbers."""
    return "\n" * comment[0].count("\n")


def _rows(tokens: Iterator[Token], line: int) -> Rows:
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
