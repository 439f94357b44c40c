"""Is record A faster than record B, with losses that are no worse?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from speedcheck.stats.arguments import Direction, check_probability, sign_of
from speedcheck.stats.moments import Moments, moments
from speedcheck.stats.needed import first_number
from speedcheck.stats.noninferiority import (
    NON_INFERIORITY_ALPHA,
    NON_INFERIORITY_MARGIN,
    NON_INFERIORITY_MIN_RUNS,
    NonInferiority,
    non_inferiority,
)
from speedcheck.stats.times import MACHINE_SPREAD, time_difference
from speedcheck.stats.welch import (
    Difference,
    effect_size,
    equivalence_p,
    reach,
    two_sided_p,
    welch_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from speedcheck.stats.sequential_pairs import Outcome

    Numbers = NDArray[np.int64]
    Answers = NDArray[np.bool_]


class Blocked(StrEnum):
    """Why a comparison is undecided."""

    NO_TEST = "no_test"
    """One side has fewer than two times, or the times have no spread to measure by."""
    TIME = "time"
    """Chance and the spread between machines explain the difference of the times."""
    LOSS = "loss"
    """One side is faster, but its losses are not shown to be non-inferior."""


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one record, as a comparison takes them.

    Attributes:
        times: shape (n,), training times in seconds.
        losses: shape (m,), final losses.
    """

    times: ArrayLike
    losses: ArrayLike


@dataclass(frozen=True, slots=True)
class LossRule:
    """What "the losses are no worse" means.

    Attributes:
        margin: the largest worsening that is accepted, in the unit of the losses.
        alpha: size of the one-sided test.
        min_runs: smallest number of runs that can show it.
        direction: the better side of the measure.
    """

    margin: float = NON_INFERIORITY_MARGIN
    alpha: float = NON_INFERIORITY_ALPHA
    min_runs: int = NON_INFERIORITY_MIN_RUNS
    direction: Direction = "less"


DEFAULT_LOSS_RULE = LossRule()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Record A beside record B.

    Attributes:
        times: mean time of A minus that of B, in seconds, with its two-sided 95 % interval.
        time_p: two-sided p of "the times differ"; None without a test.
        time_effect: the difference of the times in standard deviations of a run; None without.
        a_loss: non-inferiority of A's losses to B's.
        b_loss: non-inferiority of B's losses to A's.
        loss_p: two-sided p of "the losses differ" (Welch); None without a test.
        loss_effect: the difference of the losses in standard deviations of a run; None without.
        equivalence_p: p of "the losses differ by less than 0.001" (TOST); None without a test.
        alpha: size of the two-sided test of the times.
        machine_spread: share of the run time that went into the standard error; 0 for pairs.
        outcome: "better" where A is faster at alpha and its losses are non-inferior, "worse" for
            the mirror image, else "undecided".
        blocked_by: why it is undecided; None where it is decided.
        more_runs: how many more runs of each side (pairs, if they are paired) would decide it if
            all means and standard deviations stayed; 0 where it is decided, None where no number
            up to 10,000 does.
    """

    times: Difference
    time_p: float | None
    time_effect: float | None
    a_loss: NonInferiority
    b_loss: NonInferiority
    loss_p: float | None
    loss_effect: float | None
    equivalence_p: float | None
    alpha: float
    machine_spread: float
    outcome: Outcome
    blocked_by: Blocked | None
    more_runs: int | None


def compare_records(
    a: Side,
    b: Side,
    *,
    alpha: float = 0.01,
    interleaved: bool = False,
    machine_spread: float = MACHINE_SPREAD,
    loss_rule: LossRule = DEFAULT_LOSS_RULE,
    same_losses: bool = False,
) -> Comparison:
    """Decide whether A is better than B: faster at alpha, with losses that are non-inferior.

    Args:
        a: the runs of A.
        b: the runs of B.
        alpha: size of the two-sided test of the times.
        interleaved: whether time i of A was measured next to time i of B on one machine.
        machine_spread: share of the run time by which machines differ; see `time_difference`.
        loss_rule: what non-inferior means.
        same_losses: whether equal seeds show that the losses are the same (`equal_seeds`).

    Raises:
        UsageError: alpha, the spread or the loss rule is out of range.
    """
    check_probability("alpha", alpha)
    times = time_difference(
        a.times, b.times, interleaved=interleaved, machine_spread=machine_spread
    )
    spread = None if interleaved else machine_spread
    time_p = two_sided_p(times)
    a_is_faster = (times.difference or 0.0) < 0
    fast, slow = (a, b) if a_is_faster else (b, a)
    a_loss, b_loss = _non_inferior(a, b, loss_rule), _non_inferior(b, a, loss_rule)
    shown = same_losses or (a_loss if a_is_faster else b_loss).shown
    blocked = _blocked(time_p, alpha, loss_shown=shown)
    return Comparison(
        times=times,
        time_p=time_p,
        time_effect=effect_size(a.times, b.times),
        a_loss=a_loss,
        b_loss=b_loss,
        loss_p=two_sided_p(a_loss.difference),
        loss_effect=effect_size(a.losses, b.losses),
        equivalence_p=equivalence_p(a_loss.difference),
        alpha=alpha,
        machine_spread=spread or 0.0,
        outcome="undecided" if blocked else ("better" if a_is_faster else "worse"),
        blocked_by=blocked,
        more_runs=_more_runs(
            _time_decides(times, moments(a.times), moments(b.times), alpha, spread),
            moments(fast.losses),
            moments(slow.losses),
            None if same_losses else loss_rule,
        )
        if blocked
        else 0,
    )


def _non_inferior(record: Side, baseline: Side, rule: LossRule) -> NonInferiority:
    return non_inferiority(
        record.losses,
        baseline.losses,
        margin=rule.margin,
        alpha=rule.alpha,
        min_runs=rule.min_runs,
        direction=rule.direction,
    )


def _blocked(time_p: float | None, alpha: float, *, loss_shown: bool) -> Blocked | None:
    if time_p is None:
        return Blocked.NO_TEST
    if time_p >= alpha:
        return Blocked.TIME
    return None if loss_shown else Blocked.LOSS


def _more_runs(
    time_decides: Callable[[Numbers], Answers], fast: Moments, slow: Moments, rule: LossRule | None
) -> int | None:
    """Return the first number of further runs of both sides that decides; None without one.

    Args:
        time_decides: numbers of further runs to whether the times then differ at alpha.
        fast: losses of the faster side.
        slow: losses of the other one.
        rule: what non-inferior means; None where the losses are known to be the same.
    """
    if rule is None:
        return first_number(time_decides, 1)
    if fast.mean is None or slow.mean is None or fast.std is None or slow.std is None:
        return None
    room = rule.margin - sign_of(rule.direction) * (fast.mean - slow.mean)
    if not room > 0 or not (fast.std or slow.std):
        return None
    fast_std, slow_std, alpha = fast.std, slow.std, rule.alpha

    def decides(more: Numbers) -> Answers:
        error, df = welch_error(fast_std, fast.n + more, slow_std, slow.n + more)
        enough = (fast.n + more >= rule.min_runs) & (-stdtrit(df, alpha) * error < room)
        answers: Answers = enough & time_decides(more)
        return answers

    return first_number(decides, 1)


def _time_decides(
    times: Difference, a: Moments, b: Moments, alpha: float, spread: float | None
) -> Callable[[Numbers], Answers]:
    """Return whether the times differ at alpha after so many further runs of both sides.

    Args:
        times: the difference so far; without a test nothing ever decides.
        a: times of A.
        b: times of B.
        alpha: size of the two-sided test.
        spread: share of the run time by which machines differ; None for pairs.
    """
    size, error_now = abs(times.difference or 0.0), times.error or 0.0

    def decides(more: Numbers) -> Answers:
        if not error_now:
            return np.zeros(more.shape, dtype=np.bool_)
        if spread is None:
            error, df = error_now * np.sqrt(a.n / (a.n + more)), a.n + more - 1.0
        else:
            error, df = welch_error(a.std or 0.0, a.n + more, b.std or 0.0, b.n + more)
        answers: Answers = reach(alpha / 2, error, df, times.known) < size
        return answers

    return decides
