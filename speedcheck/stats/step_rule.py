"""The rules of step-count tracks: two records compared, and one record at each validation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import ndtr

from speedcheck.stats.arguments import Direction, check_positive, check_probability
from speedcheck.stats.moments import moments
from speedcheck.stats.ttest import one_sample_t
from speedcheck.stats.ztest import margin_for, one_sample_z, passes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

# More steps than any program trains: a rate that asks for more asks for the impossible.
MOST_STEPS = 10**9


@dataclass(frozen=True, slots=True)
class StepRule:
    """The pairwise rule: fewer steps are worth as much loss as the track's rate says.

    Attributes:
        n_old: number of runs of the old record.
        n_new: number of runs of the new one.
        loss_gain: mean(old) - mean(new) at their final steps, nats per token; None without both.
        steps_saved: steps(old) - steps(new).
        rate: nats per token that one step is worth.
        value: (loss_gain + rate * steps_saved) / sqrt(1 / n_old + 1 / n_new); None without both.
        margin: what `value` must reach, nats per token.
        p_value: one-sided p of the z-test with the known standard deviation of one loss.
        shown: whether the rule is met; its bound included.
        steps_needed: smallest number of saved steps with which these losses meet it, below 0
            where they may be more; None beyond 10^9.
    """

    n_old: int
    n_new: int
    loss_gain: float | None
    steps_saved: int
    rate: float
    value: float | None
    margin: float
    p_value: float | None
    shown: bool
    steps_needed: int | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One validation step of the scan.

    Attributes:
        step: the step.
        n: number of runs, each of which has a loss there.
        mean: mean loss, nats per token; None where a loss is not finite.
        std: sample standard deviation; None for one run.
        p_value: p of the track's test at this step alone; None where it is not defined.
        passes: whether it passes at the track's level, looked at alone.
    """

    step: int
    n: int
    mean: float | None
    std: float | None
    p_value: float | None
    passes: bool


@dataclass(frozen=True, slots=True)
class StepScan:
    """The test at every validation step that all runs have in common.

    Attributes:
        rows: the steps, ascending.
        earliest: the first step that passes; None where none does. It was chosen among as many
            looks as there are rows, so its p-value is smaller than chance alone would make it.
    """

    rows: tuple[StepRow, ...]
    earliest: int | None


def step_rule(
    old: ArrayLike,
    new: ArrayLike,
    *,
    old_steps: int,
    new_steps: int,
    rate: float,
    sigma: float,
    alpha: float,
) -> StepRule:
    """Compare a new record with an old one that took more, or fewer, steps.

    The rule of the public step-count track, with rate 0.0045 / 100, sigma 0.0013 and the size at
    which its margin is 0.004: a z-test of the loss that the saved steps leave.

    Args:
        old: shape (n_old,), losses at the old record's final step, nats per token.
        new: shape (n_new,), losses at the new one's.
        old_steps: the old record's final step.
        new_steps: the new one's.
        rate: nats per token that one step is worth, above 0.
        sigma: standard deviation of one loss, above 0.
        alpha: size of the test.

    Returns:
        The rule; not shown, and without a value, where a side has no losses or one that is not
        finite, and for more than 10^9 steps.

    Raises:
        UsageError: the rate or sigma is not above 0, or alpha is not between 0 and 1.
    """
    check_positive("rate", rate)
    check_positive("sigma", sigma)
    check_probability("alpha", alpha)
    first, second = moments(old), moments(new)
    margin, saved = margin_for(sigma, alpha), old_steps - new_steps
    undefined = StepRule(first.n, second.n, None, saved, rate, None, margin, None, False, None)
    if first.mean is None or second.mean is None or abs(saved) > MOST_STEPS:
        return undefined
    gain, root = first.mean - second.mean, math.sqrt(1 / first.n + 1 / second.n)
    value = (gain + rate * saved) / root
    if not math.isfinite(value / sigma):
        return undefined
    p_value = float(ndtr(-value / sigma))
    return StepRule(
        first.n,
        second.n,
        gain,
        saved,
        rate,
        value,
        margin,
        p_value,
        shown=passes(p_value, alpha),
        steps_needed=_steps_needed((margin * root - gain) / rate),
    )


def step_scan(
    runs: Sequence[Iterable[tuple[int, float]]],
    target: float,
    alpha: float,
    sigma: float | None = None,
    direction: Direction = "less",
) -> StepScan:
    """Test the mean loss at each validation step that all runs have in common.

    Args:
        runs: for each run its pairs of step and loss; of a repeated step the last counts.
        target: the loss that the mean must be below, or above.
        alpha: size of the test.
        sigma: standard deviation of one loss where the track knows it: the z-test; else the
            t-test.
        direction: the better side of the measure.

    Returns:
        The scan, without the validation before training.

    Raises:
        UsageError: alpha is not between 0 and 1, or sigma is not above 0.
    """
    check_probability("alpha", alpha)
    if sigma is not None:
        check_positive("sigma", sigma)
    curves = [dict(run) for run in runs]
    common = set.intersection(*(set(curve) for curve in curves)) if curves else set()
    rows = tuple(
        _row(step, [curve[step] for curve in curves], target, alpha, sigma, direction)
        for step in sorted(common)
        if step > 0
    )
    return StepScan(rows, next((row.step for row in rows if row.passes), None))


def _row(
    step: int,
    losses: list[float],
    target: float,
    alpha: float,
    sigma: float | None,
    direction: Direction,
) -> StepRow:
    sample = moments(losses)
    if sigma is None:
        p_value = one_sample_t(losses, target, direction).p_value
        passed = p_value is not None and p_value < alpha
    else:
        p_value = one_sample_z(losses, target, sigma, direction).p_value
        passed = p_value is not None and passes(p_value, alpha)
    return StepRow(step, sample.n, sample.mean, sample.std, p_value, passed)


def _steps_needed(steps: float) -> int | None:
    """Round up, except for the last digits: a bound that is reached exactly passes."""
    return math.ceil(steps - 1e-9 * max(1.0, abs(steps))) if abs(steps) < MOST_STEPS else None
