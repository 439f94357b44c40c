"""Is the mean loss below the target? A test that may be looked at after every run."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import nctdtr

from speedcheck.errors import UsageError
from speedcheck.stats.arguments import Direction, check_count, check_probability, sign_of
from speedcheck.stats.crossing import Earlier, first_crossing
from speedcheck.stats.eprocess import LARGEST_N, boundary, log_e
from speedcheck.stats.moments import moments
from speedcheck.stats.prefixes import prefixes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# A record at -0.742 sd is certified within 48 runs in 95.5 % of cases, within 64 in 99.2 %.
SEQUENTIAL_MAXIMUM = 64

# Futility is advice from the 16th run on: before, it would give up too many good records.
FUTILE_FROM = 16
FUTILE_LEVEL = 0.9
FUTILE_CHANCE = 0.05

# Simulated continuations behind that chance: its standard error at 5 % is 0.5 %.
CONTINUATIONS = 2_000
SEED = 20250116

# A weaker t leaves no chance at all, and the noncentral t of scipy is not made for it.
WEAKEST_T = -50.0

# The exponent beyond which an e-value does not fit into a float.
LARGEST_EXPONENT = math.log(sys.float_info.max)


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """The one-sided anytime-valid t-test of the mean against the target.

    Attributes:
        n: number of losses up to the first that is not finite.
        mean: their mean; None without losses.
        std: their sample standard deviation; None for fewer than two.
        target: the loss to stay below, or above.
        direction: the better side of the measure.
        alpha: probability of ever certifying a record whose mean is at the target.
        log_e_values: natural logarithms of E_1 to E_n, in the planned order of the runs.
        certified_at: the first number of runs with E >= 1 / alpha; None where there is none.
        diverged_at: number of the first run whose loss is not finite, from 1: it ends the
            campaign, and the record is not certified.
    """

    n: int
    mean: float | None
    std: float | None
    target: float
    direction: Direction
    alpha: float
    log_e_values: tuple[float, ...]
    certified_at: int | None
    diverged_at: int | None

    @property
    def certified(self) -> bool:
        """Whether the record is certified; runs after `certified_at` do not change it."""
        return self.certified_at is not None and self.diverged_at is None

    @property
    def e_values(self) -> tuple[float, ...]:
        """The e-values E_1 to E_n, each at most the largest float."""
        return tuple(map(_exp, self.log_e_values))

    @property
    def e_value(self) -> float:
        """The last e-value; 1 without runs, at most the largest float."""
        return _exp(self.log_e_values[-1]) if self.log_e_values else 1.0

    @property
    def p_value(self) -> float:
        """The anytime-valid p-value, 1 over the largest e-value, at most 1."""
        return 1 / _exp(max([0.0, *self.log_e_values]))


@dataclass(frozen=True, slots=True)
class Futility:
    """Advice on whether more runs are worth their cost.

    Attributes:
        n: number of runs so far.
        maximum: the planned largest number of runs.
        effect: (mean - target) / sd of the runs so far.
        best_effect: the best effect within the one-sided 90 % bound.
        chance: probability of certification by the maximum if `best_effect` is the true effect,
            given the runs so far.
        futile: whether the chance is below 5 %.
    """

    n: int
    maximum: int
    effect: float
    best_effect: float
    chance: float
    futile: bool


def sequential_t(
    losses: ArrayLike, target: float, alpha: float = 0.01, direction: Direction = "less"
) -> SequentialTest:
    """Test the mean against the target with a look after each run.

    The e-process of `speedcheck.stats.eprocess` with the equal mixture of effects 0.5, 0.75, 1
    and 1.5. One may stop at any time or go on past the planned number. It assumes independent,
    nearly normal losses, taken in an order that was fixed beforehand.

    Args:
        losses: shape (n,), in the planned order of the seeds, over the longest completed prefix.
        target: the loss that the mean must be below, or above.
        alpha: size of the test.
        direction: the better side of the measure.

    Returns:
        The test. As long as all losses are equal up to rounding the e-value is 1.

    Raises:
        UsageError: alpha is not between 0 and 1.
    """
    check_probability("alpha", alpha)
    x = np.ravel(np.asarray(losses, dtype=np.float64))
    finite = np.isfinite(x)
    count = x.size if finite.all() else int(np.argmin(finite))
    log_e_values = _log_e_values(x[:count], target, direction)
    reached = np.flatnonzero(log_e_values >= -math.log(alpha))
    sample = moments(x[:count])
    return SequentialTest(
        count,
        sample.mean,
        sample.std,
        target,
        direction,
        alpha,
        tuple(log_e_values.tolist()),
        certified_at=int(reached[0]) + 1 if reached.size else None,
        diverged_at=count + 1 if count < x.size else None,
    )


def futility(
    losses: ArrayLike,
    target: float,
    alpha: float = 0.01,
    maximum: int = SEQUENTIAL_MAXIMUM,
    direction: Direction = "less",
) -> Futility | None:
    """Estimate whether certification by the maximum is still within reach.

    The best effect is the one under which a t statistic as weak as the observed one has a
    probability of 10 %; the chance is simulated from there with a fixed seed.

    Args:
        losses: shape (n,), in the planned order, all finite.
        target: the loss that the mean must be below, or above.
        alpha: size of the sequential test.
        maximum: the planned largest number of runs.
        direction: the better side of the measure.

    Returns:
        The advice; None before the 16th run, at the maximum, after certification, for losses that
        are equal up to rounding and where one is not finite.

    Raises:
        UsageError: alpha is not between 0 and 1, or the maximum is below 2 or above 1,000.
    """
    check_maximum(maximum)
    test = sequential_t(losses, target, alpha, direction)
    unfinished = test.diverged_at is None and test.certified_at is None
    if not unfinished or not FUTILE_FROM <= test.n < maximum or not test.std or test.mean is None:
        return None
    sign = sign_of(direction)
    good = sign * (target - test.mean) / test.std
    if not math.isfinite(good):
        return None
    best = _best_effect(good, test.n)
    chance = _chance_to_certify(good, best, test.n, maximum, alpha)
    return Futility(test.n, maximum, -sign * good, -sign * best, chance, chance < FUTILE_CHANCE)


def check_maximum(maximum: int, name: str = "maximum") -> None:
    """Refuse a largest number of runs that the test is not made for.

    Args:
        maximum: the number.
        name: what the caller calls it.

    Raises:
        UsageError: the maximum is below 2 or above 1,000, to which the e-values are exact.
    """
    check_count(name, maximum, least=2)
    if maximum > LARGEST_N:
        raise UsageError(f"{name} is {maximum}", remedy=f"choose at most {LARGEST_N}")


def _log_e_values(losses: Floats, target: float, direction: Direction) -> Floats:
    values = np.zeros(losses.size)
    if losses.size > 1:
        series = prefixes(losses)
        t = -sign_of(direction) * series.t(target)
        tested = np.flatnonzero(series.std > 0)
        values[tested] = log_e(t[tested], series.n[tested])
    return values


def _best_effect(effect: float, n: int) -> float:
    """Return the effect at which a t of sqrt(n) `effect` or less has the probability 1 - level."""
    t = max(math.sqrt(n) * effect, WEAKEST_T)
    reach = 10 * math.sqrt(1 + t**2 / n)
    low, high = t - reach, t + reach
    for _ in range(60):
        middle = (low + high) / 2
        likely = float(nctdtr(n - 1, middle, t)) > 1 - FUTILE_LEVEL
        low, high = (middle, high) if likely else (low, middle)
    return low / math.sqrt(n)


def _chance_to_certify(good: float, best: float, n: int, maximum: int, alpha: float) -> float:
    """Simulate the rest of a campaign, in units of the sd of its first n runs."""
    generator = np.random.default_rng(SEED)
    rest = generator.standard_normal((CONTINUATIONS, maximum - n)) + best
    earlier = Earlier(n, n * good, n - 1 + n * good**2)
    crossed = first_crossing(rest, boundary(maximum, alpha), earlier)
    return float(np.mean(crossed > 0))


def _exp(exponent: float) -> float:
    return math.exp(min(exponent, LARGEST_EXPONENT))
