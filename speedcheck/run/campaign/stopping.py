"""When a campaign starts no further run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.records.record_toml import Plan
from speedcheck.rules.tracks import Direction, Track
from speedcheck.stats.sequential import Futility, SequentialTest, futility, sequential_t


def check_sequential_track(track: Track) -> None:
    """Refuse a sequential campaign on a track whose test is another one.

    Raises:
        UsageError: the track has no t-test against a fixed target.
    """
    if track.test != "t":
        raise UsageError(
            "--until-certified is made for t-tests against a fixed target, and the test of "
            f"track {track.name} is {track.test!r}",
            remedy="fix the number of runs with --seeds",
        )


def stopping_rule(
    plan: Plan, track: Track, *, stop_if_futile: bool = False
) -> UntilCertified | None:
    """Return the rule of a sequential campaign; None where the number of runs is fixed.

    Args:
        plan: the plan of the campaign.
        track: its track.
        stop_if_futile: whether to stop when certification is out of reach.
    """
    if not plan.is_sequential:
        return None
    return UntilCertified(
        Goal(
            plan.seeds or (),
            track.target if plan.target is None else plan.target,
            track.alpha if plan.alpha is None else plan.alpha,
            track.direction,
            stop_if_futile,
        )
    )


class Stopping(Protocol):
    """A rule that says when enough runs have been started."""

    def finished(self, seed: int, run: Run) -> None:
        """Take in a run that came to a result, in this session or an earlier one."""
        ...

    def failed(self, seed: int) -> None:
        """Take in a run that ended without a result."""
        ...

    @property
    def is_met(self) -> bool:
        """Return whether no seed that was never started is to be started any more."""
        ...


class FixedNumber:
    """Every planned run is made, whatever the others show."""

    is_met = False

    def finished(self, seed: int, run: Run) -> None:
        """Do nothing."""

    def failed(self, seed: int) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a sequential campaign is to show.

    Attributes:
        seeds: the planned seeds, in their order.
        target: the loss that the mean must be below, or above.
        alpha: size of the test.
        direction: the better side of the measure.
        stop_if_futile: whether to stop when certification is out of reach.
    """

    seeds: tuple[int, ...]
    target: float
    alpha: float
    direction: Direction
    stop_if_futile: bool = False


class UntilCertified:
    """Runs are started until the anytime-valid test certifies the record.

    E is taken in the planned order over the longest completed prefix, so that no run is left out
    because it came late. A diverged run ends the campaign, and so does a failed one: E cannot pass
    it before it has been repeated.

    Args:
        goal: what is to be shown.
    """

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._losses: dict[int, float] = {}
        self._failed: set[int] = set()
        self._look()

    def finished(self, seed: int, run: Run) -> None:
        """Take in a loss, and look at the test again."""
        loss = math.nan if run.diverged or run.val_loss is None else run.val_loss
        self._losses[seed] = loss
        self._failed.discard(seed)
        self._look()

    def failed(self, seed: int) -> None:
        """Remember that the prefix ends before this seed."""
        self._failed.add(seed)

    @property
    def is_met(self) -> bool:
        """Return whether the campaign starts no further seed."""
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Return why the campaign starts no further seed; "" while it does."""
        diverged = [seed for seed, loss in self._losses.items() if math.isnan(loss)]
        if diverged:
            return f"seed {diverged[0]} diverged: the record cannot be certified"
        if self._test.certified_at is not None:
            return f"certified at run {self._test.certified_at}"
        if self._failed:
            return f"seed {min(self._failed)} failed: --resume repeats it"
        if self._goal.stop_if_futile and self._futility and self._futility.futile:
            return "futile: certification is out of reach"
        return ""

    def line(self) -> str:
        """Return the evidence so far, and the advice on whether to go on."""
        test, bound = self._test, 1 / self._goal.alpha
        parts = [
            f"E = {test.e_value:.4g} after {test.n} in order (certified at {bound:g})",
            f"anytime-valid p = {test.p_value:.2g}",
        ]
        advice = self._futility
        if advice is not None and advice.futile:
            parts.append(
                f"futile: at best {advice.chance:.1%} are certified by run {advice.maximum}"
            )
        return ", ".join(parts)

    def _look(self) -> None:
        goal, prefix = self._goal, []
        for seed in goal.seeds:
            if seed not in self._losses:
                break
            prefix.append(self._losses[seed])
        self._test: SequentialTest = sequential_t(prefix, goal.target, goal.alpha, goal.direction)
        self._futility: Futility | None = futility(
            prefix, goal.target, goal.alpha, len(goal.seeds), goal.direction
        )
