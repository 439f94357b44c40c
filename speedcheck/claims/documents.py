"""The documents that state figures of a record, read and compared with its runs.

They are README files and statistics.md of the record's folder, every Markdown, JSON and CSV file
there or beside the logs, and README and statistics.md of the folder above where that speaks of
this record alone.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from speedcheck.certificate import JudgedRun
from speedcheck.claims.code import read_code, read_lists
from speedcheck.claims.data import read_csv, read_json, read_table
from speedcheck.claims.evidence import PrintedElsewhere, Samples
from speedcheck.claims.judge import compare
from speedcheck.claims.markdown import MAX_LINES, read_passages
from speedcheck.claims.model import DocumentClaims, Figure, Question, Reader, Remark
from speedcheck.claims.text import read_text
from speedcheck.logs import Run
from speedcheck.records.record_files import MAX_FILES
from speedcheck.records.record_folder import Record

MAX_BYTES = 2**20
MAX_CLAIMS = 1_000

_MOST_DOCUMENTS = 64
# Passages with a fraction in them, and figures, that one document is read for.
_MOST_PASSAGES = 3_000
_MOST_FIGURES = 300
_FRACTION = re.compile(r"[0-9]\.[0-9]")

_README = re.compile(
    r"readme[^.]{0,40}(?:\.(?:md|markdown|rst|txt))?|statistics\.md", re.IGNORECASE
)
_MARKDOWN = frozenset({".md", ".markdown"})
_WRITTEN_BY_US = frozenset({"certificate.json"})


def document_claims(
    record: Record, runs: Iterable[tuple[Run, JudgedRun]], question: Question
) -> DocumentClaims:
    """Recompute what the documents of a record claim.

    Args:
        record: the record as it was read.
        runs: each run of its logs with what was decided of it.
        question: the test of its track.
    """
    samples = Samples(runs)
    sizes = frozenset(map(len, samples.all))
    elsewhere = PrintedElsewhere(record, question.measure)
    parts: list[DocumentClaims] = []
    unread: list[Remark] = []
    for path, name in islice(_documents(record), _MOST_DOCUMENTS):
        written = _read(path)
        if isinstance(written, str):
            reader = Reader(name, question.measure, samples.level, sizes)
            stated = _statements(path, written, reader)
            parts.append(compare(stated, samples, question, elsewhere))
        elif path.suffix.lower() not in (".json", ".csv"):
            unread.append(Remark(name, written.message))
    return _joined(parts, tuple(unread))


def _statements(path: Path, written: str, reader: Reader) -> list[Figure]:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_json(written, reader)
    return read_csv(written, reader) if suffix == ".csv" else read_document(written, reader)


def read_document(written: str, reader: Reader) -> list[Figure]:
    """Return the figures of a Markdown document; nothing of it is executed."""
    figures: list[Figure] = []
    left = _MOST_PASSAGES
    for passage in read_passages(written):
        if left == 0 or len(figures) > _MOST_FIGURES:
            break
        if passage.kind == "table":
            figures += read_table(passage, reader)
        elif not _FRACTION.search(passage.text):
            continue
        elif passage.kind == "code":
            figures += read_code(passage, reader)
        else:
            figures += [*read_lists(passage, reader), *read_text(passage, reader)]
        left -= 1
    return figures


def _documents(record: Record) -> Iterator[tuple[Path, str]]:
    """Yield each document with its name as seen from the record's folder."""
    logs = {log.name for log in record.logs if log.runs}
    folders = {record.path, *((record.path / name).parent for name in logs)}
    for folder in sorted(folders):
        for path in _entries(folder):
            name = path.relative_to(record.path).as_posix()
            if name in logs or name in _WRITTEN_BY_US:
                continue
            is_readme = folder == record.path and _README.fullmatch(path.name)
            if is_readme or path.suffix.lower() in (*_MARKDOWN, ".json", ".csv"):
                yield path, name
    if _is_alone(record):
        for path in _entries(record.path.resolve().parent):
            if _README.fullmatch(path.name) and path.suffix.lower() in _MARKDOWN:
                yield path, f"../{path.name}"


def _is_alone(record: Record) -> bool:
    """Return whether the folder above holds no other folder with files like this one's logs."""
    own = record.path.resolve()
    above = own.parent
    if own == above or (above / ".git").exists():
        return False
    suffixes = {Path(log.name).suffix for log in record.logs if log.runs}
    # One by one: the first of a hundred records is enough.
    siblings = (path for path in _entries(above) if path != own and path.is_dir())
    return not any(
        path.suffix in suffixes or path.is_dir() for folder in siblings for path in _entries(folder)
    )


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds; nothing of one that may not be looked into."""
    try:
        found = sorted(islice(folder.iterdir(), MAX_FILES), key=lambda path: path.name)
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".")]


def _read(path: Path) -> str | Remark:
    """Return the text of a document; bytes that are not UTF-8 are replaced."""
    if path.is_symlink() or not path.is_file():
        return Remark(path.name, "is a link or not a regular file: it is not followed")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Remark(path.name, f"has {size} bytes, more than {MAX_BYTES}: it was not read")
        data = path.read_bytes()
    except OSError as error:
        return Remark(path.name, f"cannot be read ({error.strerror})")
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    written = data.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")
    # The lines that Markdown and the figures are counted by.
    written = written.replace("\r\n", "\n").replace("\r", "\n")
    lines = written.count("\n")
    if lines > MAX_LINES:
        return Remark(path.name, f"has {lines} lines, more than {MAX_LINES}: it was not read")
    return written


def _joined(parts: list[DocumentClaims], unread: tuple[Remark, ...]) -> DocumentClaims:
    """Put the comparisons of all documents together; a run that one of them lists is listed."""
    unlisted = [part.unlisted for part in parts if part.unlisted is not None]
    names = [name for name in unlisted[0] if all(name in u for u in unlisted)] if unlisted else []
    return DocumentClaims(
        claims=tuple(claim for part in parts for claim in part.claims)[:MAX_CLAIMS],
        shortfalls=tuple(shortfall for part in parts for shortfall in part.shortfalls),
        seeds=tuple(difference for part in parts for difference in part.seeds),
        unlisted=tuple(names),
        steps=tuple(sorted({step for part in parts for step in part.steps})),
        unread=unread,
    )
