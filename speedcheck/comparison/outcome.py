"""Which of two records is better, by what their track counts."""

from __future__ import annotations

import math

from speedcheck.comparison.record_comparison import Basis, Compared, Decision, Undecided
from speedcheck.rules.tracks import Track
from speedcheck.stats.arguments import Direction, sign_of
from speedcheck.stats.faster_record import Comparison, Side, compare_records
from speedcheck.stats.noninferiority import NonInferiority
from speedcheck.stats.sample_size import pairs_for_power


def basis_of(track: Track) -> Basis:
    """Return what decides on a track: runs of a fixed budget all take the same time."""
    if track.cost == "steps":
        return "steps"
    return "time" if track.budget_train_ms is None else "loss"


def by_time(measured: Comparison, a: Compared, b: Compared, hardware: str) -> Decision:
    """Decide by the times: faster, with losses that are non-inferior.

    Args:
        measured: the tests of times and losses.
        a: the one record.
        b: the other.
        hardware: why the times cannot be compared; "" where they can.
    """
    if hardware and measured.times.difference is not None:
        return Decision("undecided", Undecided.HARDWARE, None)
    if measured.blocked_by is None:
        return Decision(measured.outcome, None, 0)
    return Decision(
        "undecided",
        Undecided(measured.blocked_by.value),
        measured.more_runs,
        _pairs(measured, a, b),
    )


def by_steps(measured: Comparison, a: Compared, b: Compared, *, same_losses: bool) -> Decision:
    """Decide by the numbers of steps, which do not vary by chance: fewer, and non-inferior losses.

    Args:
        measured: the tests of the losses.
        a: the one record.
        b: the other.
        same_losses: whether equal seeds show that the losses are the same.
    """
    if a.steps is None or b.steps is None:
        return Decision("undecided", Undecided.STEPS, None)
    if a.steps[1] < b.steps[0]:
        fewer, loss = "better", measured.a_loss
    elif b.steps[1] < a.steps[0]:
        fewer, loss = "worse", measured.b_loss
    else:
        return Decision("undecided", Undecided.STEPS, None)
    if not (same_losses or loss.shown):
        return Decision("undecided", Undecided.LOSS, _more(loss))
    return Decision("better" if fewer == "better" else "worse", None, 0)


def by_loss(a: list[float], b: list[float], alpha: float, direction: Direction) -> Decision:
    """Decide by the losses themselves.

    Args:
        a: final losses of the one record.
        b: those of the other.
        alpha: size of the two-sided test.
        direction: the better side of the measure.
    """
    # The loss takes the place of the time: it is what must be low, and machines do not change it.
    sides = [Side([sign_of(direction) * loss for loss in losses], losses) for losses in (a, b)]
    found = compare_records(*sides, alpha=alpha, machine_spread=0.0, same_losses=True)
    if found.blocked_by is None:
        return Decision(found.outcome, None, 0)
    blocked = Undecided.LOSS if found.blocked_by == "time" else Undecided.NO_TEST
    return Decision("undecided", blocked, found.more_runs)


def _pairs(measured: Comparison, a: Compared, b: Compared) -> int | None:
    """Return how many pairs on one machine show the difference, if it is as large as it looks."""
    difference, sds = measured.times.difference, (a.times.std, b.times.std)
    if not measured.machine_spread or not difference or None in sds or not any(sds):
        return None
    sd = math.hypot(*(sd or 0.0 for sd in sds)) / math.sqrt(2)
    return pairs_for_power(difference, sd, measured.alpha)


def _more(loss: NonInferiority) -> int | None:
    needed = loss.runs_needed
    return None if needed is None else max(1, needed - loss.difference.n_a)
