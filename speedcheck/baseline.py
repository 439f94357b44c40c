"""The baseline of a record: where it is, and what its evidence shows."""

from __future__ import annotations

from pathlib import Path

from speedcheck.checks.beside_baseline import Baseline
from speedcheck.checks.loss import passes_test, sample_statistics
from speedcheck.errors import InputError, UsageError
from speedcheck.records.record_folder import ParserFor, Record, find_records, read_record
from speedcheck.records.record_toml import PLAN_NAME
from speedcheck.rules.config import project_root
from speedcheck.rules.rule import Overrides, Rule
from speedcheck.sample import take_sample


def read_baseline(
    record: Record, rule: Rule, overrides: Overrides, parser_for: ParserFor
) -> Baseline | None:
    """Read the record that `record` is to be compared with, and judge its losses by `rule`.

    Args:
        record: the record that is judged.
        rule: its rule.
        overrides: what the caller asks for; its baseline counts before the plan's.
        parser_for: gives the parser of a folder's logs.

    Returns:
        The baseline; None where neither the caller nor record.toml names one, and where the caller
        names the record itself, as for the other records of a folder.

    Raises:
        InputError: the folder is missing, holds no record or several, or is one that record.toml
            may not name.
    """
    named = overrides.baseline
    planned = record.plan.baseline if record.plan else None
    if named is None and planned is None:
        return None
    folder = named if named is not None else _planned_folder(record, planned or "")
    if is_itself(record.path, folder):
        if named is not None:
            return None
        where = str(record.path / PLAN_NAME)
        remedy = "name the record to compare with"
        raise InputError("baseline is the record itself", where=where, remedy=remedy)
    try:
        record = refuse_unread(read_record(one_record(folder, parser_for), parser_for))
        sample = take_sample(record, budget_ms=rule.track.budget_train_ms)
    except InputError as error:
        what = f"the baseline cannot be used: {error.what}"
        raise InputError(what, where=error.where, remedy=error.remedy) from None
    passes = passes_test(sample_statistics(sample, rule), rule)
    return Baseline(overrides.baseline_name or str(named or planned), sample, passes)


def is_itself(record: Path, baseline: Path) -> bool:
    """Return whether a baseline is the record that it would be compared with."""
    return record.resolve() == baseline.resolve()


def refuse_itself(record: Path, baseline: Path | None) -> None:
    """Refuse to compare one record with itself.

    Raises:
        UsageError: the caller's baseline is the record.
    """
    if baseline is not None and is_itself(record, baseline):
        what = "the baseline is the record itself"
        raise UsageError(what, where=str(baseline), remedy="name another record, or none")


def refuse_unread(record: Record) -> Record:
    """Refuse a record that was read only in part: nothing can be compared with it.

    Raises:
        InputError: record.toml, the ledger or all files of the record were not read.
    """
    for part in record.unread:
        raise InputError(part.reason, where=str(record.path / part.name))
    return record


def one_record(path: Path, parser_for: ParserFor) -> Path:
    """Return the record folder `path`, or the only one below it.

    Raises:
        InputError: no record is there, or more than one is below it.
    """
    folders = find_records(path, parser_for)
    if path in folders:
        return path
    if len(folders) > 1:
        raise InputError(
            f"holds {len(folders)} records",
            where=str(path),
            remedy="name one, such as " + str(folders[0]),
        )
    return folders[0]


def _planned_folder(record: Record, planned: str) -> Path:
    """Return the folder that record.toml names, inside the project that the record is part of.

    A stranger wrote it, and it must not lead to other folders of the machine.
    """
    folder = record.path / planned
    project = project_root(record.path) or record.path.resolve().parent
    try:
        inside = folder.resolve().is_relative_to(project)
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise InputError(
            f"baseline is {planned!r}, which is not a folder in {project}",
            where=str(record.path / PLAN_NAME),
            remedy="name one beside the record, or give --baseline",
        )
    return folder
