"""The runs that count for a record, known by the objects that git keeps their logs as.

A log may get another name or folder; what it is does not change with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate, JudgedRun
from speedcheck.errors import SpeedcheckError
from speedcheck.gate.objection import Objection
from speedcheck.gate.tree import Tree, is_document
from speedcheck.gate.workplace import Workplace
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_files import CERTIFICATE_NAME
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.words import count, join_some

_DECLARED = (PLAN_NAME, LEDGER_NAME, CERTIFICATE_NAME)

RunKey = tuple[str, int]
"""The object of a log, and the run's place in it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of one record in one commit.

    Attributes:
        folder: the record's folder.
        runs: every run in its logs.
        declarations: the objects of record.toml and ledger.jsonl, where they are.
        objects: the object of each log by its path in the folder.
        files: the objects of all its files but documents and declarations.
        certificate: the record's judgement; None where it could not be judged.
    """

    folder: PurePosixPath
    runs: Mapping[RunKey, JudgedRun]
    declarations: tuple[str | None, ...]
    objects: Mapping[str, str]
    files: frozenset[str]
    certificate: Certificate | None

    @property
    def counted(self) -> dict[RunKey, JudgedRun]:
        """Return the runs that count."""
        return {key: run for key, run in self.runs.items() if run.counted}

    def is_same_as(self, other: Evidence) -> bool:
        """Return whether logs, record.toml and ledger are those of `other`, byte for byte."""
        return self.objects == other.objects and self.declarations == other.declarations


def evidence_of(folder: PurePosixPath, certificate: Certificate, tree: Tree) -> Evidence:
    """Return the runs of a judged record; `tree` is that of its commit."""
    logs = {run.log for run in certificate.runs if run.log is not None}
    objects = {log: tree[folder / log].object_id for log in logs}
    # Of two equal files the one that counts comes last, and stays.
    runs = sorted(certificate.runs, key=lambda run: run.counted)
    return Evidence(
        folder,
        {(objects[run.log], run.run): run for run in runs if run.log is not None},
        tuple(
            tree[folder / name].object_id if folder / name in tree else None
            for name in (PLAN_NAME, LEDGER_NAME)
        ),
        objects,
        _files(folder, tree),
        certificate,
    )


def merged_evidence(workplace: Workplace, folder: PurePosixPath) -> Evidence:
    """Return the runs of a record as it was where the branch left the base."""
    tree = workplace.trees["left"]
    try:
        baseline = workplace.named_baseline("left", folder)
        return evidence_of(folder, workplace.judge("left", folder, baseline), tree)
    except SpeedcheckError:
        return Evidence(folder, {}, (), {}, _files(folder, tree), None)


def joined(records: Sequence[Evidence]) -> Evidence:
    """Return the runs of several records that became one."""
    return Evidence(
        records[0].folder,
        {key: run for record in records for key, run in record.runs.items()},
        (),
        {},
        frozenset(o for record in records if record.certificate is None for o in record.files),
        None,
    )


def changed_evidence(merged: Evidence, now: Evidence, *, may_add_runs: bool) -> Iterator[Objection]:
    """Say which runs that counted for a merged record do not any more, and which are added.

    Args:
        merged: the record as it was merged.
        now: the record in the branch.
        may_add_runs: whether runs may be added to it.
    """
    before, after = merged.counted, now.counted
    if merged.certificate is None and (lost := merged.files - now.files):
        what = "of a merged record that cannot be judged are changed or removed"
        yield Objection(f"{count(len(lost), 'file')} {what}")
    gone = [run for key, run in before.items() if key not in now.runs]
    if gone:
        message = f"changes or removes logs that counted: {_names(gone)}"
        yield Objection(f"the branch {message}")
    out = [now.runs[key] for key in before if key in now.runs and key not in after]
    if out:
        reason = out[0].reason or "excluded"
        yield Objection(f"runs that counted do not count any more: {_names(out)} ({reason})")
    other = [
        after[key]
        for key, run in before.items()
        if key in after and _figures(after[key]) != _figures(run)
    ]
    if other:
        yield Objection(f"runs that counted count with other figures: {_names(other)}")
    added = [run for key, run in after.items() if key not in before]
    if before and added and not may_add_runs:
        what = f"the branch adds {count(len(added), 'counted run')} to a merged record"
        yield Objection(f"{what}: {_names(added)}")


def _files(folder: PurePosixPath, tree: Tree) -> frozenset[str]:
    return frozenset(
        tree[path].object_id
        for path in tree.below(folder)
        if not is_document(path) and path.name not in _DECLARED
    )


def _figures(run: JudgedRun) -> tuple[float | None, ...]:
    return run.val_loss, run.train_time_ms, run.final_step


def _names(runs: list[JudgedRun]) -> str:
    return join_some(dict.fromkeys(run.log or "" for run in runs))
