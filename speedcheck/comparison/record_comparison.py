"""What a comparison of two records says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from speedcheck.notebook import ShownInNotebooks
from speedcheck.rules.tracks import Direction
from speedcheck.stats.faster_record import Comparison
from speedcheck.stats.moments import Moments
from speedcheck.stats.noninferiority import EqualSeeds
from speedcheck.stats.sequential_pairs import Outcome
from speedcheck.stats.step_rule import StepRow, StepRule

Basis = Literal["time", "steps", "loss"]


class Undecided(StrEnum):
    """Why a comparison is undecided."""

    NO_TEST = "no_test"
    """One side has fewer than two values, or the values have no spread to measure by."""
    HARDWARE = "hardware"
    """The times come from different hardware, from runs that shared it, or nobody names it."""
    TIME = "time"
    """Chance and the spread between machines explain the difference of the times."""
    STEPS = "steps"
    """Neither side takes fewer steps than the other, or not all logs say how many."""
    STEP_RULE = "step_rule"
    """Steps and losses together do not reach the margin of the track's pairwise rule."""
    LOSS = "loss"
    """The losses do not differ, or those of the cheaper side are not shown to be non-inferior."""


@dataclass(frozen=True, slots=True)
class HostTimes:
    """The times of one side on one machine.

    Attributes:
        host: the machine, as the logs name it; None where they do not.
        times: mean and spread of the times in seconds.
    """

    host: str | None
    times: Moments


@dataclass(frozen=True, slots=True)
class Compared:
    """One side of a comparison.

    Attributes:
        folder: the record folder, as the caller names it.
        runs: number of counted runs.
        excluded: number of runs that do not count.
        hardware: what the counted runs were made on; empty where no log says it.
        hosts: the times on each machine.
        losses: mean and spread of the final losses.
        times: mean and spread of the times in seconds.
        steps: smallest and largest final step; None where not all logs say it.
    """

    folder: str
    runs: int
    excluded: int
    hardware: tuple[str, ...]
    hosts: tuple[HostTimes, ...]
    losses: Moments
    times: Moments
    steps: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Which side is better.

    Attributes:
        outcome: "better" where A is better than B, "worse" for the mirror image, else
            "undecided".
        blocked_by: why it is undecided; None where it is decided.
        more_runs: how many more runs of each side (pairs, if they are paired) would decide it if
            all means and standard deviations stayed; 0 where it is decided, None where no number
            up to 10,000 does.
        pairs: how many pairs of runs, made in turn on one machine, show the difference of the
            times with a power of 0.9; None where they were made so, where the times do not
            matter, and where no number up to 10,000 does.
    """

    outcome: Outcome
    blocked_by: Undecided | None
    more_runs: int | None
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class StepChoice:
    """One validation step of the record with fewer steps.

    Attributes:
        alone: the record's own test at this step.
        pair: the pairwise rule at this step, against the other record's final step.
    """

    alone: StepRow
    pair: StepRule


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The record with fewer steps beside the other, by the pairwise rule of the track.

    Attributes:
        new: which side takes fewer steps; A where both take as many.
        rule: the rule at the final steps of both, which decides.
        choices: the rule at every validation step that all its runs have in common. A step that
            passes is a choice among so many looks.
    """

    new: Literal["A", "B"]
    rule: StepRule
    choices: tuple[StepChoice, ...]

    @property
    def earliest(self) -> int | None:
        """Return the first step that passes alone and in the pair; None where none does."""
        both = (c.alone.step for c in self.choices if c.alone.passes and c.pair.shown)
        return next(both, None)


@dataclass(frozen=True, slots=True)
class RecordComparison(ShownInNotebooks):
    """Record A beside record B.

    Attributes:
        a: the one record.
        b: the other.
        track: the track of both.
        direction: the better side of the measure.
        basis: what decides: the training time, the number of steps, or the loss itself where the
            track gives every run the same time.
        decision: which is better.
        measured: the tests of times and losses.
        paired: whether the runs were made in turn on one machine, and are compared in pairs.
        hardware: why the times cannot be compared; "" where they can.
        seeds: what the runs with equal seeds have in common.
        steps: the pairwise rule, on a track that says what a step is worth; None without.
        race: the folder of the race that both are sides of; None for others. A race looks after
            each block, which only its own test allows for.
    """

    a: Compared
    b: Compared
    track: str
    direction: Direction
    basis: Basis
    decision: Decision
    measured: Comparison
    paired: bool
    hardware: str
    seeds: EqualSeeds
    steps: StepRecord | None = None
    race: str | None = None
