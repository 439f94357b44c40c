"""Does a change leave the loss as it is? Non-inferiority of a record to its baseline."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedcheck.stats.arguments import (
    Direction,
    check_count,
    check_positive,
    check_probability,
    sign_of,
)
from speedcheck.stats.moments import Moments, moments
from speedcheck.stats.needed import runs_to_show
from speedcheck.stats.welch import Difference, welch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

# About one standard deviation of a loss over seeds: 8 runs against 32 of a record that changes
# nothing show it with a probability of 0.84, 4 runs with 0.54.
NON_INFERIORITY_MARGIN = 0.002
NON_INFERIORITY_ALPHA = 0.05
NON_INFERIORITY_MIN_RUNS = 4


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a record is shown to be worse than its baseline by less than the margin.

    Attributes:
        difference: mean(record) - mean(baseline), with its two-sided 95 % interval.
        direction: the better side of the measure.
        margin: the largest worsening that is accepted, in the unit of the measure.
        alpha: size of the one-sided test.
        min_runs: smallest number of runs of the record that can show it.
        limit: the one-sided confidence limit of the difference at 1 - alpha on its worse side:
            the upper one for "less", the lower one for "greater"; None without a test.
        p_value: one-sided p of "worse by less than the margin"; None without a test.
        shown: whether the limit is within the margin, from at least `min_runs` runs.
        runs_needed: smallest number of runs of the record, those made included, at which the
            same means and standard deviations show it; None where no number up to 10,000 does.
    """

    difference: Difference
    direction: Direction
    margin: float
    alpha: float
    min_runs: int
    limit: float | None
    p_value: float | None
    shown: bool
    runs_needed: int | None


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The losses of one run at its validations.

    Attributes:
        seed: seed of the run.
        losses: pairs of step and loss as printed, in the order of the log.
    """

    seed: int
    losses: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class EqualSeeds:
    """What the runs of a record and of its baseline with equal seeds have in common.

    Attributes:
        common: number of seeds that both have.
        equal: number of these whose losses are equal at every validation.
        shown: whether all are equal, and enough of them.
    """

    common: int
    equal: int
    shown: bool


def non_inferiority(
    record: ArrayLike,
    baseline: ArrayLike,
    *,
    margin: float = NON_INFERIORITY_MARGIN,
    alpha: float = NON_INFERIORITY_ALPHA,
    min_runs: int = NON_INFERIORITY_MIN_RUNS,
    direction: Direction = "less",
) -> NonInferiority:
    """Test whether a record's mean is worse than its baseline's by less than a margin.

    The one-sided Welch confidence limit of the difference against the margin (S. Wellek,
    "Testing Statistical Hypotheses of Equivalence and Noninferiority", 2010). It assumes
    independent, nearly normal values and numbers of runs that were fixed beforehand.

    Args:
        record: shape (n,), final losses of the record.
        baseline: shape (m,), final losses of the baseline, in the same unit.
        margin: the largest worsening that is accepted, in that unit.
        alpha: size of the test.
        min_runs: smallest number of runs of the record that can show it.
        direction: the better side of the measure.

    Returns:
        The test; not shown for fewer than two values on a side, where the values of both sides
        are equal up to rounding, and where one is not finite.

    Raises:
        UsageError: alpha is not between 0 and 1, the margin is not above 0, or min_runs is below
            2.
    """
    check_positive("margin", margin)
    check_probability("alpha", alpha)
    check_count("min_runs", min_runs, least=2)
    sign = sign_of(direction)
    difference = welch(record, baseline)
    limit = difference.upper(alpha) if sign > 0 else difference.lower(alpha)
    p_value = difference.p_below(margin) if sign > 0 else difference.p_above(-margin)
    within = limit is not None and sign * limit < margin
    return NonInferiority(
        difference,
        direction,
        margin,
        alpha,
        min_runs,
        limit,
        p_value,
        shown=within and difference.n_a >= min_runs,
        runs_needed=_runs_needed(moments(record), moments(baseline), sign, margin, alpha, min_runs),
    )


def equal_seeds(
    record: Sequence[LossCurve],
    baseline: Sequence[LossCurve],
    min_seeds: int = NON_INFERIORITY_MIN_RUNS,
) -> EqualSeeds:
    """Compare the runs of equal seeds: a change that leaves every bit cannot worsen the loss.

    Two runs are equal when their validations are at the same steps and print the same losses,
    the first validation (step 0, before training) apart. A seed that one side ran several times
    is equal when all its runs are. Losses that are NaN are never equal.

    Args:
        record: the record's runs with a seed.
        baseline: the baseline's runs with a seed.
        min_seeds: smallest number of common seeds that shows it.

    Raises:
        UsageError: min_seeds is below 1.
    """
    check_count("min_seeds", min_seeds, least=1)
    common = {run.seed for run in record} & {run.seed for run in baseline}
    distinct = Counter(seed for seed, _ in {_trained(run) for run in (*record, *baseline)})
    unusable = {run.seed for run in (*record, *baseline) if not _is_comparable(run)}
    equal = sum(distinct[seed] == 1 and seed not in unusable for seed in common)
    return EqualSeeds(len(common), equal, shown=equal == len(common) >= min_seeds)


def _trained(run: LossCurve) -> tuple[int, tuple[tuple[int, float], ...]]:
    return run.seed, tuple((step, loss) for step, loss in run.losses if step > 0)


def _is_comparable(run: LossCurve) -> bool:
    _, trained = _trained(run)
    return bool(trained) and all(math.isfinite(loss) for _, loss in trained)


def _runs_needed(
    record: Moments, baseline: Moments, sign: int, margin: float, alpha: float, min_runs: int
) -> int | None:
    if record.mean is None or baseline.mean is None:
        return None
    room = margin - sign * (record.mean - baseline.mean)
    return runs_to_show(record, baseline, room, alpha, min_runs)
