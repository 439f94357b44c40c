"""Files that are written whole or not at all, and why one cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from speedcheck.errors import RecordError, SpeedcheckError, UsageError, advice_on, is_full

_NO_RIGHTS = (errno.EACCES, errno.EPERM)


def write_whole(path: Path, data: bytes, kind: type[SpeedcheckError] = UsageError) -> None:
    """Write a file beside its place and rename it, so that no moment shows half of it.

    A link stays a link, and a file keeps its rights. What is not a regular file, such as a pipe,
    is written to as it is.

    Args:
        path: the file; an old one is replaced.
        data: what it is to hold.
        kind: the error to raise.

    Raises:
        SpeedcheckError: it cannot be written; an old file is as it was, and of a new one nothing
            is left.
    """
    try:
        place = path.resolve()
        if place.exists() and not place.is_file():
            place.write_bytes(data)
        else:
            _replace(place, data)
    except OSError as error:
        raise not_written(path, error, kind) from error


def partial_of(path: Path) -> Path:
    """Return the file that becomes `path` when it is whole."""
    return path.with_name(f".{path.name}.partial")


def _replace(path: Path, data: bytes) -> None:
    partial = partial_of(path)
    try:
        if partial.is_symlink():
            # A stranger's link must not lead elsewhere; another file may be locked, and stays.
            partial.unlink()
        partial.write_bytes(data)
        if path.exists():
            partial.chmod(path.stat().st_mode & 0o777)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist, the whole file or none.

    Raises:
        RecordError: it exists, or cannot be written.
    """
    try:
        with path.open("xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise not_written(path, error, RecordError) from error


def not_written(
    path: Path, error: OSError, kind: type[SpeedcheckError] = UsageError
) -> SpeedcheckError:
    """Return the error of a file that cannot be written, with what helps against its cause."""
    helps = is_full(error) or error.errno in _NO_RIGHTS
    remedy = advice_on(error) if helps else "name another place"
    return kind(f"cannot write ({error.strerror})", where=str(path), remedy=remedy)
