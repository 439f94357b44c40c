"""Which runs a caller or a record.toml names, by patterns of their logs' paths."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from speedcheck.certificate import Exclusion
from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.records.record_toml import Excluded
from speedcheck.sample.sample import Ruling, Selection

HOW_PATTERNS_MATCH = "a pattern must match the end of a log's path, such as 'logs/seed-00*.txt'"


def not_selected(root: Path, run: Run, selection: Selection) -> Ruling | None:
    """Return the ruling on a run that the caller left out; None where it may count."""
    if selection.only and not any(_matches(root, run.log, pattern) for pattern in selection.only):
        return Ruling(Exclusion.NOT_SELECTED, "left out by --only")
    hit = next((glob for glob in selection.exclude if _matches(root, run.log, glob)), None)
    if hit is None:
        return None
    return Ruling(Exclusion.NOT_SELECTED, f"left out by --exclude {hit}")


def refuse_unmatched(selection: Selection, logs: Collection[tuple[Path, str]]) -> None:
    """Refuse a pattern of the caller that matches none of the logs: it is a mistyped one.

    Args:
        selection: what the caller typed.
        logs: the logs of all records, each as the record's folder and the path inside it.

    Raises:
        UsageError: a pattern matches no log.
    """
    for option, pattern in selection.patterns():
        if not any(_matches(root, log, pattern) for root, log in logs):
            raise UsageError(f"{option} {pattern!r} matches no log", remedy=HOW_PATTERNS_MATCH)


def declared(run: Run, excluded: Sequence[Excluded]) -> Ruling | None:
    """Return the ruling on a run that record.toml declares to be something else; None for others.

    A crashed run is an incomplete one: a run that reached its end counts whatever is declared.
    """
    for entry in excluded:
        if any(named(run, pattern) for pattern in entry.logs):
            if entry.role == "crashed" and run.complete:
                return None
            why = f": {entry.reason}" if entry.reason else ""
            return Ruling(Exclusion.DECLARED, f"declared as {entry.role}{why}", role=entry.role)
    return None


def named(run: Run, pattern: str) -> bool:
    """Return whether a pattern of record.toml names a run: its log's path, or `path#number`."""
    return fnmatchcase(run.log, pattern) or fnmatchcase(f"{run.log}#{run.index}", pattern)


def _matches(root: Path, log: str, pattern: str) -> bool:
    """Whether a pattern matches a log's path, or as much of its end as the pattern has parts.

    So "this_pr/*" means the logs in a folder of that name, wherever you call from.
    """
    path = root.absolute() / log
    end = "/".join(path.parts[-1 - pattern.count("/") :])
    return fnmatchcase(log, pattern) or fnmatchcase(end, pattern)
