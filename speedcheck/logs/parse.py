"""A whole file to its runs and problems."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from speedcheck.errors import InputError
from speedcheck.logs.model import LogFile, Problem
from speedcheck.logs.runs import read_runs
from speedcheck.logs.sections import SEPARATOR, find_sections
from speedcheck.logs.strays import find_validations
from speedcheck.logs.text import NotTextError, Problems, long_lines, normalise
from speedcheck.logs.validations import KEYWORDS

if TYPE_CHECKING:
    from pathlib import Path

    from speedcheck.logs.model import Run
    from speedcheck.logs.strays import find_validations
from speedcheck.logs.text import Text

Parser = Callable[[bytes, str], LogFile]
"""Reads the bytes of a file under a name, whatever they are."""

MAX_BYTES = 64 << 20
"""The longest published log has 0.8 MB; a larger file than 64 MiB would only fill the memory."""


MAX_SEPARATORS = 10_000
MAX_VALIDATIONS = 100_000
"""More than these is not a log but a file made to fill the memory with runs of one line each."""


def parse_log(data: bytes, name: str) -> LogFile:
    """Read the bytes of one file.

    Never raises: whatever the bytes are, the result has runs, or a problem that says why not.

    Args:
        data: the file's bytes: UTF-8, or UTF-16 with a byte order mark.
        name: what to call the log in its runs.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        text = normalise(data)
    except NotTextError as error:
        return LogFile(
            name,
            sha256,
            len(data),
            (),
            (Problem("not_text", None, str(error)),),
            tuple(find_validations(data)),
        )
    runs, problems = _read(text, name)
    return LogFile(name, sha256, len(data), tuple(runs), problems.all(), problems.unread)


def read_log(path: Path, root: Path, parse: Parser = parse_log) -> LogFile:
    """Read one file of a folder; it is named by its path below the folder.

    Args:
        path: the file.
        root: the folder.
        parse: what reads its bytes.

    Raises:
        InputError: the file cannot be read, or is not a regular file.
    """
    name = path.relative_to(root).as_posix()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", where=str(path))
        if status.st_size > MAX_BYTES:
            problem = Problem("too_large", None, f"larger than {MAX_BYTES >> 20} MiB: not read")
            return LogFile(name, None, status.st_size, (), (problem,))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from error
    return parse(data, name)


def program_text(data: bytes, run: Run) -> str:
    """The program embedded in a log, as text that is never run; "" where there is none.

    Args:
        data: the bytes that `run` was read from.
        run: a run of that file.

    Raises:
        NotTextError: the bytes are not those of a log.
    """
    if run.source_span is None:
        return ""
    return normalise(data).data[slice(*run.source_span)].decode("utf-8", "replace")


def _read(text: Text, name: str) -> tuple[list[Run], Problems]:
    problems = Problems(text.data)
    if flood := _flood(text.data):
        problems.add("flood", None, flood)
        return [], problems
    for position in long_lines(text.data):
        problems.add("long_line", position, "a line longer than 1 MiB is not read")
        problems.add_unread(
            position, text.data[position : position + 4000].decode("utf-8", "replace")
        )
    runs: list[Run] = []
    for section in find_sections(text.data, problems):
        runs += read_runs(text, section, name, len(runs), problems)
    if not runs:
        problems.add("no_run", None, "no step line" if text.data.strip() else "empty file")
    return runs, problems


def _flood(data: bytes) -> str:
    """Why a file is not worth reading; "" for every file that a trainer may have written."""
    if data.count(SEPARATOR) > MAX_SEPARATORS:
        return f"more than {MAX_SEPARATORS} separator lines: not read"
    # A file with less room than that need not be counted.
    has_room = len(data) > MAX_VALIDATIONS * min(map(len, KEYWORDS))
    if has_room and sum(map(data.count, KEYWORDS)) > MAX_VALIDATIONS:
        return f"more than {MAX_VALIDATIONS} validation lines: not read"
    return ""
