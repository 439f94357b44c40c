"""A Markdown document as lines that know their heading and their code block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from speedcheck.claims.numbers import NUMBER

_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*)")
# "# p=0.0084" and "# acc: (tensor(0.0011), ...": a program's comment outside a code block.
_COMMENT = re.compile(
    r"\s*#\s*(?:[\w ().'\"-]{0,40}[=:]\s*\(?(?:tensor\(|[0-9.]|np\.)|\(tensor\(|[0-9]+\.[0-9])"
)
_FLOAT = re.compile(rf"(?:np|numpy)\.float(?:64|32)\(({NUMBER})\)")
_FENCE = re.compile(r"\s*(```|~~~)\s*([\w+-]*)")
_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}(?:\s[^()]{0,200})?\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")

# "2m 32.5s", "2 minutes and 32 seconds", 2'32": one number. "2:32" may be a time of the day.
_DURATION = re.compile(
    r"(?<![\w.:])(?:(?P<h>[0-9]{1,2}) ?h(?:ours?|rs?)?,? ?)?"
    r"(?P<m>[0-9]{1,4})(?: ?(?:m|mins?|minutes?)(?![A-Za-z])|['\u2032]),? ?(?:and )?"
    r"(?P<s>[0-9]{1,2})(?P<part>\.[0-9]{1,6})?(?: ?(?:s|secs?|seconds?)(?![A-Za-z])|[\"\u2033])"
)
_CLOCK = re.compile(
    r"(?<![\w.:])[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]{1,6})?(?![\w:]|\.[0-9])"
)

# Of a longer line the rest is not read; lists are, at any length.
MAX_LINE = 4_000

# What means the same number or letter in another way of writing.
_SAME = str.maketrans(
    {"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "µ": "μ", "\u200b": None}  # noqa: RUF001 - they are what is replaced
)
_LATEX = {
    "\\mu": "μ",
    "\\sigma": "σ",  # noqa: RUF001 - a Greek letter is meant
    "\\pm": "±",
    "\\times": "×",  # noqa: RUF001 - a multiplication sign is meant
    "\\cdot": "·",
    "\\approx": "≈",
    "\\leq": "<=",
    "\\lt": "<",
    "\\bar{x}": "mean",
    "&lt;": "<",
    "&gt;": ">",
    "&nbsp;": " ",
    "&plusmn;": "±",
    "≤": "<=",
    "≥": ">=",
    "->": "→",
    "=>": "→",
}
_ENTITY = re.compile("|".join(map(re.escape, _LATEX)))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document.

    Attributes:
        number: its number, from 1.
        text: what it says, without HTML comments.
        section: number of the heading that it stands under; 0 before the first.
        headings: that heading and those above it, outermost first.
        fence: number of the code block that it stands in; 0 outside.
        language: the code block's language.
    """

    number: int
    text: str
    section: int
    headings: tuple[str, ...]
    fence: int
    language: str


def normalised(text: str) -> str:
    """Return the document with one way of writing for each sign, and without HTML comments.

    Line ends stay where they are, so that lines keep their numbers.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_SAME)
    parts, position = [], 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start)
        end = len(text) if end < 0 else end + 3
        parts += [text[position:start], "\n" * text.count("\n", start, end)]
        position = end
    return "".join([*parts, text[position:]])


def read_lines(text: str) -> Iterator[Line]:
    """Yield the lines of a normalised document; headings and the rims of code blocks are not."""
    headings: list[tuple[int, str]] = []
    section = fence = fences = 0
    closing = language = ""
    for number, line in enumerate(text.split("\n"), start=1):
        rim = _FENCE.match(line)
        if rim and fence and rim[1] == closing:
            fence, language = 0, ""
        elif rim and not fence:
            fences += 1
            fence, closing, language = fences, rim[1], rim[2].lower()
        elif not fence and (heading := _HEADING.match(line)) and not _COMMENT.match(line):
            level = len(heading[1])
            headings = [*(h for h in headings if h[0] < level), (level, plain(heading[2]))]
            section += 1
        else:
            yield Line(
                number, line[:MAX_LINE], section, tuple(h[1] for h in headings), fence, language
            )


def plain(text: str) -> str:
    """Return a line of Markdown without its markup, and numbers without their numpy type.

    Durations are in seconds: "2m 32.5s" is "152.5 s".
    """
    text = _FLOAT.sub(r"\1", _TAG.sub(" ", _LINK.sub(r"\1", text)))
    text = _ENTITY.sub(lambda match: _LATEX[match[0]], text)
    text = text.replace("**", "").replace("`", "").replace("*", " ").replace("$", "")
    return _CLOCK.sub(" ", _DURATION.sub(_in_seconds, text))


def _in_seconds(duration: re.Match[str]) -> str:
    """Return a duration as a number of seconds; whole ones may be cut or rounded, so about it."""
    seconds = int(duration["s"]) + 60 * int(duration["m"]) + 3600 * int(duration["h"] or 0)
    return f"{seconds}{duration['part']} s" if duration["part"] else f"~{seconds} s"
