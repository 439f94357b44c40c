"""The plan of a campaign: how it grows, and where it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from speedcheck.errors import RecordError
from speedcheck.records.ledger import STOPPING_RULE
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan, replace_plan
from speedcheck.rules.config import load_config
from speedcheck.rules.tracks import DEFAULT_TRACK, Track, get_track


def planned_track(folder: Path, plan: Plan) -> Track:
    """Return the track that the plan of a record names, or the default one.

    Raises:
        InputError: the project's configuration cannot be read.
        UsageError: no track has the name that the plan gives.
    """
    return get_track(plan.track or DEFAULT_TRACK, load_config(folder).tracks)


def extended_plan(path: Path, plan: Plan, runs: int | None) -> Plan:
    """Return the plan with the number of runs that is asked for, which may be larger.

    Args:
        path: the record.toml that the plan is from.
        plan: the plan, which names its seeds.
        runs: the number; None for the planned one.

    Raises:
        RecordError: it is smaller than the planned one.
    """
    seeds = plan.seeds or ()
    if runs is None or runs == len(seeds):
        return plan
    if runs < len(seeds):
        raise RecordError(
            f"{len(seeds)} runs were planned, not {runs}",
            where=str(path),
            remedy="give no smaller number, or start another record",
        )
    first = max(seeds, default=-1) + 1
    return replace(plan, runs=runs, seeds=(*seeds, *range(first, first + runs - len(seeds))))


def enter_plan(folder: Path, plan: Plan, ledger: LedgerWriter) -> None:
    """Enter the plan into the ledger, and then into record.toml where it has grown.

    In this order, since a plan that grew in record.toml alone would hide that.

    Raises:
        RecordError: a file cannot be written.
    """
    details = {STOPPING_RULE: plan.stopping_rule, "max_seeds": plan.runs}
    ledger.append_planned(plan.seeds or (), details if plan.is_sequential else None)
    if read_plan(folder / PLAN_NAME) != plan:
        replace_plan(folder / PLAN_NAME, plan)
