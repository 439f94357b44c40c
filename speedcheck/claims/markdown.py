"""Markdown as passages: code, tables and text, each with its heading. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from speedcheck.claims.model import Passage, PassageKind, Rows

# A README with every figure of 1,500 runs has 100 kB and 3,000 lines.
MAX_LINES = 70_000

# Deeper quotes and lists hold nothing that anybody reads.
_MOST_NESTING = 20

_LANGUAGES = frozenset(
    {"", "python", "py", "python3", "pycon", "ipython", "text", "txt", "output", "console"}
    | {"bash", "sh", "shell", "shell-session", "log", "plaintext"}
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]{0,1000}>")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read_passages(text: str) -> Iterator[Passage]:
    """Yield the passages of a document in their order.

    HTML, code of other languages than Python and a shell's, and comments are left out. The
    parser takes time linear in the text and nests to a fixed depth.
    """
    place, level = _Place(), 0
    tokens = iter(_PARSER.parse(_COMMENT.sub(_blank, text)))
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "html_block":
            place.read_html(token.content)
        elif token.type == "inline":
            if level:
                place.read_heading(token.content[:200], level)
            yield place.passage("text", line, token.content)
            place.read_text("" if level else token.content, is_alone=token.level == 1)
            level = 0
        elif token.type == "table_open":
            yield place.passage("table", line, rows=_rows(tokens, line))
            place.read_text("")
        elif token.type in ("fence", "code_block"):
            if token.info.strip().partition(" ")[0].lower() in _LANGUAGES:
                yield place.passage("code", line + (token.type == "fence"), token.content)
            place.read_text("")


class _Place:
    """What was said above a place in a document: headings, a caption, a sentence."""

    def __init__(self) -> None:
        self._headings: dict[int, str] = {}
        self._is_titled = False
        self._caption = self._sentence = ""

    def passage(self, kind: PassageKind, line: int, text: str = "", rows: Rows = ()) -> Passage:
        """Return a passage at this place."""
        headings = list(self._headings.values())
        title = headings.pop(0) if self._is_titled and headings else ""
        about = " / ".join(filter(None, (*headings, self._caption)))
        return Passage(kind, line, text, rows, title, about, self._sentence)

    def read_heading(self, title: str, level: int) -> None:
        """Go on below a heading."""
        above = {depth: text for depth, text in self._headings.items() if depth < level}
        # The first heading is the title, until another of its level comes.
        self._is_titled = bool(above and self._is_titled) or not self._headings
        self._headings = {**above, level: title}

    def read_text(self, text: str, *, is_alone: bool = False) -> None:
        """Go on behind a paragraph or, where it is empty, behind anything else.

        One that ends in a colon, or a line that is not a sentence, is the caption of what follows.
        """
        last = _SENTENCE_END.split(text[-200:].strip())[-1]
        is_caption = last[-1:] == ":" or (is_alone and last[-1:] not in ".!?")
        self._caption = text[-200:] if is_caption else ""
        self._sentence = last

    def read_html(self, html: str) -> None:
        """Go on behind HTML; its text is a caption, such as that of details."""
        text = _TAG.sub(" ", html).strip()
        self._caption = text[-200:] or self._caption


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
