"""A plan for people, and as JSON by schema/plan.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from speedcheck.planning.planned import Campaign, Expected, Frontier, Plan, SoFar
from speedcheck.report.wording import aligned, number, printable, rounded
from speedcheck.stats.sample_size import RunPlan
from speedcheck.words import count

SCHEMA = "speedcheck.plan/1"

# Of the numbers of runs, those whose power is printed.
_SHOWN = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ALL_BUT_CERTAIN = 0.995


def plan_json(plan: Plan) -> str:
    """Return the plan as JSON text that ends in a newline."""
    text = json.dumps(plan_dict(plan), indent=2, allow_nan=False) + "\n"
    # A GitHub runner obeys `##[name]` anywhere; this is the same string.
    return text.replace("##[", r"#\u0023[")


def plan_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan as the JSON schema has it."""
    fields = asdict(plan)
    if plan.record is not None:
        powers = [{"runs": runs, "power": power} for runs, power in plan.record.powers]
        fields["record"]["powers"] = powers
    return {"schema": SCHEMA, "possible": not plan.problems, **fields}


def plan_text(plan: Plan) -> str:
    """Return the report; it ends in a newline."""
    verdict = _headline(plan)
    lines = [verdict, *_expected(plan), ""]
    for rows in (_table(plan), _details(plan)):
        shown = aligned(rows)
        lines += [*shown, ""] if shown else []
    return "\n".join(printable(line).rstrip() for line in [*lines, verdict]) + "\n"


def _headline(plan: Plan) -> str:
    if plan.problems:
        return f"NO PLAN: {'; '.join(plan.problems)}"
    parts = []
    if plan.record and plan.record.runs is not None:
        chance = f"pass with power {plan.power}"
        parts.append(f"{count(plan.record.runs, 'run')} {chance}{_more(plan.so_far)}")
    if plan.race and plan.race.sequential:
        pairs = plan.race.sequential
        decided = f"is decided with probability {pairs.chance:.2f}"
        parts.append(f"a race of up to {count(pairs.maximum, 'pair')} {decided}")
    change = plan.non_inferiority
    if change and change.runs is not None:
        rule = "rules" if change.runs == 1 else "rule"
        worse = f"{rule} out a loss worse by {change.margin:g}"
        parts.append(f"{count(change.runs, 'run')} {worse} with power {plan.power}")
    return f"PLAN: {', and '.join(parts)}"


def _more(so_far: SoFar | None) -> str:
    if so_far is None or so_far.more_runs is None:
        return ""
    if so_far.more_runs == 0:
        return f" ({so_far.runs} are there)"
    return f" ({so_far.more_runs} more than the {so_far.runs} that are there)"


def _expected(plan: Plan) -> list[str]:
    expected = plan.expected
    typical = f" (typical of track {expected.track})"
    source = {"given": "", "folder": " of the runs so far", "track": typical}
    sd = f"sd {number(expected.sd, '.3g')}{source[expected.sd_source]}"
    mean = "" if expected.mean is None else f"mean {rounded(expected.mean)}, "
    side = "below" if expected.direction == "less" else "above"
    goal = f"{side} {expected.target:g} at p < {plan.alpha:.4g}"
    return [
        *([f"expected: losses with {mean}{sd}"] if plan.record or plan.non_inferiority else []),
        *_expected_times(expected),
        *([f"to show: mean {goal}"] if mean else []),
        *([_frontier(plan.frontier)] if plan.frontier else []),
    ]


def _expected_times(expected: Expected) -> Iterator[str]:
    if expected.difference is not None:
        sd = f"sd {number(expected.time_sd, '.3g')} s a run"
        yield f"expected: times {abs(expected.difference)} s apart, {sd}"


def _frontier(frontier: Frontier) -> str:
    better = f", to be beaten by more than {frontier.improvement:g}" if frontier.improvement else ""
    figures = f"mean {rounded(frontier.mean)}, sd {number(frontier.sd, '.3g')}"
    return f"frontier: {frontier.folder} ({figures}, n = {frontier.runs}){better}"


def _table(plan: Plan) -> list[tuple[str, ...]]:
    priced = any(cost.money is not None for cost in plan.costs)
    timed = any(cost.gpu_hours is not None for cost in plan.costs)
    header = ("", "runs", *(["GPU-hours"] if timed else []), *(["cost"] if priced else []), "")
    rows = [
        (
            cost.campaign,
            _runs(cost.runs),
            *([number(cost.gpu_hours, ".1f")] if timed else []),
            *([number(cost.money, ",.2f")] if priced else []),
            _remark(plan, cost.campaign),
        )
        for cost in plan.costs
    ]
    return [header, *rows] if rows else []


def _remark(plan: Plan, campaign: Campaign) -> str:
    record, race, change = plan.record, plan.race, plan.non_inferiority
    if campaign == "sequential" and record and record.sequential:
        plans = record.sequential
        return f"on average; {plans.chance:.1%} certified within {plans.maximum}"
    if campaign == "race" and race:
        return f"{count(race.pairs or 0, 'pair')} without a look before, for power {plan.power}"
    if campaign == "sequential race" and race and race.sequential:
        pairs = race.sequential
        return (
            f"{pairs.mean:.1f} pairs on average; {pairs.chance:.1%} decided within {pairs.maximum}"
        )
    if campaign == "non-inferiority" and change:
        others = "as many" if change.baseline_runs is None else str(change.baseline_runs)
        return f"against {others}, margin {change.margin:g}"
    return f"for power {plan.power}"


def _runs(runs: float) -> str:
    """Return a number of runs; a mean one to a tenth."""
    return f"{runs:d}" if isinstance(runs, int) else f"{runs:.1f}"


def _powers(record: RunPlan) -> Iterator[str]:
    """Yield the power of some numbers of runs, up to the first that leaves nothing to wish."""
    for runs, power in record.powers:
        if runs in _SHOWN:
            yield f"{runs}: {power:.2f}"
            if power > _ALL_BUT_CERTAIN:
                return


def _details(plan: Plan) -> Iterator[tuple[str, ...]]:
    if plan.record and plan.record.powers:
        yield "power", f"{', '.join(_powers(plan.record))} (runs: power)"
    if plan.so_far:
        yield from _so_far(plan.so_far, plan.alpha)
    if plan.hours_are_training:
        yield "GPU-hours", "training time alone; --gpu-hours-per-run can say more"


def _so_far(so_far: SoFar, alpha: float) -> Iterator[tuple[str, str]]:
    evidence = "" if so_far.e_value is None else f", E = {so_far.e_value:.3g}"
    yield "so far", f"{so_far.folder}: {count(so_far.runs, 'run')}{evidence}"
    if so_far.passes:
        yield "", "they pass the test of the losses: no further run is needed"
        return
    if so_far.at_these_figures is not None:
        runs = count(so_far.at_these_figures, "run")
        given = "this mean" if so_far.e_value is None else "this mean and sd"
        yield "", f"{runs} with exactly {given} would pass"
    yield "", "the fixed test allows no further runs after a look at the losses:"
    other = f", or certify by the sequential test (E >= {1 / alpha:g})"
    yield "", f"plan a new folder{'' if so_far.e_value is None else other}"
