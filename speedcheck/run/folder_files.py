"""A new folder of a record or a race, and the whole files that are written into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from speedcheck.errors import RecordError, advice_on, is_full
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_files import LOGS_NAME


def today() -> str:
    """Return the date as record.toml has it."""
    return datetime.now(UTC).date().isoformat()


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds anything; an empty one is not a record.

    Raises:
        RecordError: something is there.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    is_folder = folder.is_dir()
    what = "the folder exists" if is_folder else "is a file"
    remedy = "add --resume or another --out" if is_folder else "choose another --out"
    raise RecordError(what, where=str(folder), remedy=remedy)


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a record or a race, with an empty ledger; its plan is written inside.

    Nothing of it stays where that fails, so that the same command can be typed again.

    Raises:
        RecordError: something is there, or it cannot be made.
    """
    refuse_taken(folder)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Of two commands that start here at one time, the other has nothing to clear.
        (folder / LEDGER_NAME).touch(exist_ok=False)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error
    try:
        yield
    except BaseException:
        _clear(folder, is_new=is_new)
        raise


def _clear(folder: Path, *, is_new: bool) -> None:
    """Delete what a failed start has left; a folder that was there before stays, empty."""
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
    if is_new:
        with suppress(OSError):
            folder.rmdir()


def make_logs(folder: Path) -> None:
    """Make the folder of a record's logs, which need not exist.

    Raises:
        RecordError: it cannot be made.
    """
    try:
        (folder / LOGS_NAME).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error


def _cannot_be_made(folder: Path, error: OSError) -> RecordError:
    remedy = "free some space" if is_full(error) else "choose another --out"
    return RecordError(f"cannot be made ({error.strerror})", where=str(folder), remedy=remedy)


def write_whole(path: Path, text: str) -> None:
    """Write a whole file or none: the old content stays if the disk is full."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecordError(
            f"cannot write ({error.strerror}); the logs and the ledger are kept",
            where=str(path),
            remedy=f"{advice_on(error)}, then add --resume",
        ) from error
