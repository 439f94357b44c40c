"""What a reader of bytes would see: encodings, escapes, markup and look-alike letters undone."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

Told = tuple[int, str]
"""A step, and the loss that is printed with it."""

# The two figures of a validation in any spelling, on a line that no grammar reads.
_FIGURE = re.compile(
    r"(?:(?:step|iter(?:ation)?)\b[\"']?[ :=]{0,3}[\"']?|\bs:)(?P<step>[0-9]{1,12})\b"
    r"|(?:val(?:idation)?[ _/-]?loss\b[\"']?[ :=]{0,3}[\"']?(?:(?:is|was|of|at) )?|\btel: {0,3})"
    r"(?P<loss>[0-9]{1,9}\.[0-9]{1,18})",
    re.IGNORECASE,
)

# Escapes of JSON, programs, HTML, addresses, mail, RTF, Markdown and LaTeX, and marks around words.
_DISGUISE = re.compile(
    r"""(?x)
    \\{1,2}u(?P<u>[0-9a-fA-F]{4})
    | (?:\\{1,2}x|\\'|[%=])(?P<x>[0-9a-fA-F]{2})
    | (?P<blank>\\{1,2}[nrt])
    | \\{1,4}(?P<sign>[!-/:-@\[-`{-~])
    | &\#?[0-9A-Za-z]{1,8};
    | (?P<mark> <[^<>\n]{1,200}> | [*`])
    """
)

# What a terminal does not show: colour codes, and characters that the next one is printed over.
_UNPRINTED = re.compile(r"\x1b\[[0-9;]{0,20}m|[^\n]\x08")


def told_by(line: str) -> list[Told]:
    """Return the validations that a line tells in any spelling, whichever figure comes first."""
    found: dict[Told, None] = {}
    for text in readings(line):
        step: str | None = None
        loss: str | None = None
        for match in _FIGURE.finditer(text):
            step, loss = match["step"] or step, match["loss"] or loss
            if step is not None and loss is not None:
                found.setdefault((int(step), loss))
                step = loss = None
    return list(found)


def readings(text: str) -> Iterator[str]:
    """Yield a text as it stands, and with its escapes and markup undone where it has any.

    Both are folded to ASCII where it looks alike, and have the line ends of the text. Takes time
    linear in the text.
    """
    if "\x1b" in text or "\b" in text:
        text = _UNPRINTED.sub("", text)
    yield fold(text)
    if _DISGUISE.search(text):
        yield fold(_DISGUISE.sub(_undone, text))


def decoded(data: bytes) -> Iterator[str]:
    """Yield the texts that bytes may be: UTF-8, without NUL bytes, or UTF-16."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # A NUL may stand between two letters, or end what was stored before a line.
    for instead in (b"", b" ")[: 1 + (b"\0" in data)]:
        yield data.replace(b"\0", instead).decode("utf-8", "replace")
    if b"\0" in data or data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        for encoding in ("utf-16-le", "utf-16-be"):
            try:
                yield data[: len(data) // 2 * 2].decode(encoding)
            except UnicodeDecodeError:
                continue


def _undone(match: re.Match[str]) -> str:
    """What an escape means; a blank for a line end, so that lines keep their numbers."""
    if match["blank"]:
        return " "
    if match["mark"]:
        return ""
    if match["sign"]:
        return match["sign"]
    # Half of a pair of surrogates is a character to Python, and to nobody who writes it.
    code = match["u"] or match["x"]
    found = html.unescape(f"&#x{code};" if code else match[0])
    if match["x"] and found.isalnum():
        # "val_loss=32" is not an escape.
        return match[0]
    return " " if found.isspace() else found


# The sign for bytes that are not text, common in binary files, is left as it is.
_FOREIGN = re.compile(r"[^\x00-\x7f\ufffd]+")


# Signs that nobody sees: those that format, and the marks above and below letters.
_UNSEEN = frozenset({"Cf", "Mn", "Me"})

# Small capitals and letters with a stroke or a hook.
_LATIN = re.compile(r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH |$)")

# Letters of other alphabets that print as a Latin one does; Unicode calls none of them compatible.
_LOOKALIKES = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04cf\u0501\u051b\u0578"
        "\u03b1\u03b9\u03bd\u03bf\u03c1\u03c4\u03c5\u0131\u217c\u0442\u043c\u0432",
        "aeopcyxsijldqnaivoptuiltmv",
        strict=True,
    )
)


def fold(text: str) -> str:
    """Return `text` with letters, signs, digits and blanks as the ASCII that a reader sees.

    Each character is folded on its own: to normalise a text as a whole takes time with the square
    of its combining marks.
    """
    return text if text.isascii() else _FOREIGN.sub(_fold_match, text)


def _fold_match(match: re.Match[str]) -> str:
    return match[0].translate(_FOLDED)


_MOST_KEPT = 0x10000


class _Folded(dict[int, str]):
    """The table for `str.translate`, filled with what it is asked for."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        shown = chr(code) if folded is None else folded
        # A text may hold each of a million characters, and the table is kept.
        if code < _MOST_KEPT:
            self[code] = shown
        return shown


def _fold_character(character: str) -> str | None:
    """Return the ASCII that a character stands for; None where it stands for none."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in _UNSEEN:
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    parts = unicodedata.normalize("NFKD", character)
    folded = "".join(part for part in parts if unicodedata.category(part) not in _UNSEEN)
    folded = _LOOKALIKES.get(folded.lower(), folded)
    if folded.isascii():
        return folded
    latin = _LATIN.match(unicodedata.name(character, ""))
    return latin[1].lower() if latin else None


_FOLDED = _Folded()
