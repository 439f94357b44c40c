"""The files of a record folder: every one of them, whatever its name, ending or depth.

A run can hide under any name, so the names of a few files alone are taken at their word:
documents, programs, and what speedcheck itself writes. They are not read as logs; whole runs in
them are found by `hidden`. Links are not followed, and nothing is executed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speedcheck.errors import InputError, not_read
from speedcheck.logs import MAX_BYTES, read_log
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.line_ends import ATTRIBUTES_NAME
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.records.script_table import PROGRAM_NAME

LOGS_NAME = "logs"
README_NAME = "README.md"
CERTIFICATE_NAME = "certificate.json"
PICTURES_NAME = "images"
PICTURES = ("losses", "curves", "runtimes")
"""The pictures that speedcheck keeps beside a record's README, as PNG."""


# The parser would not read a larger file either; here it is refused before it is opened.
MAX_FILE_BYTES = MAX_BYTES
MAX_FILES = 10_000
# No submission is nearly as deep, and a deeper one would exhaust whatever walks down.
MAX_LEVELS = 64

FileKind = Literal["log", "document", "own"]
"""What a file is read as: a log where its content is one, a document or program, or a file of
speedcheck's own."""

_OWN = {PLAN_NAME, LEDGER_NAME, CERTIFICATE_NAME, ATTRIBUTES_NAME}
_PROGRAMS = {".py", ".cu", ".ipynb"}
_DOCUMENT_STEMS = ("readme", "statistics.md")
_TOML = ".toml"
_GIT = ".git"


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not read, and why; without a name it is all files of the folder."""

    name: str
    reason: str


def kind_of(file: Path) -> FileKind:
    """Return what a file is read as, by its name."""
    name = file.name.lower()
    if file.name in _OWN:
        return "own"
    is_document = name.startswith(_DOCUMENT_STEMS) or file.suffix.lower() in _PROGRAMS
    return "document" if is_document else "log"


def is_evidence(path: Path) -> bool:
    """Return whether a file is one that a record rests on, or a configuration.

    These are the files of speedcheck's own, wherever they are, and of existing files those in a
    record's folders of logs and of its program, documents, programs, logs by their content, and
    TOML files. What cannot be read may be one.
    """
    place = path.resolve()
    if place.name in _OWN:
        return True
    if not place.is_file():
        return False
    by_name = place.suffix.lower() == _TOML or kind_of(place) == "document"
    return by_name or _is_of_record(place) or _holds_runs(place)


def _is_of_record(file: Path) -> bool:
    """Return whether a file is in the folder of logs or of the program of a record."""
    folders = [folder for folder in file.parents if folder.name in (LOGS_NAME, PROGRAM_NAME)]
    return any(has_plan(folder.parent) for folder in folders)


def _holds_runs(file: Path) -> bool:
    try:
        return bool(read_log(file, file.parent).runs)
    except InputError:
        return True


def is_own_picture(name: str) -> bool:
    """Return whether a file, by its path inside the folder, is a picture of speedcheck's own."""
    return name in {f"{PICTURES_NAME}/{picture}.png" for picture in PICTURES}


def refusal(file: Path) -> str:
    """Return why a file is not read; "" where it is."""
    if file.is_symlink():
        return "is a link: links are not followed"
    if not file.is_file():
        return "is not a regular file"
    size = file.stat().st_size
    return f"is larger than {MAX_FILE_BYTES >> 20} MiB" if size > MAX_FILE_BYTES else ""


def has_plan(folder: Path) -> bool:
    """Return whether a folder has a record.toml; one that may not be looked into has none."""
    try:
        return (folder / PLAN_NAME).is_file()
    except OSError:
        return False


def record_files(folder: Path, *, whole: bool = False) -> list[Path]:
    """Return the files that belong to the record in `folder`, in order.

    Of too many there is one more than `MAX_FILES`.

    With a record.toml these are all files below the folder except those of records below it.
    Without one they are the folder's own files and those in `logs/` and in hidden folders, which
    would be nobody's otherwise.

    Args:
        folder: the folder.
        whole: whether to take all files below it, as if it had a record.toml.

    Raises:
        InputError: a folder cannot be read.
    """
    everything = whole or has_plan(folder)
    files: list[Path] = []
    for path in _walk(folder, folder, everything=everything):
        files.append(path)
        if len(files) > MAX_FILES:
            break
    return files


def folders(path: Path) -> Iterator[Path]:
    """Yield the folders at and below `path` that may be records of their own, in order.

    Below a record.toml only folders with a record.toml of their own are.

    Raises:
        InputError: the folders are too deep.
    """
    yield path
    inside_record = has_plan(path)
    for folder in _below(path, path):
        if _belongs_to_parent(folder) and not has_plan(folder):
            continue
        if not _is_inside_record(folder, path, inside_record=inside_record):
            yield folder


def _is_inside_record(folder: Path, top: Path, *, inside_record: bool) -> bool:
    if has_plan(folder):
        return False
    if inside_record:
        return True
    inner = folder.relative_to(top).parts
    parents = [top.joinpath(*inner[:depth]) for depth in range(1, len(inner))]
    return any(has_plan(parent) or _belongs_to_parent(parent) for parent in parents)


def _below(folder: Path, top: Path) -> Iterator[Path]:
    """Yield all folders below one, links left out."""
    for child in sorted(_children(folder, must_be_read=folder == top)):
        if child.is_symlink() or child.name == _GIT or not child.is_dir():
            continue
        if len(child.relative_to(top).parts) > MAX_LEVELS:
            remedy = "name the folder that holds the logs"
            what = f"has folders more than {MAX_LEVELS} levels deep"
            raise InputError(what, where=str(top), remedy=remedy)
        yield child
        yield from _below(child, top)


def _belongs_to_parent(folder: Path) -> bool:
    return folder.name == LOGS_NAME or folder.name.startswith(".")


def _walk(folder: Path, top: Path, *, everything: bool) -> Iterator[Path]:
    children = sorted(_children(folder, must_be_read=True))
    for child in children:
        if child.is_symlink() or not child.is_dir():
            yield child
            continue
        if child.name == _GIT or has_plan(child):
            continue
        if len(child.relative_to(top).parts) > MAX_LEVELS:
            raise InputError(
                f"has folders more than {MAX_LEVELS} levels deep",
                where=str(top),
                remedy="name the folder that holds the logs",
            )
        if everything or _belongs_to_parent(child):
            yield from _walk(child, top, everything=True)


def _children(folder: Path, *, must_be_read: bool) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries]
    except OSError as error:
        if must_be_read:
            raise not_read(folder, error) from error
        return []
