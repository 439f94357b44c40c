"""Questions that no number of runs answers."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.planning.planned import Expected, Frontier, NonInferiorityPlan
from speedcheck.stats.sample_size import RacePlan, RunPlan


def problems(
    expected: Expected,
    record: RunPlan | None,
    race: RacePlan | None,
    change: NonInferiorityPlan | None,
    frontier: Frontier | None = None,
) -> Iterator[str]:
    """Yield why no number of runs will do, for each question that was asked."""
    if record is not None and record.runs is None:
        yield _why_no_record(expected, record, frontier)
    if race is not None and race.pairs is None:
        yield "the trainers' times do not differ enough: no number of pairs up to 1,000 will do"
    if change is not None and change.runs is None:
        worse = f"a loss worse by {change.margin:g}"
        yield f"at sd {expected.sd:.3g} no number of runs up to 10,000 rules out {worse}"


def _why_no_record(expected: Expected, record: RunPlan, frontier: Frontier | None) -> str:
    side = "below" if expected.direction == "less" else "above"
    if not expected.sd:
        return "the sd is 0, which leaves the t-test undefined: no number of runs will do"
    goal = "target" if frontier is None else "frontier with the improvement,"
    mean, target = _apart(expected.mean or 0.0, expected.target)
    if record.effect is None or record.effect <= 0:
        return f"the mean {mean} is not {side} the {goal} {target}: no number of runs will do"
    if frontier is not None:
        return (
            f"the mean {mean} is too near the {goal} {target}, for the "
            f"frontier has {frontier.runs} runs with sd {frontier.sd:.3g}: no number of runs up to "
            "10,000 will do"
        )
    return (
        f"the mean {mean} is too near the target {target}: no number of runs up to 10,000 will do"
    )


def _apart(a: float, b: float) -> tuple[str, str]:
    """Return two numbers with the digits that tell them apart."""
    shown = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(5, 18))
    return next((pair for pair in shown if pair[0] != pair[1]), (f"{a:g}", f"{b:g}"))
