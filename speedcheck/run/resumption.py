"""The plan of a record that is continued, and what a request may not change in it."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.errors import RecordError
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.records.record_toml import PLAN_NAME, Plan, read_plan
from speedcheck.run.campaign.plans import extended_plan
from speedcheck.run.request import Request


def existing_plan(request: Request) -> Plan:
    """Return the plan to continue, with more seeds where they are asked for.

    Raises:
        RecordError: there is none, or the request contradicts it.
    """
    path = request.folder / PLAN_NAME
    if not path.is_file():
        raise RecordError(
            f"there is no {PLAN_NAME} to resume",
            where=str(request.folder),
            remedy="leave --resume out, or name the record with --out",
        )
    plan = read_plan(path)
    for what, remedy in _contradictions(plan, request):
        raise RecordError(what, where=str(path), remedy=remedy)
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
    runs = len(plan.seeds)
    if request.is_sequential and not plan.is_sequential:
        what = f"{runs} runs were planned, whatever their losses are"
        yield what, other.format("the options of --until-certified")
    if plan.is_sequential and request.seeds is not None:
        what = f"at most {runs} runs were planned, until the record is certified"
        yield what, "give --max-seeds instead of --seeds"


def _shown(overrides: RecipeOverrides) -> str:
    return " ".join(overrides.options()) or "no change"
