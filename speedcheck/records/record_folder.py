"""A record folder: which files belong to it, and what they hold.

    record.toml      the plan: what is claimed, and which logs are the sample
    ledger.jsonl     what happened, in order
    logs/            one log a run; published records keep their logs beside the README instead

Which file is a log is decided by its content. Nothing that a folder holds is executed, and no
link is followed: submissions come from strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from speedcheck.errors import InputError, NoRecordError, not_read
from speedcheck.logs import LogFile, Parser, parse_log, read_log
from speedcheck.records.hidden import HiddenRun, OpaqueFile, hidden_runs, look_into
from speedcheck.records.ledger import LEDGER_NAME, Ledger, parse_ledger
from speedcheck.records.record_files import (
    MAX_FILES,
    FileKind,
    Refused,
    folders,
    has_plan,
    kind_of,
    record_files,
    refusal,
)
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.records.run_tables import without_run_tables

# The parser of the logs in a folder with this plan: a track may have a log format of its own.
ParserFor = Callable[[Path, Plan | None], Parser]

_MARKDOWN = {".md", ".markdown"}


def _built_in(folder: Path, plan: Plan | None) -> Parser:  # noqa: ARG001 - it is a ParserFor
    return parse_log


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
        hidden: whole runs in documents, programs and other files that are not read as logs.
        curves: those that record.toml declares by the names of their files.
        opaque: files that are not text.
    """

    path: Path
    name: str
    plan: Plan | None
    ledger: Ledger | None
    logs: tuple[LogFile, ...]
    documents: tuple[str, ...]
    refused: tuple[Refused, ...]
    unread: tuple[Refused, ...] = ()
    hidden: tuple[HiddenRun, ...] = ()
    curves: tuple[HiddenRun, ...] = ()
    opaque: tuple[OpaqueFile, ...] = ()

    @property
    def is_systems(self) -> bool:
        """Return whether it is a pure speed change, which is excused from the loss test."""
        return self.plan is not None and self.plan.kind == "systems"

    @property
    def is_sequential(self) -> bool:
        """Return whether it was planned to stop by the anytime-valid test."""
        return self.plan is not None and self.plan.is_sequential


def find_records(path: Path, parser_for: ParserFor = _built_in) -> tuple[Path, ...]:
    """Return the record folders at or below `path`, in the order of their paths.

    Those that cannot be read are among them: `read_record` says so.

    Args:
        path: the folder.
        parser_for: gives the parser of a folder's logs.

    Raises:
        InputError: `path` is not a folder, or is too deep.
        NoRecordError: no record is in it.
    """
    if not path.is_dir():
        problem = "is a file" if path.exists() else "does not exist"
        remedy = "name the folder that holds the logs"
        raise InputError(f"the record folder {problem}", where=str(path), remedy=remedy)
    found = tuple(sorted(folder for folder in folders(path) if _is_record(folder, parser_for)))
    if not found:
        raise NoRecordError(
            f"holds no log and no {PLAN_NAME}{_why_no_log(path, parser_for)}",
            where=str(path),
            remedy="name a folder with run logs",
        )
    return found


def read_record(
    path: Path,
    parser_for: ParserFor = _built_in,
    *,
    whole: bool = False,
    quotable: Sequence[LogFile] = (),
) -> Record:
    """Read the record in the folder `path`, with the folders below that belong to it.

    Args:
        path: the folder.
        parser_for: gives the parser of a folder's logs.
        whole: whether all folders below belong to it, as they do where it has a record.toml.
        quotable: logs of other records, whose runs its files may repeat.

    Raises:
        InputError: the folder holds neither a log nor published figures, or cannot be read.
    """
    unread: list[Refused] = []
    files = record_files(path, whole=whole)
    if len(files) > MAX_FILES:
        unread.append(Refused("", f"the folder holds more than {MAX_FILES} files: none was read"))
        files = []
    by_kind: dict[FileKind, list[Path]] = {"log": [], "document": [], "own": []}
    refused: list[Refused] = []
    for file in files:
        kind, reason = kind_of(file), refusal(file)
        if not reason:
            by_kind[kind].append(file)
        else:
            is_vital = file.parent == path and file.name in (PLAN_NAME, LEDGER_NAME)
            name = file.relative_to(path).as_posix()
            (unread if is_vital else refused).append(Refused(name, reason))
    own = {file.name: file for file in by_kind["own"] if file.parent == path}
    plan = read_plan(own[PLAN_NAME]) if PLAN_NAME in own else None
    ledger = parse_ledger(_read(own[LEDGER_NAME])) if LEDGER_NAME in own else None
    parse = parser_for(path, plan)
    logs = without_run_tables([read_log(file, path, parse) for file in by_kind["log"]])
    if not any(log.runs for log in logs) and plan is None and not unread:
        raise InputError(
            f"holds no log: no file in it has a step line{_why_no_log(path, parser_for)}",
            where=str(path),
            remedy="name a folder with run logs",
        )
    without_run = [log.name for log in logs if not log.runs]
    others = [path / name for name in without_run]
    searched = look_into(path, [*by_kind["document"], *by_kind["own"], *others])
    hidden = hidden_runs(searched, logs, quotable)
    curves = tuple(run for run in hidden if run.file in without_run and _is_declared(run, plan))
    return Record(
        path=path,
        name=plan.name if plan else path.resolve().name,
        plan=plan,
        ledger=ledger,
        logs=logs,
        documents=tuple(
            file.name for file in files if file.parent == path and file.suffix.lower() in _MARKDOWN
        ),
        refused=tuple(refused),
        unread=tuple(unread),
        hidden=tuple(run for run in hidden if run not in curves),
        curves=curves,
        opaque=searched.opaque,
    )


def _is_declared(run: HiddenRun, plan: Plan | None) -> bool:
    """Whether record.toml names a file as somebody else's run; a crashed one needs its log."""
    entries = [entry for entry in (plan.excluded if plan else ()) if entry.role != "crashed"]
    return any(fnmatchcase(run.file, pattern) for entry in entries for pattern in entry.logs)


def _is_record(folder: Path, parser_for: ParserFor) -> bool:
    if has_plan(folder):
        return True
    try:
        files = record_files(folder)
    except InputError:
        # What cannot be read must be said.
        return True
    if len(files) > MAX_FILES:
        return True
    parse: Parser | None = None
    for file in files:
        if kind_of(file) == "log" and not refusal(file):
            parse = parse or parser_for(folder, None)
            if read_log(file, folder, parse).runs:
                return True
    return False


def _why_no_log(folder: Path, parser_for: ParserFor) -> str:
    """Return why the first file of the folder is not a log, as " (a.txt: why)"; "" without one."""
    files = [file for file in record_files(folder) if kind_of(file) == "log"]
    if not files:
        return ""
    first = files[0]
    why = refusal(first)
    if not why:
        problems = read_log(first, folder, parser_for(folder, None)).problems
        why = "; ".join(problem.message for problem in problems) or "no step line"
    return f" ({first.name}: {why})"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise not_read(path, error) from error
