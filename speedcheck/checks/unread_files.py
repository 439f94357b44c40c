"""Was every file of the folder read? Links, archives, hidden runs, unread lines."""

from __future__ import annotations

from pathlib import PurePosixPath

from speedcheck.checks import codes
from speedcheck.records.record_files import is_own_picture
from speedcheck.sample import Sample
from speedcheck.verdicts import Finding


def check_files(sample: Sample) -> list[Finding]:
    """Point out what the folder holds and nobody could read, or reads as something else."""
    return [*_unread(sample), *_refused(sample), *_hidden(sample), *_opaque(sample), *_logs(sample)]


def _unread(sample: Sample) -> list[Finding]:
    return [
        Finding(
            codes.FILE_REFUSED if part.name else codes.TOO_MANY_FILES,
            "fail",
            part.reason,
            part.name,
        )
        for part in sample.record.unread
    ]


def _refused(sample: Sample) -> list[Finding]:
    return [
        Finding(codes.NOT_A_RUN, "warn", file.reason, file.name) for file in sample.record.refused
    ]


def _hidden(sample: Sample) -> list[Finding]:
    return [
        Finding(
            codes.HIDDEN_RUN,
            "warn",
            f"holds {run.validations} validations of a run that no log in the folder has",
            f"{run.file}:{run.line}",
        )
        for run in sample.record.hidden
    ]


def _opaque(sample: Sample) -> list[Finding]:
    return [
        Finding(
            codes.OPAQUE_FILE,
            "info" if file.is_searched else "warn",
            "is not text: its bytes were searched for step lines"
            if file.is_searched
            else "is packed or large: its content cannot be searched for runs",
            file.name,
        )
        for file in sample.record.opaque
        if not (file.is_searched and is_own_picture(file.name))
    ]


def _logs(sample: Sample) -> list[Finding]:
    """Say which files and lines could not be read as logs."""
    record = sample.record
    likes = {_like(log.name) for log in record.logs if log.runs}
    opaque = {file.name for file in record.opaque}
    findings = []
    for log in record.logs:
        if log.runs:
            findings += [
                Finding(
                    codes.NOT_A_RUN,
                    "warn",
                    problem.message,
                    f"{log.name}:{problem.line}" if problem.line else log.name,
                )
                for problem in log.problems
            ]
        elif _like(log.name) in likes and log.name not in opaque:
            # A file beside the logs with their ending may be a log cut short.
            message = "; ".join(problem.message for problem in log.problems)
            findings.append(Finding(codes.NOT_A_RUN, "warn", message, log.name))
    return findings


def _like(name: str) -> tuple[PurePosixPath, str]:
    path = PurePosixPath(name)
    return path.parent, path.suffix
