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


class _Place:
    """Where in a document a token is: its sections, its quotes, and the text directly above."""

    def __init__(self) -> None:
        self.above = ""
        self._headings: dict[int, str] = {}
        self._quotes: list[str] = []
        self._level = 0

    def enter(self, token: Token) -> None:
        """Take notice of a heading, or of a quote: the text above it is said of all of it."""
        if token.type == "heading_open":
            self._level = int(token.tag[1:])
            self._headings = {n: text for n, text in self._headings.items() if n < self._level}
        elif token.type == "blockquote_open":
            self._quotes.append(_last_sentence(self.above))
        elif token.type == "blockquote_close":
            self._quotes.pop()

    def text(self, line: int, content: str) -> Passage:
        """Return running text or a heading, which from then on is above, or a section's."""
        kind: PassageKind = "title" if self._level == 1 else "text"
        if self._level:
            self._headings[self._level] = content[:_MOST_CHARACTERS]
        passage = Passage(kind, line, content, context=self.context)
        self.above, self._level = "" if self._level else content, 0
        return passage

    @property
    def context(self) -> str:
        """The headings without the title, of level 1, and the sentences directly above."""
        sections = (text for level, text in self._headings.items() if level > 1)
        return " / ".join((*sections, *self._quotes, _last_sentence(self.above)))


def _last_sentence(text: str) -> str:
    return _SENTENCE_END.split(text[-_MOST_CHARACTERS:].strip())[-1]


def read_passages(text: str) -> Iterator[Passage]:
    """Yield the passages of a document in their order.

    HTML, code of other languages than Python and a shell's, and comments are left out. The
    parser takes time linear in the text and nests to a fixed depth.
    """
    place = _Place()
    tokens = iter(_PARSER.parse(_COMMENT.sub(_blank, text)))
    for token in tokens:
        line, content = token.map[0] + 1 if token.map else 0, token.content
        place.enter(token)
        if token.type == "inline":
            yield place.text(line, content)
        elif token.type == "html_block":
            # Its text is said of what follows, such as that of details.
            place.above = _TAG.sub(" ", content).strip() or place.above
        elif token.type == "table_open":
            yield Passage("table", line, rows=_rows(tokens, line), context=place.context)
            place.above = ""
        elif token.type in ("fence", "code_block"):
            if token.info.strip().partition(" ")[0].lower() in _LANGUAGES:
                fence = token.type == "fence"
                yield Passage("code", line + fence, content, context=place.context)
            place.above = ""


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
