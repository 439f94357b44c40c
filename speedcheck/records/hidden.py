"""Whole runs in places that are not read as logs, and files that cannot be searched.

A README, a program, a picture or a line with a word before it can hold a run that its author would
rather not count. Two validations at different steps that no log of the folder has are taken for
such a run; one line is a quotation. So are three rows of a table at steps at which the logs
validate too: other tables tell of other things.
"""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath
from statistics import fmean

from speedcheck.logs import (
    LogFile,
    UnreadValidation,
    Validation,
    find_rows,
    find_validations,
    is_known,
    is_large_json,
    losses_by_step,
)
from speedcheck.records.record_files import kind_of

FEWEST_VALIDATIONS = 2
FEWEST_SCATTERED = 3
FEWEST_ROWS = 3

# The first bytes of compressed files and containers, whose content cannot be searched.
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\x04\x22\x4d\x18",
    b"\x5d\x00\x00",
    b"\x1f\x9d",
    # Pointers to files that Git LFS, git-annex and DVC store elsewhere.
    b"version https://git-lfs.github.com/spec/",
    b"/annex/objects/",
    b"outs:\n- md5:",
)
_TAR = slice(257, 262)
_HEAD = 4096

# Text is searched at 10 MiB a second, other bytes at 2.5.
MAX_BINARY_BYTES = 8 << 20

# The losses that the logs of a folder have at each step.
_Known = Mapping[int, set[float]]


@dataclass(frozen=True, slots=True)
class HiddenRun:
    """A whole run where no log is read.

    Attributes:
        file: the file's path inside the folder.
        line: line of its first validation.
        validations: number of its validations that no log has.
        last_loss: the loss of the last of them.
    """

    file: str
    line: int
    validations: int
    last_loss: float


@dataclass(frozen=True, slots=True)
class OpaqueFile:
    """A file that is not text.

    Attributes:
        name: its path inside the folder.
        is_searched: whether its bytes were searched; those of an archive or of a large file
            cannot be.
    """

    name: str
    is_searched: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search of files gave.

    Attributes:
        validations: the step lines in each file, by its path inside the folder.
        tables: the rows of its tables, of files that are neither documents nor programs.
        opaque: the files that are not text.
    """

    validations: Mapping[str, Sequence[UnreadValidation]]
    tables: Mapping[str, Sequence[UnreadValidation]]
    opaque: tuple[OpaqueFile, ...]


def look_into(root: Path, files: Iterable[Path]) -> Searched:
    """Search files for step lines, whatever they are; those that cannot be read hold none."""
    found: dict[str, Sequence[UnreadValidation]] = {}
    tables: dict[str, Sequence[UnreadValidation]] = {}
    opaque: list[OpaqueFile] = []
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            data = file.read_bytes()
        except OSError:
            continue
        is_binary = not _is_text(data[:_HEAD])
        is_table = kind_of(file) == "log"
        is_large = is_binary and len(data) > MAX_BINARY_BYTES
        is_closed = is_large or is_archive(data) or (is_table and is_large_json(data))
        if not is_closed:
            found[name] = find_validations(data)
            if is_table:
                tables[name] = find_rows(data)
        if is_closed or is_binary:
            opaque.append(OpaqueFile(name, is_searched=not is_closed))
    return Searched(found, tables, tuple(opaque))


def _is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-8; its last character may be cut."""
    try:
        text, _ = codecs.utf_8_decode(head, "strict", False)
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def is_archive(data: bytes) -> bool:
    """Return whether bytes are those of a compressed file or a container of files."""
    return data.startswith(_ARCHIVES) or data[_TAR] == b"ustar"


def hidden_runs(
    searched: Searched, logs: Sequence[LogFile], quotable: Sequence[LogFile] = ()
) -> tuple[HiddenRun, ...]:
    """Return the whole runs that neither a log of the folder has nor one that may be quoted.

    Of the lines of a log that were not read, those beside the log's own validation at their step
    print another figure of the same run, such as an average; all others may hide a run.
    """
    every = [*logs, *quotable]
    known = losses_by_step(v for log in every for run in log.runs for v in run.validations)
    found = [_hidden(file, lines, known) for file, lines in searched.validations.items()]
    if not any(found):
        found.append(_scattered(searched.validations, known))
    found += [_hidden(log.name, _away_from_own(log), known) for log in logs if log.unread]
    if any(searched.tables.values()):
        means = _with_means(known, every)
        found += [_hidden_curve(file, rows, means) for file, rows in searched.tables.items()]
    runs = {run.file: run for run in found if run is not None}
    return tuple(runs.values())


def _hidden(file: str, lines: Iterable[UnreadValidation], known: _Known) -> HiddenRun | None:
    unknown = _unknown(lines, known)
    if len({line.step for line in unknown}) < FEWEST_VALIDATIONS:
        return None
    return _run(file, unknown)


def _scattered(files: Mapping[str, Sequence[UnreadValidation]], known: _Known) -> HiddenRun | None:
    """The run that several files hold together, a validation in each; two may be quotations."""
    unknown = [(file, line) for file, lines in files.items() for line in _unknown(lines, known)]
    if len({line.step for _, line in unknown}) < FEWEST_SCATTERED:
        return None
    return _run(unknown[0][0], [line for _, line in unknown])


def _hidden_curve(file: str, rows: Iterable[UnreadValidation], known: _Known) -> HiddenRun | None:
    """The run whose course a table shows: a list of final losses by steps has fewer such rows."""
    unknown = [row for row in _unknown(rows, known) if row.step in known]
    steps = {row.step or 0 for row in unknown}
    if len(steps) < FEWEST_ROWS or 2 * min(steps) > max(steps):
        return None
    return _run(file, unknown)


def _run(file: str, unknown: Sequence[UnreadValidation]) -> HiddenRun:
    last = max(unknown, key=lambda line: line.step or 0)
    return HiddenRun(file, unknown[0].line, len(unknown), last.loss)


def _unknown(lines: Iterable[UnreadValidation], known: _Known) -> list[UnreadValidation]:
    return [
        line
        for line in lines
        if line.step is not None and not is_known(line.step, repr(line.loss), known)
    ]


def _with_means(known: _Known, logs: Sequence[LogFile]) -> _Known:
    """The losses at each step with their means over all runs and over those of each folder."""
    losses: dict[tuple[PurePosixPath | None, int], list[float]] = defaultdict(list)
    for log in logs:
        for validation in (v for run in log.runs for v in run.validations):
            for place in (PurePosixPath(log.name).parent, None):
                losses[place, validation.step].append(validation.loss)
    shown = {step: set(values) for step, values in known.items()}
    for (_, step), values in losses.items():
        shown[step].add(fmean(values))
    return shown


def _away_from_own(log: LogFile) -> Iterator[UnreadValidation]:
    """The unread lines of a log that are not next to its own validation at their step."""
    own = [validation for run in log.runs for validation in run.validations]
    by_line = sorted([*own, *log.unread], key=attrgetter("line"))
    for _, group in groupby(by_line, key=attrgetter("step")):
        lines = tuple(group)
        if not any(isinstance(line, Validation) for line in lines):
            yield from (line for line in lines if isinstance(line, UnreadValidation))
