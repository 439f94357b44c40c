"""The pairwise rule of step-count tracks: what fewer steps are worth in loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from speedcheck.checks.scan import curves_of
from speedcheck.comparison.record_comparison import (
    Compared,
    Decision,
    StepChoice,
    StepRecord,
    Undecided,
)
from speedcheck.comparison.sides import Side
from speedcheck.rules.tracks import Track
from speedcheck.stats.needed import first_number
from speedcheck.stats.step_rule import StepRule, step_rule, step_scan
from speedcheck.stats.ztest import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_step_rule(
    a: Side,
    b: Side,
    shown: tuple[Compared, Compared],
    losses: tuple[list[float], list[float]],
    alpha: float,
) -> tuple[Decision, StepRecord | None]:
    """Decide by the track's pairwise rule.

    Args:
        a: the one record.
        b: the other.
        shown: what the comparison says of each.
        losses: their final losses.
        alpha: size of the rule's z-test.

    Returns:
        The decision, and the record with fewer steps (A where both take as many) beside the other
        at each of its validation steps; None where the rule has no answer.
    """
    ends = [side.steps[0] if side.steps and len(set(side.steps)) == 1 else None for side in shown]
    if ends[0] is None or ends[1] is None:
        return Decision("undecided", Undecided.STEPS, None), None
    end_a, end_b = ends[0], ends[1]
    better = _rule(losses[1], losses[0], end_b, end_a, a.rule.track, alpha)
    worse = _rule(losses[0], losses[1], end_a, end_b, a.rule.track, alpha)
    if better.value is None:
        return Decision("undecided", Undecided.NO_TEST, None), None
    record = (
        _record("A", a, better, losses[1], end_b, alpha)
        if end_a <= end_b
        else _record("B", b, worse, losses[0], end_a, alpha)
    )
    if better.shown or worse.shown:
        return Decision("better" if better.shown else "worse", None, 0), record
    return Decision("undecided", Undecided.STEP_RULE, _more_runs(better)), record


def _record(
    new: Literal["A", "B"],
    side: Side,
    rule: StepRule,
    old: list[float],
    old_steps: int,
    alpha: float,
) -> StepRecord:
    """Return the rule at each validation step that all runs of the new record have in common."""
    curves = [dict(curve) for curve in curves_of(side.sample)]
    track = side.rule.track
    scan = step_scan([curve.items() for curve in curves], side.rule.target, alpha, track.sigma)

    def at(step: int) -> StepRule:
        return _rule(old, [curve[step] for curve in curves], old_steps, step, track, alpha)

    return StepRecord(new, rule, tuple(StepChoice(row, at(row.step)) for row in scan.rows))


def _rule(
    old: list[float],
    new: list[float],
    old_steps: int,
    new_steps: int,
    track: Track,
    alpha: float,
) -> StepRule:
    # Only a track with both keys is compared so.
    rate, sigma = track.exchange_rate or 0.0, track.sigma or 0.0
    return step_rule(
        old,
        new,
        old_steps=old_steps,
        new_steps=new_steps,
        rate=rate,
        sigma=sigma,
        alpha=alpha,
    )


def _more_runs(rule: StepRule) -> int | None:
    """Return how many further runs of each side would decide if both means stayed."""
    gain = abs((rule.loss_gain or 0.0) + rule.rate * rule.steps_saved)

    def decides(more: NDArray[np.int64]) -> NDArray[np.bool_]:
        root = np.sqrt(1 / (rule.n_old + more) + 1 / (rule.n_new + more))
        reached: NDArray[np.bool_] = gain / root >= rule.margin * (1 - ROUNDING)
        return reached

    return first_number(decides, 1) if math.isfinite(gain) and gain else None
