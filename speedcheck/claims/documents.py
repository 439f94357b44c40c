"""The documents that claim figures of a record: README.md and statistics.md, here or above."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from speedcheck.certificate import JudgedRun
from speedcheck.claims.compare import Comparison, compare
from speedcheck.claims.model import Series
from speedcheck.claims.pools import Pools, pools_of
from speedcheck.claims.reader import read_claims
from speedcheck.claims.recompute import Question
from speedcheck.logs import Run
from speedcheck.records.files import LOGS_NAME, MAX_FILES
from speedcheck.records.folder import Record

# A README with every figure of 1,500 runs has 100 kB.
MAX_BYTES = 2**20
MAX_CLAIMS = 1_000

_STEMS = frozenset({"readme", "statistics"})
_SUFFIXES = frozenset({".md", ".markdown"})
# A folder of more is the list of a track's records, whose README is no claim of any one of them.
_MOST_SIBLINGS = 16
_NO_LOGS = _SUFFIXES | {".png", ".jpg", ".jpeg", ".svg", ".gif", ".pdf", ".py"}


@dataclass(frozen=True, slots=True)
class Unread:
    """A document that was not read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentClaims:
    """What the documents of a record claim, compared with its runs.

    Attributes:
        comparison: the claims, and how the lists and the logs differ.
        unread: documents that were not read.
    """

    comparison: Comparison = field(default_factory=Comparison)
    unread: tuple[Unread, ...] = ()

    @property
    def claims(self):
        return self.comparison.claims

    @property
    def steps(self):
        return self.comparison.steps


def document_claims(
    record: Record, runs: Iterable[tuple[Run, JudgedRun]], question: Question
) -> DocumentClaims:
    """Recompute what README.md, statistics.md and a README above the folder claim.

    Args:
        record: the record as it was read.
        runs: each run of its logs with what was decided of it.
        question: the test of its track.
    """
    pools = pools_of(runs)
    parts: list[Comparison] = []
    unread: list[Unread] = []
    for document in _documents(record.path):
        text = _read(document.path)
        if isinstance(text, str):
            parts.append(_compare(document, text, pools, question))
        else:
            unread.append(Unread(document.name, text.reason))
    return DocumentClaims(_joined(parts), tuple(unread))


def listed_losses(record: Record) -> tuple[Series, ...]:
    """Return the lists of losses that the record's own documents claim for it."""
    texts = (_read(document.path) for document in _documents(record.path) if document.is_own)
    return tuple(
        series
        for text in texts
        if isinstance(text, str)
        for claimed in read_claims(text)
        if claimed.role == "record"
        for series in claimed.of_kind("losses")
    )


@dataclass(frozen=True, slots=True)
class _Document:
    """A document and how it belongs to the record.

    Attributes:
        path: the file.
        name: the file from the record's folder, as claims name it.
        is_own: whether it lies in the record's folder.
        certain: whether it speaks of this record and no other.
    """

    path: Path
    name: str
    is_own: bool
    certain: bool


def _documents(folder: Path) -> list[_Document]:
    certain = not any(_has_files(child) for child in _subfolders(folder) if child.name != LOGS_NAME)
    own = [_Document(path, path.name, True, certain) for path in _claiming(folder)]
    parent = folder.resolve().parent
    above = _claiming(parent)
    if not above or (parent / ".git").exists():
        return own
    siblings = _subfolders(parent)
    if len(siblings) > _MOST_SIBLINGS:
        return own
    is_only = not _has_files(parent) and sum(map(_has_files, siblings)) == 1
    return own + [_Document(path, f"../{path.name}", False, is_only) for path in above]


def _claiming(folder: Path) -> list[Path]:
    return [
        path
        for path in _entries(folder)
        if path.stem.lower() in _STEMS and path.suffix.lower() in _SUFFIXES
    ]


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir() and not path.is_symlink()]


def _has_files(folder: Path) -> bool:
    """Return whether a folder holds anything but documents, pictures and programs."""
    return any(path.suffix.lower() not in _NO_LOGS and path.is_file() for path in _entries(folder))


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds; nothing of one that may not be looked into."""
    try:
        found = sorted(islice(folder.iterdir(), MAX_FILES))
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".")]


def _read(path: Path) -> str | Unread:
    """Return the text of a document; bytes that are no UTF-8 are replaced."""
    if path.is_symlink() or not path.is_file():
        return Unread(path.name, "is a link or no regular file: it is not followed")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Unread(path.name, f"has {size} bytes, more than {MAX_BYTES}: it was not read")
        data = path.read_bytes()
    except OSError as error:
        return Unread(path.name, f"cannot be read ({error.strerror})")
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")


def _compare(document: _Document, text: str, pools: Pools, question: Question) -> Comparison:
    """Compare one document; of one above several folders only what is of these runs is kept."""
    sets = read_claims(text)
    found = compare(sets, pools, question, document.name, certain=document.certain)
    if document.is_own or document.certain:
        return found
    kept = tuple(claim for claim in found.claims if claim.status != "not_checkable")
    return Comparison(kept, found.shortfalls, steps=found.steps) if kept else Comparison()


def _joined(parts: list[Comparison]) -> Comparison:
    """Put the comparisons of several documents together; a run that one of them lists is listed."""
    unlisted = [part.unlisted for part in parts if part.lists_runs]
    names = [name for name in unlisted[0] if all(name in u for u in unlisted)] if unlisted else []
    return Comparison(
        claims=tuple(claim for part in parts for claim in part.claims)[:MAX_CLAIMS],
        shortfalls=tuple(shortfall for part in parts for shortfall in part.shortfalls),
        unlisted=tuple(names),
        steps=tuple(sorted({step for part in parts for step in part.steps})),
    )
