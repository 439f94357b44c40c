"""How many runs or pairs to plan. None says that no number will do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from speedcheck.errors import UsageError
from speedcheck.stats.arguments import Direction, check_positive, check_probability, sign_of
from speedcheck.stats.crossing import first_crossing
from speedcheck.stats.eprocess import LARGEST_N, boundary
from speedcheck.stats.noninferiority import (
    NON_INFERIORITY_ALPHA,
    NON_INFERIORITY_MARGIN,
    NON_INFERIORITY_MIN_RUNS,
)
from speedcheck.stats.power import MOST_RUNS, power, runs_for_power, smallest_n
from speedcheck.stats.sequential import SEQUENTIAL_MAXIMUM, check_maximum
from speedcheck.stats.sequential_pairs import PAIRS_OF_A_BLOCK, RACE_PAIRS
from speedcheck.stats.welch_power import welch_power
from speedcheck.stats.ztest import margin_for

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

# Simulated campaigns of a plan: the standard error of the mean runs is about 0.1.
CAMPAIGNS = 20_000
SEED = 20250116

# Stronger effects are decided at the first look that can decide at all.
STRONGEST_EFFECT = 1e3


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """What a campaign that stops once it is decided costs, by simulation.

    Attributes:
        maximum: the largest number of runs, or pairs.
        chance: probability of a decision in favour by the maximum.
        mean: mean number used; a campaign that is not decided uses the maximum.
        median: median number used.
    """

    maximum: int
    chance: float
    mean: float
    median: float


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Runs for a record with an expected mean and standard deviation.

    Attributes:
        effect: standard deviations of a loss on the right side of the target; None without one.
        powers: pairs of a number of runs and the power of the fixed test with it, from 2 runs
            (from 1 where the standard deviation is known) to the maximum; none without an effect.
        wanted: the power that is asked for.
        runs: smallest number of runs with that power; None where no number will do: the mean is
            not on the right side of the target, or too near to it, or there is no sd.
        sequential: cost of the sequential test; None where `runs` is, and where the standard
            deviation is known.
    """

    effect: float | None
    powers: tuple[tuple[int, float], ...]
    wanted: float
    runs: int | None
    sequential: SequentialPlan | None


@dataclass(frozen=True, slots=True)
class RacePlan:
    """Pairs for a race between trainers with an expected difference.

    Attributes:
        effect: the difference in standard deviations of a pair's difference, sqrt(2) sd.
        wanted: the power that is asked for.
        pairs: smallest fixed number of pairs in whole blocks at which the two-sided t-test has
            that power; None where no number up to 1,000, to which the race's own test goes, will
            do.
        sequential: cost of the race that stops once it is decided; None where `pairs` is.
    """

    effect: float
    wanted: float
    pairs: int | None
    sequential: SequentialPlan | None


def standardise(
    mean: float, sd: float, target: float, direction: Direction = "less"
) -> float | None:
    """Return how many standard deviations a mean is on the right side of the target.

    Args:
        mean: expected mean loss.
        sd: expected standard deviation of a loss.
        target: the loss that the mean must be below, or above.
        direction: the better side of the measure.

    Returns:
        The effect, negative on the wrong side; None where the sd is not above 0 and where a
        figure is not finite.
    """
    if not 0 < sd < math.inf:
        return None
    effect = sign_of(direction) * (target - mean) / sd
    return effect if math.isfinite(effect) else None


def plan_runs(
    effect: float | None,
    alpha: float = 0.01,
    *,
    wanted: float = 0.9,
    maximum: int = SEQUENTIAL_MAXIMUM,
    generator: Generator | None = None,
) -> RunPlan:
    """Plan the runs of a record: a fixed number of them, and the sequential test.

    Args:
        effect: expected standard deviations of a loss on the right side of the target, as
            `standardise` gives them.
        alpha: size of both tests.
        wanted: power that is asked for.
        maximum: largest number of runs of the sequential test, and of `powers`.
        generator: source of randomness; one with a fixed seed unless given.

    Raises:
        UsageError: alpha or the power is not between 0 and 1, or the maximum is below 2 or above
            1,000.
    """
    check_probability("alpha", alpha)
    check_probability("power", wanted)
    check_maximum(maximum)
    if effect is None or not math.isfinite(effect):
        return RunPlan(None, (), wanted, None, None)
    powers = tuple((n, power(n, -effect, 1, 0, alpha) or 0.0) for n in range(2, maximum + 1))
    runs = runs_for_power(-effect, 1, 0, alpha, wanted)
    if runs is None:
        return RunPlan(effect, powers, wanted, None, None)
    campaigns = _campaigns(effect, boundary(maximum, alpha), generator)
    return RunPlan(effect, powers, wanted, runs, campaigns)


def plan_known_sigma(
    gap: float,
    sigma: float,
    alpha: float,
    *,
    sd: float | None = None,
    wanted: float = 0.9,
    maximum: int = SEQUENTIAL_MAXIMUM,
) -> RunPlan:
    """Plan the runs of a record whose track takes the standard deviation of a loss as known.

    The test passes when the mean is at least margin / sqrt(n) on the right side of the target, so
    the power is that of a normal mean: P(Z <= (gap sqrt(n) - margin) / sd). There is no sequential
    test of this kind.

    Args:
        gap: how far the expected mean is on the right side of the target, in the measure's unit.
        sigma: the standard deviation that the track takes as known, above 0.
        alpha: size of the z-test.
        sd: the expected standard deviation; sigma unless given.
        wanted: power that is asked for.
        maximum: largest number of runs of `powers`.

    Raises:
        UsageError: alpha or the power is not between 0 and 1, a standard deviation is not above
            0, or the maximum is below 2 or above 1,000.
    """
    check_probability("power", wanted)
    check_positive("sigma", sigma)
    check_maximum(maximum)
    scatter = sigma if sd is None else sd
    check_positive("sd", scatter)
    margin = margin_for(sigma, alpha)

    def power_of(n: int) -> float:
        return float(ndtr((gap * math.sqrt(n) - margin) / scatter))

    powers = tuple((n, power_of(n)) for n in range(1, maximum + 1))
    runs = None
    if gap > 0:
        runs = next((n for n in range(1, MOST_RUNS + 1) if power_of(n) >= wanted), None)
    effect = gap / scatter
    return RunPlan(effect if math.isfinite(effect) else None, powers, wanted, runs, None)


def plan_race(
    difference: float,
    sd: float,
    alpha: float = 0.01,
    *,
    wanted: float = 0.9,
    maximum: int = RACE_PAIRS,
    generator: Generator | None = None,
) -> RacePlan:
    """Plan a race: a fixed number of pairs, and the race that stops once it is decided.

    Args:
        difference: expected difference of the times, in seconds; its sign does not matter.
        sd: standard deviation of one run's time, in seconds, above 0.
        alpha: size of the two-sided test.
        wanted: power that is asked for.
        maximum: largest number of pairs of the race, looked at after whole blocks of two.
        generator: source of randomness; one with a fixed seed unless given.

    Raises:
        UsageError: alpha or the power is not between 0 and 1, the sd is not above 0, the
            difference is not finite, or the maximum is below 2 or above 1,000.
    """
    check_probability("alpha", alpha)
    check_probability("power", wanted)
    check_positive("sd", sd)
    check_maximum(maximum)
    effect = abs(difference) / sd / math.sqrt(2)
    if not math.isfinite(effect):
        raise UsageError(
            f"the difference is {difference:g} at an sd of {sd:g}",
            remedy="give both in seconds, as finite numbers",
        )
    pairs = pairs_for_power(difference, sd, alpha, wanted)
    bounds = np.array(boundary(maximum, alpha, two_sided=True))
    bounds[np.arange(maximum + 1) % PAIRS_OF_A_BLOCK > 0] = np.inf
    sequential = None if pairs is None else _campaigns(effect, bounds, generator)
    return RacePlan(effect, wanted, pairs, sequential)


def pairs_for_power(
    difference: float, sd: float, alpha: float = 0.01, wanted: float = 0.9
) -> int | None:
    """Return the smallest fixed number of pairs that shows a difference with the wanted power.

    A race is run in blocks A B B A, so the number is even.

    Args:
        difference: expected difference of the times, in seconds; its sign does not matter.
        sd: standard deviation of one run's time, in seconds, above 0.
        alpha: size of the two-sided t-test of the paired differences.
        wanted: power that is asked for.

    Returns:
        The number; None where no number up to 1,000, to which the race's own test goes, will do.

    Raises:
        UsageError: alpha or the power is not between 0 and 1.
    """
    # The other tail's share of the power is negligible wherever the power is worth a plan.
    effect = -abs(difference), math.sqrt(2) * sd, 0
    pairs = runs_for_power(*effect, alpha / 2, wanted, limit=LARGEST_N)
    return None if pairs is None else pairs + pairs % PAIRS_OF_A_BLOCK


def plan_non_inferiority(
    sd: float,
    baseline_runs: int | None = None,
    *,
    margin: float = NON_INFERIORITY_MARGIN,
    alpha: float = NON_INFERIORITY_ALPHA,
    min_runs: int = NON_INFERIORITY_MIN_RUNS,
    worse: float = 0.0,
    wanted: float = 0.9,
) -> int | None:
    """Return how many runs show with the wanted power that a change leaves the loss as it is.

    Args:
        sd: standard deviation of a loss, of both records, above 0.
        baseline_runs: the baseline's runs; as many as the record's where None.
        margin: the largest worsening that is accepted.
        alpha: size of the test.
        min_runs: smallest number of runs that can show it.
        worse: by how much the record is truly worse, in the unit of the losses.
        wanted: power that is asked for.

    Returns:
        The number of runs of the record; None where no number up to 10,000 will do.

    Raises:
        UsageError: a figure is out of range.
    """
    check_positive("sd", sd)
    check_positive("margin", margin)
    check_probability("alpha", alpha)
    check_probability("power", wanted)

    def enough(n: int) -> bool:
        found = welch_power(n, baseline_runs or n, sd, sd, margin - worse, alpha)
        return n >= min_runs and found is not None and found >= wanted

    return smallest_n(enough, MOST_RUNS)


def _campaigns(
    effect: float, bounds: NDArray[np.float64], generator: Generator | None
) -> SequentialPlan:
    """Simulate campaigns whose standardised true effect is on the good side."""
    maximum = bounds.size - 1
    source = np.random.default_rng(SEED) if generator is None else generator
    values = source.standard_normal((CAMPAIGNS, maximum)) + min(effect, STRONGEST_EFFECT)
    crossed = first_crossing(values, bounds)
    used = np.where(crossed > 0, crossed, maximum)
    return SequentialPlan(
        maximum, float(np.mean(crossed > 0)), float(used.mean()), float(np.median(used))
    )
