"""The documents of a record: what its people wrote of its runs.

They are README files and statistics.md of the record's folder, every Markdown, JSON and CSV file
there or beside the logs, and README and statistics.md of the folder above where that speaks of
this record alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from speedcheck.records.record_files import CERTIFICATE_NAME, MAX_FILES, refusal
from speedcheck.records.record_folder import Record

MAX_BYTES = 2**20
# A README with every figure of 1,500 runs has 100 kB and 3,000 lines.
MAX_LINES = 70_000
_MOST_DOCUMENTS = 64

_README = re.compile(
    r"readme[^.]{0,40}(?:\.(?:md|markdown|rst|txt))?|statistics\.md", re.IGNORECASE
)
_MARKDOWN = frozenset({".md", ".markdown"})
_DATA = frozenset({".json", ".csv"})


@dataclass(frozen=True, slots=True)
class Document:
    """A document, as seen from the record's folder.

    Attributes:
        name: its path, "../README.md" for one of the folder above.
        suffix: the ending of its name, in small letters.
        text: what it says, with line feeds at all line ends.
        unread: why it was not read; then `text` is empty.
    """

    name: str
    suffix: str
    text: str
    unread: str


def read_documents(record: Record) -> Iterator[Document]:
    """Yield the documents of a record; of data that cannot be read, none."""
    for path, name in islice(_paths(record), _MOST_DOCUMENTS):
        suffix, (text, unread) = path.suffix.lower(), _read(path)
        if not (unread and suffix in _DATA):
            yield Document(name, suffix, text, unread)


def _paths(record: Record) -> Iterator[tuple[Path, str]]:
    logs = {log.name for log in record.logs if log.runs}
    for folder in sorted({record.path, *((record.path / name).parent for name in logs)}):
        for path in _entries(folder):
            name = path.relative_to(record.path).as_posix()
            is_readme = folder == record.path and _README.fullmatch(path.name)
            is_document = is_readme or path.suffix.lower() in _MARKDOWN | _DATA
            if is_document and name not in logs and name != CERTIFICATE_NAME:
                yield path, name
    for path in _above(record):
        if _README.fullmatch(path.name) and path.suffix.lower() in _MARKDOWN:
            yield path, f"../{path.name}"


def _above(record: Record) -> list[Path]:
    """Return what the folder above holds; nothing if that may speak of other records, too.

    It does where it is a repository, or a folder in it holds folders or files like the logs.
    """
    own = record.path.resolve()
    suffixes = {Path(log.name).suffix for log in record.logs if log.runs}
    entries = [] if (own.parent / ".git").exists() else _entries(own.parent)
    # One by one: the first of a hundred records is enough.
    others = (path for path in entries if path != own and path.is_dir())
    is_shared = any(p.suffix in suffixes or p.is_dir() for o in others for p in _entries(o))
    return [] if is_shared else entries


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds; nothing of one that may not be looked into."""
    try:
        found = sorted(islice(folder.iterdir(), MAX_FILES), key=lambda path: path.name)
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".")]


def _read(path: Path) -> tuple[str, str]:
    """Return the text of a document, and why it is not read: one of them is empty."""
    refused = refusal(path)
    if refused:
        return "", refused
    try:
        size = path.stat().st_size
        # Bytes that are not UTF-8 are replaced; every line end becomes a line feed.
        text = path.read_text("utf-8-sig", "replace") if size <= MAX_BYTES else ""
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"
    lines = text.count("\n")
    if size > MAX_BYTES:
        return "", f"has {size} bytes, more than {MAX_BYTES}: it was not read"
    if lines > MAX_LINES:
        return "", f"has {lines} lines, more than {MAX_LINES}: it was not read"
    return text, ""
