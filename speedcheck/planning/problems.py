"""What cannot be planned: figures out of range, and questions that no number of runs answers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from speedcheck.errors import UsageError
from speedcheck.planning.planned import Expected, Frontier
from speedcheck.stats.sample_size import RacePlan, RunPlan


def problems(
    expected: Expected,
    record: RunPlan | None,
    race: RacePlan | None,
    frontier: Frontier | None = None,
) -> Iterator[str]:
    """Yield why no number of runs will do, for each question that was asked."""
    if record is not None and record.runs is None:
        yield _why_no_record(expected, record, frontier)
    if race is not None and race.pairs is None:
        yield "the trainers' times do not differ enough: no number of pairs up to 10,000 will do"


def _why_no_record(expected: Expected, record: RunPlan, frontier: Frontier | None) -> str:
    side = "below" if expected.direction == "less" else "above"
    if not expected.sd:
        return "the sd is 0, which leaves the t-test undefined: no number of runs will do"
    goal = "target" if frontier is None else "frontier with the improvement,"
    if record.effect is None or record.effect <= 0:
        return (
            f"the mean {expected.mean:g} is not {side} the {goal} {expected.target:g}: "
            "no number of runs will do"
        )
    if frontier is not None:
        return (
            f"the mean {expected.mean:g} is too near the {goal} {expected.target:g}, for the "
            f"frontier has {frontier.runs} runs with sd {frontier.sd:.3g}: no number of runs up to "
            "10,000 will do"
        )
    return (
        f"the mean {expected.mean:g} is too near the target {expected.target:g}: no number of "
        "runs up to 10,000 will do"
    )


def check_figures(**figures: float | None) -> None:
    """Refuse figures that are not finite, and negative ones where the sign means nothing.

    Raises:
        UsageError: a figure is out of range.
    """
    for name, value in figures.items():
        if value is None:
            continue
        signed = name in ("mean", "difference")
        if not math.isfinite(value) or (value < 0 and not signed):
            kind = "a finite number" if signed else "a finite number from 0"
            raise UsageError(f"{name} is {value:g}", remedy=f"give {kind}")
        if value == 0 and name in ("time_sd", "gpu_hours_per_run", "margin"):
            raise UsageError(f"{name} is 0", remedy="give a number above 0")
