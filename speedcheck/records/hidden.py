"""Whole runs in files that are not read as logs, and files that cannot be searched.

A README, a program or a picture can hold the step lines of a run that its author would rather not
count. Two validations at different steps that no log of the folder has are taken for such a run;
one line is a quotation.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedcheck.logs import LogFile

FEWEST_VALIDATIONS = 2

# Both built-in formats, anywhere in a line: in quotes, behind a prompt, in a cell of a table.
_STEP_LINE = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"step:([0-9]{1,12})/[0-9]{1,12} [^\n]{0,40}?val_loss:([0-9]{1,9}\.[0-9]{1,18})"
    r"|s:([0-9]{1,12}) tel:([0-9]{1,9}\.[0-9]{1,18}))"
)
_MOST_LINES = 100_000

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
)
_TAR = slice(257, 262)
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class FoundValidation:
    """A step line outside of a log.

    Attributes:
        file: the file's path inside the folder.
        line: number of the line, from 1.
        step: the step.
        loss: the validation loss as printed.
    """

    file: str
    line: int
    step: int
    loss: str


@dataclass(frozen=True, slots=True)
class HiddenRun:
    """A whole run in a file that is not read as a log.

    Attributes:
        file: the file's path inside the folder.
        line: line of its first validation.
        validations: number of its validations that no log has.
    """

    file: str
    line: int
    validations: int


@dataclass(frozen=True, slots=True)
class OpaqueFile:
    """A file that is not text.

    Attributes:
        name: its path inside the folder.
        is_archive: whether its content is packed, so that it cannot be searched.
    """

    name: str
    is_archive: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search of files gave."""

    validations: tuple[FoundValidation, ...]
    opaque: tuple[OpaqueFile, ...]


def look_into(root: Path, files: Iterable[Path]) -> Searched:
    """Search files for step lines, whatever they are; those that cannot be read hold none."""
    found: list[FoundValidation] = []
    opaque: list[OpaqueFile] = []
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            data = file.read_bytes()
        except OSError:
            continue
        found += find_step_lines(data, name)
        if is_archive(data):
            opaque.append(OpaqueFile(name, is_archive=True))
        elif b"\0" in data[:_HEAD]:
            opaque.append(OpaqueFile(name, is_archive=False))
    return Searched(tuple(found), tuple(opaque))


def find_step_lines(data: bytes, name: str) -> list[FoundValidation]:
    """Return the step lines of validations in any bytes: text, UTF-16, or neither.

    NUL bytes are dropped, and digits and colons of other scripts are read as what they look like.
    """
    text = data.replace(b"\0", b"").decode("utf-8", "replace")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if "val_loss:" not in text and "tel:" not in text:
        return []
    found: list[FoundValidation] = []
    line, position = 1, 0
    for match in _STEP_LINE.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        found.append(FoundValidation(name, line, int(match[1] or match[3]), match[2] or match[4]))
        if len(found) >= _MOST_LINES:
            break
    return found


def is_archive(data: bytes) -> bool:
    """Return whether bytes are those of a compressed file or a container of files."""
    return data.startswith(_ARCHIVES) or data[_TAR] == b"ustar"


def hidden_runs(found: Iterable[FoundValidation], logs: Sequence[LogFile]) -> tuple[HiddenRun, ...]:
    """Return the whole runs among step lines that no log of the folder has."""
    known: dict[int, set[float]] = defaultdict(set)
    for log in logs:
        for run in log.runs:
            for validation in run.validations:
                known[validation.step].add(validation.loss)
    by_file: dict[str, list[FoundValidation]] = defaultdict(list)
    for line in found:
        if not _is_known(line, known):
            by_file[line.file].append(line)
    return tuple(
        HiddenRun(file, lines[0].line, len(lines))
        for file, lines in by_file.items()
        if len({line.step for line in lines}) >= FEWEST_VALIDATIONS
    )


def _is_known(validation: FoundValidation, known: dict[int, set[float]]) -> bool:
    decimals = len(validation.loss.partition(".")[2])
    printed = float(validation.loss)
    return any(round(loss, decimals) == printed for loss in known.get(validation.step, ()))
