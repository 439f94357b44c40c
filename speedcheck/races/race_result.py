"""What a race says."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.races.race_plan import RacePlan, SideName
from speedcheck.stats.moments import Moments
from speedcheck.stats.noninferiority import NonInferiority
from speedcheck.stats.sequential_pairs import Race


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of runs.

    Attributes:
        number: place of the pair, from 0; both runs have it as their seed.
        first: the side that ran first.
        a_s: training time of A, in seconds.
        b_s: training time of B, in seconds.
        a_loss: final loss of A.
        b_loss: final loss of B.
    """

    number: int
    first: SideName
    a_s: float
    b_s: float
    a_loss: float
    b_loss: float

    @property
    def difference_s(self) -> float:
        """Return A - B of the training times, in seconds."""
        return self.a_s - self.b_s


@dataclass(frozen=True, slots=True)
class RaceSide:
    """One side of a race.

    Attributes:
        trainer: the recipe or program that ran.
        times: mean and spread of the training times in seconds.
        losses: mean and spread of the final losses.
    """

    trainer: str
    times: Moments
    losses: Moments


@dataclass(frozen=True, slots=True)
class RaceResult:
    """A race, recomputed from its ledger and logs.

    Attributes:
        folder: the race's folder, as the caller names it.
        plan: its plan.
        a: the one side.
        b: the other.
        pairs: the pairs that count, in order.
        test: the anytime-valid test of the differences A - B of the times, in seconds.
        a_loss: non-inferiority of A's losses to B's; for information.
        begun_again: number of pairs that were started more than once.
        hosts: the machines on which the runs were made, as digests.
        problems: what speaks against the evidence; empty where all agrees.
    """

    folder: str
    plan: RacePlan
    a: RaceSide
    b: RaceSide
    pairs: tuple[Pair, ...]
    test: Race
    a_loss: NonInferiority
    begun_again: int
    hosts: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Return whether no further pair is planned: all were run, or the race is decided."""
        decided = self.test.outcome != "undecided" and not self.plan.is_aa
        return decided or len(self.pairs) >= self.plan.pairs
