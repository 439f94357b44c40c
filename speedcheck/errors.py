"""The one tree of errors: what is wrong, where, and what to do about it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpeedcheckError(Exception):
    """The call or its input cannot be used; the command line prints it and exits with 2.

    Args:
        what: what is wrong, with the offending value.
        where: the file, line or option that holds it; "" where `what` names it.
        remedy: what to do next; "" where nothing can be done.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


@dataclass(frozen=True, slots=True)
class Unusable:
    """A folder that could not be judged.

    Attributes:
        folder: the folder as it was named or found.
        error: why.
    """

    folder: Path
    error: SpeedcheckError


class UsageError(SpeedcheckError):
    """An option or argument has no usable value."""


class NothingSelectedError(UsageError):
    """The patterns of the caller leave no log of a record."""


class InputError(SpeedcheckError):
    """A file or folder that was named is missing, unreadable or not what it should be."""


class NoRecordError(InputError):
    """A folder that was named is there and holds no record."""


class RecordError(SpeedcheckError):
    """A record folder cannot be written, resumed or trusted."""


class LaunchError(SpeedcheckError):
    """The trainer cannot be started on this machine."""


def is_full(error: OSError) -> bool:
    """Return whether a disk or a quota had no room for what was written."""
    return error.errno in _FULL


def advice_on(error: OSError) -> str:
    """Return what to do about a file that cannot be written."""
    return "free some space" if is_full(error) else "check its rights"


def not_read(path: Path, error: OSError) -> InputError:
    """Return the error of a file or folder that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return InputError("does not exist", where=str(path), remedy="name one that does")
    remedy = "check its rights" if isinstance(error, PermissionError) else "name another"
    return InputError(f"cannot be read ({error.strerror})", where=str(path), remedy=remedy)
