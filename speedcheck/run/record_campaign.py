"""`speedcheck run` from request to certificate: plan, train, judge, write the evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from speedcheck.certificate import Certificate
from speedcheck.errors import UsageError
from speedcheck.records.overrides import NO_OVERRIDES
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_toml import PLAN_NAME, Plan, SampleDeclaration, replace_plan
from speedcheck.rules.tracks import DEFAULT_TRACK, TRACK_OF_RECIPE, get_track
from speedcheck.run.campaign.plans import planned_track
from speedcheck.run.campaign.slots import slots
from speedcheck.run.campaign.stopping import check_sequential_track, stopping_rule
from speedcheck.run.folder_files import make_folder, today
from speedcheck.run.launchers.launcher import Launcher, Setup
from speedcheck.run.new_folder import new_folder, refuse_begun
from speedcheck.run.record_evidence import write_evidence
from speedcheck.run.request import DEFAULT_RECIPE, DEFAULT_SEEDS, Request
from speedcheck.run.resumption import existing_plan
from speedcheck.run.training import train
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM


def run_record(request: Request, launcher: Launcher, console: Console) -> Certificate:
    """Train the runs of a record, judge it, and write its README and certificate.

    Raises:
        SpeedcheckError: the request cannot be met; what was finished before stays.
        Interrupted: a signal ended the runs; the ledger says how far they came.
    """
    folder = request.folder
    existing = existing_plan(request) if request.resume else None
    if existing is None:
        refuse_begun(folder, PLAN_NAME)
    setup = _prepare(existing, request, launcher)
    if setup.queue and (existing.is_sequential if existing else request.until_certified):
        raise UsageError(
            f"{setup.queue} takes all runs at once, and --until-certified starts one after another",
            remedy="fix the number of runs with --seeds, or run on one node",
        )
    at_once = _at_once(request, setup)
    plan = existing or _create(folder, request)
    rule = stopping_rule(plan, planned_track(folder, plan), stop_if_futile=request.stop_if_futile)
    train(folder, plan, launcher, setup, console, at_once=at_once, stopping=rule)
    return write_evidence(folder, plan, console)


def _prepare(existing: Plan | None, request: Request, launcher: Launcher) -> Setup:
    """Let the launcher make ready for what is planned, be it now or by an existing folder."""
    recipe = existing.recipe if existing else request.recipe
    overrides = existing.overrides if existing else request.overrides
    gpus_per_run = existing.gpus_per_run if existing else request.gpus_per_run
    setup = launcher.prepare(recipe or DEFAULT_RECIPE, overrides, gpus_per_run)
    return setup if request.timeout_s is None else replace(setup, timeout_s=request.timeout_s)


def _at_once(request: Request, setup: Setup) -> int:
    """Return how many runs train side by side; those on GPUs never share one."""
    room = slots(setup)
    if request.jobs is None or setup.device == "cpu":
        return request.jobs or room
    if request.jobs > room:
        raise UsageError(
            f"--jobs is {request.jobs}, and the GPUs have room for {room} at a time",
            remedy="choose fewer, or give each run fewer GPUs with --gpus-per-run",
        )
    return request.jobs


def _create(folder: Path, request: Request) -> Plan:
    """Make the record folder and write the plan into it, before anything is run."""
    recipe = request.recipe or DEFAULT_RECIPE
    track = get_track(TRACK_OF_RECIPE.get(recipe, DEFAULT_TRACK))
    if request.until_certified:
        check_sequential_track(track)
        runs = request.max_seeds or SEQUENTIAL_MAXIMUM
    else:
        runs = request.seeds or DEFAULT_SEEDS
    # A changed recipe enters no track, unless somebody writes one into the plan.
    is_changed = request.overrides != NO_OVERRIDES
    plan = Plan(
        name=folder.resolve().name,
        date=today(),
        track=None if is_changed else track.name,
        target=track.target,
        alpha=track.alpha,
        runs=runs,
        seeds=tuple(range(runs)),
        recipe=recipe,
        overrides=request.overrides,
        gpus_per_run=request.gpus_per_run,
        stopping_rule="sequential" if request.until_certified else "fixed",
        sample=SampleDeclaration((f"{LOGS_NAME}/*.txt",)),
    )
    with new_folder(folder, PLAN_NAME):
        make_folder(folder)
        replace_plan(folder / PLAN_NAME, plan)
    return plan
