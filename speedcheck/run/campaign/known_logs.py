"""Logs that the ledger does not know: they are of no run of this campaign, and none may be."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from speedcheck.errors import RecordError
from speedcheck.records.ledger import LEDGER_NAME, Ledger
from speedcheck.records.ledger_writer import RESTORE, file_sha256
from speedcheck.records.log_names import is_log_name
from speedcheck.records.record_files import CERTIFICATE_NAME, LOGS_NAME
from speedcheck.words import join_some


def logs_of(ledger: Ledger) -> set[str]:
    """Return the names of the logs that a ledger knows."""
    return {entry.log for entry in ledger.entries if entry.log}


def refuse_unknown_logs(logs: Path, known: Collection[str], ledger: Path) -> None:
    """Refuse to go on beside logs whose runs the ledger does not know: it was cut or replaced.

    Args:
        logs: the folder of the logs; it need not exist.
        known: names of the logs that the ledger knows.
        ledger: the ledger, for the message.

    Raises:
        RecordError: there is one.
    """
    names = [file.name for file in logs.iterdir()] if logs.is_dir() else []
    unknown = sorted(name for name in names if is_log_name(name) and name not in known)
    if unknown:
        shown = join_some(str(logs.relative_to(ledger.parent) / name) for name in unknown)
        raise RecordError(f"the ledger does not know {shown}", where=str(ledger), remedy=RESTORE)


def refuse_cut(folder: Path, ledger: Ledger) -> None:
    """Refuse a ledger that has lost the end of a run which the record's certificate has judged.

    A certificate is written when all runs have ended: a log of it never belongs to a run whose
    launcher died before it could say how it ended.

    Raises:
        RecordError: there is such a run.
    """
    judged = _judged_logs(folder / CERTIFICATE_NAME)
    for seed, entry in ledger.latest().items():
        if entry.event == "started" and f"{LOGS_NAME}/{entry.log}" in judged:
            what = f"{CERTIFICATE_NAME} was written after seed {seed} had ended, which is not here"
            raise RecordError(what, where=str(folder / LEDGER_NAME), remedy=RESTORE)


def _judged_logs(certificate: Path) -> set[str]:
    try:
        runs = json.loads(certificate.read_bytes())["runs"]
        return {str(run["log"]) for run in runs}
    except (OSError, ValueError, LookupError, TypeError):
        return set()  # there is none, or none of ours


def refuse_changed(log: Path, seed: int, sha256: str | None) -> None:
    """Refuse a log of a finished run that is not the one whose hash the ledger has.

    Raises:
        RecordError: it is gone or was changed.
    """
    if not log.exists():
        problem = "is missing"
    elif sha256 is not None and file_sha256(log) != sha256:
        problem = "was changed since"
    else:
        return
    raise RecordError(
        f"the ledger says that seed {seed} finished, and its log {problem}",
        where=str(log),
        remedy="restore the log, or start another record",
    )
