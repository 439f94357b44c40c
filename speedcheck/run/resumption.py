"""The plan of a record that is continued, and what a request may not change in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speedcheck.errors import RecordError
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.run.campaign.plans import extended_plan
from speedcheck.run.new_folder import refuse_cut_start
from speedcheck.run.request import Request


def existing_plan(request: Request) -> Plan:
    """Return the plan of a recipe's record to continue, with more seeds where they are asked for.

    Raises:
        RecordError: there is none, or the request contradicts it.
    """
    plan = plan_to_resume(request.folder)
    for what, remedy in _contradictions(plan, request):
        raise RecordError(what, where=str(request.folder / PLAN_NAME), remedy=remedy)
    return grown_plan(plan, request)


def plan_to_resume(folder: Path) -> Plan:
    """Return the plan of a record folder to continue.

    Raises:
        RecordError: there is none.
        InputError: it cannot be read.
    """
    refuse_cut_start(folder, PLAN_NAME)
    path = folder / PLAN_NAME
    if not path.is_file():
        remedy = "leave --resume out, or name the record with --out"
        raise RecordError(f"there is no {PLAN_NAME} to resume", where=str(folder), remedy=remedy)
    return read_plan(path)


def grown_plan(plan: Plan, request: Request) -> Plan:
    """Return a plan with as many seeds as are asked for, by the option that its rule has.

    Raises:
        RecordError: the option is of another stopping rule, or there would be fewer seeds.
    """
    path, runs = request.folder / PLAN_NAME, len(plan.seeds or ())
    if request.is_sequential and not plan.is_sequential:
        what = f"{runs} runs were planned, whatever their losses are"
        remedy = "leave the options of --until-certified out, or start another record"
        raise RecordError(what, where=str(path), remedy=remedy)
    if plan.is_sequential and request.seeds is not None:
        what = f"at most {runs} runs were planned, until the record is certified"
        raise RecordError(what, where=str(path), remedy="give --max-seeds instead of --seeds")
    return extended_plan(path, plan, request.max_seeds or request.seeds)


def _contradictions(plan: Plan, request: Request) -> Iterator[tuple[str, str]]:
    """Yield what keeps a request from continuing the plan, each with its remedy."""
    if plan.recipe is None or not plan.seeds:
        yield "names no recipe and seeds", "resume a folder of speedcheck run"
        return
    other = "leave {} out, or start another record"
    if request.recipe not in (None, plan.recipe):
        what = f"the recipe {plan.recipe} was planned, not {request.recipe}"
        yield what, other.format("--recipe")
    if request.overrides not in (NO_OVERRIDES, plan.overrides):
        what = f"the plan has {_shown(plan.overrides)}, not {_shown(request.overrides)}"
        yield what, other.format("the recipe's options")
    if request.gpus_per_run not in (None, plan.gpus_per_run):
        what = f"{plan.gpus_per_run or 'all'} GPUs a run were planned, not {request.gpus_per_run}"
        yield what, other.format("--gpus-per-run")


def _shown(overrides: RecipeOverrides) -> str:
    return " ".join(overrides.options()) or "no change"
