"""A new record folder, and the whole files that are written into it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from speedcheck import whole_file
from speedcheck.errors import RecordError
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


def make_folder(folder: Path) -> None:
    """Make a record folder and its folder of logs.

    Raises:
        RecordError: it cannot be made.
    """
    try:
        (folder / LOGS_NAME).mkdir(parents=True)
    except OSError as error:
        raise RecordError(
            f"cannot be made ({error.strerror})", where=str(folder), remedy="choose another --out"
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a whole file of a record or none: the old content stays if the disk is full.

    Raises:
        RecordError: it cannot be written.
    """
    try:
        whole_file.write_whole(path, text.encode(), RecordError)
    except RecordError as error:
        what = f"{error.what}; the logs and the ledger are kept"
        remedy = f"{error.remedy}, then add --resume"
        raise RecordError(what, where=error.where, remedy=remedy) from error
