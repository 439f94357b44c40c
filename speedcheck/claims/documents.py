"""The documents that state figures of a record, read and compared with its runs.

They are README files and statistics.md of the record's folder, every Markdown, JSON and CSV file
there or beside the logs, and README and statistics.md of the folder above where that speaks of
this record alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from speedcheck.certificate import JudgedRun
from speedcheck.claims.code import read_code, read_lists
from speedcheck.claims.evidence import PrintedElsewhere, Samples
from speedcheck.claims.markdown import MAX_LINES, read_passages
from speedcheck.claims.model import DocumentClaims, Figure, Reader, Remark
from speedcheck.claims.tables import read_csv, read_json, read_table
from speedcheck.claims.text import read_text
from speedcheck.claims.verdict import compare
from speedcheck.logs import Run
from speedcheck.records.record_files import MAX_FILES, refusal
from speedcheck.records.record_folder import Record
from speedcheck.rules.tracks import Track

MAX_BYTES = 2**20
MAX_CLAIMS = 1_000

_MOST_DOCUMENTS = 64
# Of one document.
_MOST_FIGURES = 300
_FRACTION = re.compile(r"[0-9]\.[0-9]")

_README = re.compile(
    r"readme[^.]{0,40}(?:\.(?:md|markdown|rst|txt))?|statistics\.md", re.IGNORECASE
)
_MARKDOWN = frozenset({".md", ".markdown"})
_DATA = {".json": read_json, ".csv": read_csv}
_SUFFIXES = frozenset({*_MARKDOWN, *_DATA})
_WRITTEN_BY_US = "certificate.json"


def document_claims(
    record: Record, runs: Iterable[tuple[Run, JudgedRun]], track: Track
) -> DocumentClaims:
    """Recompute what the documents of a record claim.

    Args:
        record: the record as it was read.
        runs: each run of its logs with what was decided of it.
        track: its track.
    """
    samples = Samples(runs)
    sizes = frozenset(map(len, samples.all))
    elsewhere = PrintedElsewhere(record, track.measure)
    parts: list[DocumentClaims] = []
    for path, name in islice(_documents(record), _MOST_DOCUMENTS):
        suffix, (written, unread) = path.suffix.lower(), _read(path)
        if not unread:
            reader = Reader(name, track.measure, samples.level, sizes)
            figures = _DATA.get(suffix, read_document)(written, reader)
            read = list(islice(figures, _MOST_FIGURES))
            parts.append(compare(read, samples, track, elsewhere))
        elif suffix not in _DATA:
            parts.append(DocumentClaims(unread=(Remark(name, unread),)))
    return _joined(parts, samples)


def read_document(written: str, reader: Reader) -> Iterator[Figure]:
    """Yield the figures of a Markdown document; nothing of it is executed."""
    for passage in read_passages(written):
        if passage.kind == "table":
            yield from read_table(passage, reader)
        elif passage.kind == "code" and _FRACTION.search(passage.text):
            yield from read_code(passage, reader)
        elif _FRACTION.search(passage.text):
            yield from read_lists(passage, reader)
            yield from read_text(passage, reader)


def _documents(record: Record) -> Iterator[tuple[Path, str]]:
    """Yield each document with its name as seen from the record's folder."""
    logs = {log.name for log in record.logs if log.runs}
    for folder in sorted({record.path, *((record.path / name).parent for name in logs)}):
        for path in _entries(folder):
            name = path.relative_to(record.path).as_posix()
            is_readme = folder == record.path and _README.fullmatch(path.name)
            is_document = is_readme or path.suffix.lower() in _SUFFIXES
            if is_document and name not in logs and name != _WRITTEN_BY_US:
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
        written = path.read_text("utf-8-sig", "replace") if size <= MAX_BYTES else ""
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"
    lines = written.count("\n")
    if size > MAX_BYTES or lines > MAX_LINES:
        limits = f"{MAX_BYTES} bytes or {MAX_LINES} lines"
        return "", f"has {size} bytes and {lines} lines, more than {limits}: it was not read"
    return written, ""


def _joined(parts: list[DocumentClaims], samples: Samples) -> DocumentClaims:
    """Put the comparisons of all documents together; a run that one of them lists is listed."""
    listed = frozenset(name for part in parts for name in part.listed)
    others = tuple(run.name for run in samples.counted if run.name not in listed)
    # Documents that list fewer show examples.
    are_listed = listed and 3 * len(others) <= len(samples.counted)
    return DocumentClaims(
        claims=tuple(claim for part in parts for claim in part.claims)[:MAX_CLAIMS],
        shortfalls=tuple(shortfall for part in parts for shortfall in part.shortfalls),
        seeds=tuple(difference for part in parts for difference in part.seeds),
        listed=listed,
        unlisted=others if are_listed else (),
        steps=tuple(sorted({step for part in parts for step in part.steps})),
        unread=tuple(remark for part in parts for remark in part.unread),
    )
