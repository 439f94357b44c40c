"""What a submission brings beside its records: files that no record would be judged by.

A run can also hide where no record is: in a folder of programs, in an archive, behind a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from speedcheck.checks import codes
from speedcheck.gate.objection import Objection
from speedcheck.gate.objects import Blob
from speedcheck.gate.workplace import Which, Workplace
from speedcheck.logs import LogFile
from speedcheck.records.hidden import HiddenRun, hidden_runs, look_into
from speedcheck.records.record_files import MAX_FILE_BYTES
from speedcheck.rules.gate_rules import PathRules
from speedcheck.words import join_some


def unreadable(
    blobs: Iterable[Blob], folder: PurePosixPath, rules: PathRules
) -> Iterator[Objection]:
    """Refuse what cannot be read: links, submodules and files that are too large.

    Args:
        blobs: what the branch adds or changes.
        folder: the submission's folder.
        rules: its rules, whose `artifacts` may be of any size.
    """
    kinds: dict[str, list[str]] = {}
    for blob in blobs:
        name = str(blob.path.relative_to(folder))
        if blob.is_link:
            kinds.setdefault("links are not followed", []).append(name)
        elif blob.is_submodule:
            kinds.setdefault("submodules are not read", []).append(name)
        elif blob.size > MAX_FILE_BYTES and not rules.allows_artifact(name):
            what = f"files of more than {MAX_FILE_BYTES >> 20} MiB are not read"
            kinds.setdefault(what, []).append(name)
    for what, names in kinds.items():
        yield Objection(f"{what}: {join_some(names)}")


def hidden(
    workplace: Workplace,
    files: Sequence[PurePosixPath],
    folder: PurePosixPath,
    records: Iterable[PurePosixPath],
) -> Iterator[Objection]:
    """Find runs and archives in files that belong to no record.

    Args:
        workplace: holds the files.
        files: the files, as they are in the branch.
        folder: the submission's folder.
        records: its records, whose step lines may be quoted, as those of the base may.
    """
    top = workplace.path("head", folder)
    searched = look_into(top, [workplace.path("head", file) for file in files])
    if any(searched.validations.values()) or any(searched.tables.values()):
        # What the logs themselves hide is a matter of their own records.
        own = [log for record in records for log in workplace.logs("head", record)]
        yield from map(_hidden, hidden_runs(searched, (), [*own, *_merged_logs(workplace)]))
    rules = workplace.rules_for(folder)
    for file in searched.opaque:
        if not file.is_searched and not rules.allows_artifact(file.name):
            what = "is packed: its content cannot be searched for runs"
            yield Objection(what, codes.OPAQUE_FILE, file.name)


def hidden_in_record(
    workplace: Workplace, which: Which, folder: PurePosixPath
) -> Iterator[Objection]:
    """Find runs in a record that neither its logs have nor those of a merged record."""
    yield from map(_hidden, workplace.hidden(which, folder, _merged_logs(workplace)))


def _hidden(run: HiddenRun) -> Objection:
    what = f"holds {run.validations} validations of a run that no log has"
    return Objection(what, codes.HIDDEN_RUN, f"{run.file}:{run.line}")


def _merged_logs(workplace: Workplace) -> list[LogFile]:
    return [log for record in workplace.earlier() for log in workplace.logs("base", record)]
