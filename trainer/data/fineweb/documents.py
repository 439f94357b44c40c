"""Users' text files as a stream of pieces, in bounded memory.

A .txt file is one document, a line of a .jsonl file is one, and a row of a .parquet file. A
document comes as one or more pieces whose tokens are those of the whole: GPT-2's pattern splits
text before white space that follows something else, whatever stands around it, so a cut there
changes nothing. Where a million characters have no such place, they are cut where they end.
"""

from __future__ import annotations

import codecs
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from trainer.data.fineweb.extras import require_package
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Characters of a piece at most: small enough to share the work, large enough to hide its cost.
PIECE_CHARACTERS = 1 << 20
READ_BYTES = 1 << 18
SEARCH_CHARACTERS = 1 << 10
# A longer line is a file that is no JSONL, and would not fit in memory.
LINE_BYTES = 1 << 28
# Rows of a Parquet file that are held at a time.
BATCH_ROWS = 256

SUFFIXES = (".txt", ".jsonl", ".parquet")

# White space that every version of GPT-2's pattern agrees on, behind what none takes for one.
_CUT = re.compile(r"(?<=\S)[ \n]")


class Piece(NamedTuple):
    """Some text, and whether a document begins with it."""

    text: str
    opens: bool


def read_pieces(paths: Iterable[Path], field: str) -> Iterator[Piece]:
    """Read the documents of all files in their order; those without any text are left out.

    Args:
        paths: .txt, .jsonl and .parquet files.
        field: name of the text in JSON objects, and of the column in Parquet files.

    Raises:
        TrainerError: a file cannot be read or is not what its name says; names line or row.
    """
    for path in paths:
        if path.suffix == ".txt":
            yield from cut_document(_decoded(path))
            continue
        for text in (_json_lines if path.suffix == ".jsonl" else _parquet_rows)(path, field):
            yield from cut_document([text])


def require_readable(paths: Iterable[Path]) -> None:
    """Check names and existence of all files, before any work is done.

    Raises:
        TrainerError: a file is missing, or its name has none of the known endings.
    """
    for path in paths:
        if not path.exists() or path.is_dir():
            what = "is a folder" if path.exists() else "does not exist"
            remedy = f"name files that end in {', '.join(SUFFIXES)}"
            raise TrainerError(what, where=str(path), remedy=remedy)
        if path.suffix not in SUFFIXES:
            raise TrainerError(
                "the ending of the name does not say how to read the file",
                where=str(path),
                remedy=f"known are {', '.join(SUFFIXES)}",
            )
        if path.suffix == ".parquet":
            require_package("pyarrow")
        with _open(path):
            pass


def cut_document(chunks: Iterable[str]) -> Iterator[Piece]:
    """Join a document's text and cut it into pieces of at most `PIECE_CHARACTERS`."""
    opens, text = True, ""
    for chunk in chunks:
        text += chunk
        start = 0
        while len(text) - start > PIECE_CHARACTERS:
            end = _cut_between(text, start, start + PIECE_CHARACTERS)
            yield Piece(text[start:end], opens)
            opens, start = False, end
        text = text[start:]
    if text:
        yield Piece(text, opens)


def _cut_between(text: str, start: int, stop: int) -> int:
    """Return the last place to cut between the two positions; `stop` where there is none."""
    # Backwards in stretches: the last place is nearly always close.
    for end in range(stop, start + 1, -SEARCH_CHARACTERS):
        begin = max(end - SEARCH_CHARACTERS, start + 1)
        places = [match.start() for match in _CUT.finditer(text, begin, end)]
        if places:
            return places[-1]
    return stop


def _decoded(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open(path) as file:
        chunk = file.read(READ_BYTES).removeprefix(codecs.BOM_UTF8)
        try:
            while chunk:
                yield decoder.decode(chunk)
                chunk = file.read(READ_BYTES)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            offset = file.tell() - len(error.object) + error.start
            raise _not_text(f"{path}, byte {offset}", error) from error


def _json_lines(path: Path, field: str) -> Iterator[str]:
    with _open(path) as file:
        number = 0
        while line := file.readline(LINE_BYTES):
            number += 1
            where = f"{path}:{number}"
            if len(line) == LINE_BYTES:
                raise TrainerError(f"the line is longer than {LINE_BYTES:,} bytes", where=where)
            if line.strip():
                yield _text_of(_json(line, where), field, where)


def _json(line: bytes, where: str) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _not_text(where, error) from error
    except (ValueError, RecursionError) as error:
        raise TrainerError(f"the line is not JSON ({error})", where=where) from error


def _text_of(row: Any, field: str, where: str) -> str:
    if not isinstance(row, dict) or field not in row:
        found = f"has {', '.join(row)}" if isinstance(row, dict) else f"is {type(row).__name__}"
        raise TrainerError(
            f"there is no field {field!r}: the line {found}",
            where=where,
            remedy="name it with --field",
        )
    return _checked_text(row[field], field, where)


def _checked_text(value: Any, field: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TrainerError(f"{field!r} is {type(value).__name__}, not text", where=where)
    return value


def _parquet_rows(path: Path, field: str) -> Iterator[str]:
    import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if field not in names:
                raise TrainerError(
                    f"there is no column {field!r}, only {', '.join(names)}",
                    where=str(path),
                    remedy="name it with --field",
                )
            row = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=[field]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield _checked_text(value, field, f"{path}, row {row}")
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise TrainerError(f"not a readable Parquet file ({what})", where=str(path)) from error


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise TrainerError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _not_text(where: str, error: UnicodeDecodeError) -> TrainerError:
    return TrainerError(
        f"the text is not UTF-8 (byte 0x{error.object[error.start]:02x})",
        where=where,
        remedy="convert it to UTF-8",
    )
