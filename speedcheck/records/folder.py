"""A record folder: which files belong to it, and what they hold.

    record.toml      the plan (or, for a record without logs, its published figures)
    ledger.jsonl     what happened, in order
    logs/            one log a run; published records keep their logs beside the README instead

Which file is a log is decided by its content. Nothing that a folder holds is executed, and no
link is followed: submissions come from strangers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from speedcheck.errors import InputError, NoRecordError
from speedcheck.logs import LogFile, Parser, parse_log, read_log
from speedcheck.logs.parse import MAX_BYTES
from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.plan import PLAN_NAME, Plan, read_plan

LOGS_NAME = "logs"
README_NAME = "README.md"
CERTIFICATE_NAME = "certificate.json"

# Written by speedcheck or by people, for people or tools; a step line in them is a quotation.
_NOT_LOGS = {PLAN_NAME, LEDGER_NAME, CERTIFICATE_NAME}
_DOCUMENTS = {".md", ".markdown", ".rst", ".png", ".jpg", ".jpeg", ".svg", ".gif", ".pdf"}

# The parser would not read a larger file either; here it is refused before it is opened.
MAX_FILE_BYTES = MAX_BYTES
MAX_FILES = 10_000
# Looking for a record walks down by recursion, and no submission is nearly as deep.
MAX_LEVELS = 64

# The parser of the logs in a folder with this plan: a track may have a log format of its own.
ParserFor = Callable[[Path, Plan | None], Parser]


def _built_in(folder: Path, plan: Plan | None) -> Parser:  # noqa: ARG001 - it is a ParserFor
    return parse_log


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not read, and why; without a name it is all files of the folder."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record folder as it was read.

    Attributes:
        path: the folder.
        name: the record's name: the plan's, else the folder's.
        plan: record.toml, if there is one.
        ledger: ledger.jsonl, if there is one.
        logs: every file that could be a log, in the order of its name, runs or not.
        documents: names of the folder's Markdown files.
        refused: files beside the logs that were not read.
        unread: what was not read and the record cannot be judged without: record.toml, the ledger,
            or all its files.
    """

    path: Path
    name: str
    plan: Plan | None
    ledger: Ledger | None
    logs: tuple[LogFile, ...]
    documents: tuple[str, ...]
    refused: tuple[Refused, ...]
    unread: tuple[Refused, ...] = ()

    @property
    def is_systems(self) -> bool:
        """Return whether it is a pure speed change, which is excused from the loss test."""
        return self.plan is not None and self.plan.kind == "systems"


def find_records(path: Path, parser_for: ParserFor = _built_in) -> tuple[Path, ...]:
    """Return the record folders at or below `path`, in the order of their paths.

    Those that cannot be read are among them: `read_record` says so.

    Args:
        path: the folder.
        parser_for: gives the parser of a folder's logs.

    Raises:
        InputError: `path` is no folder, or is too deep.
        NoRecordError: no record is in it.
    """
    if not path.is_dir():
        problem = "is a file" if path.exists() else "does not exist"
        remedy = "name the folder that holds the logs"
        raise InputError(f"the record folder {problem}", where=str(path), remedy=remedy)
    found = tuple(sorted(folder for folder in _folders(path) if _is_record(folder, parser_for)))
    if not found:
        raise NoRecordError(
            f"holds no log and no {PLAN_NAME}{_why_no_log(path, parser_for)}",
            where=str(path),
            remedy="name a folder with run logs",
        )
    return found


def read_record(path: Path, parser_for: ParserFor = _built_in) -> Record:
    """Read the record in the folder `path`, without its subfolders other than `logs/`.

    Args:
        path: the folder.
        parser_for: gives the parser of a folder's logs.

    Raises:
        InputError: the folder holds neither a log nor published figures, or cannot be read.
    """
    unread: list[Refused] = []
    plan = read_plan(path / PLAN_NAME) if _holds(path, PLAN_NAME, unread) else None
    ledger = parse_ledger(_read(path / LEDGER_NAME)) if _holds(path, LEDGER_NAME, unread) else None
    parse = parser_for(path, plan)
    logs: list[LogFile] = []
    refused: list[Refused] = []
    files = _candidates(path)
    if len(files) > MAX_FILES:
        unread.append(Refused("", f"the folder holds more than {MAX_FILES} files: none was read"))
        files = []
    for file in files:
        reason = _refusal(file)
        if reason:
            refused.append(Refused(file.relative_to(path).as_posix(), reason))
            continue
        log = read_log(file, path, parse)
        # A run can be hidden from `ls`, not from us; what else is hidden is nobody's log.
        if log.runs or not file.name.startswith("."):
            logs.append(log)
    if not any(log.runs for log in logs) and plan is None and not unread:
        raise InputError(
            "holds no log: no file in it has a step line",
            where=str(path),
            remedy="name a folder with run logs",
        )
    name = plan.name if plan else path.resolve().name
    documents = tuple(sorted(file.name for file in path.glob("*.[mM][dD]")))
    return Record(path, name, plan, ledger, tuple(logs), documents, tuple(refused), tuple(unread))


def _holds(folder: Path, name: str, unread: list[Refused]) -> bool:
    """Return whether the folder has a file `name` to read; one that is refused is noted."""
    path = folder / name
    if not os.path.lexists(path):
        return False
    reason = _refusal(path)
    if reason:
        unread.append(Refused(name, reason))
    return not reason


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders at and below `path`; last those that nobody may look into."""
    unreadable: list[Path] = []
    for name, names, _ in os.walk(path, onerror=lambda e: unreadable.append(Path(e.filename))):
        folder = Path(name)
        if len(folder.relative_to(path).parts) > MAX_LEVELS:
            remedy = "name the folder that holds the logs"
            what = f"has folders more than {MAX_LEVELS} levels deep"
            raise InputError(what, where=str(path), remedy=remedy)
        names[:] = sorted(name for name in names if not name.startswith("."))
        if LOGS_NAME in names and (folder / PLAN_NAME).is_file():
            names.remove(LOGS_NAME)
        yield folder
    yield from unreadable


def _is_record(folder: Path, parser_for: ParserFor) -> bool:
    if (folder / PLAN_NAME).is_file():
        return True
    try:
        files = _candidates(folder)
    except InputError:
        files = None
    if files is None or len(files) > MAX_FILES:
        # Nobody looks whether there are logs among them; what is refused must be said.
        return True
    if not files:
        return False
    parse = parser_for(folder, None)
    return any(not _refusal(file) and read_log(file, folder, parse).runs for file in files)


def _why_no_log(folder: Path, parser_for: ParserFor) -> str:
    """Return why the first file of the folder is no log, as " (a.txt: why)"; "" without a file."""
    files = _candidates(folder)
    if not files:
        return ""
    first = files[0]
    why = _refusal(first)
    if not why:
        problems = read_log(first, folder, parser_for(folder, None)).problems
        why = "; ".join(problem.message for problem in problems) or "no step line"
    return f" ({first.name}: {why})"


def _candidates(path: Path) -> list[Path]:
    """Return the files that may be logs, in order; of too many, one more than `MAX_FILES`.

    Raises:
        InputError: the folder cannot be read.
    """
    logs = path / LOGS_NAME
    files: list[Path] = []
    try:
        has_logs = (path / PLAN_NAME).is_file() and logs.is_dir() and not logs.is_symlink()
        for folder in [path, logs] if has_logs else [path]:
            found = (file for file in folder.iterdir() if _could_be_log(file))
            files += sorted(islice(found, MAX_FILES + 1 - len(files)))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    return files


def _could_be_log(file: Path) -> bool:
    return not (
        file.name in _NOT_LOGS
        or file.suffix.lower() in _DOCUMENTS
        or (file.is_dir() and not file.is_symlink())
    )


def _refusal(file: Path) -> str:
    if file.is_symlink():
        return "is a link: links are not followed"
    if not file.is_file():
        return "is not a regular file"
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        return f"has {size} bytes, more than {MAX_FILE_BYTES}"
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
