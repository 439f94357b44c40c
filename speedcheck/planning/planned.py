"""What a plan says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speedcheck.notebook import ShownInNotebooks
from speedcheck.rules.tracks import Direction
from speedcheck.stats.sample_size import RacePlan, RunPlan

SdSource = Literal["given", "folder", "track"]
Campaign = Literal["fixed", "sequential", "race", "sequential race", "non-inferiority"]


@dataclass(frozen=True, slots=True)
class Expected:
    """The losses that a plan expects, in the unit of the measure, and the times.

    Attributes:
        mean: expected mean; None where no record is planned.
        sd: expected standard deviation of a loss; None where nothing says it.
        sd_source: where the standard deviation comes from.
        target: the loss that the mean must be below, or above; that of the frontier with the
            improvement, where there is one.
        direction: the better side of the measure.
        track: name of the track.
        difference: expected difference of two trainers' times in seconds; None without a race.
        time_sd: standard deviation of one run's time in seconds; None without a race.
    """

    mean: float | None
    sd: float | None
    sd_source: SdSource
    target: float
    direction: Direction
    track: str
    difference: float | None = None
    time_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Frontier:
    """The record to beat.

    Attributes:
        folder: its folder as the caller or record.toml names it.
        runs: number of its counted runs.
        mean: mean of their losses.
        sd: sample standard deviation of their losses.
        improvement: by how much the mean must be better, in the unit of the measure.
    """

    folder: str
    runs: int
    mean: float
    sd: float
    improvement: float


@dataclass(frozen=True, slots=True)
class SoFar:
    """The runs that a folder holds already.

    Attributes:
        folder: the folder as the caller names it.
        runs: number of counted runs.
        e_value: evidence of the sequential test in the order of the seeds; 1 / alpha certifies.
            None where the track takes the standard deviation as known or asks to beat a frontier.
        more_runs: further runs up to the fixed number that is planned; None where no number will
            do.
        at_these_figures: number of runs at which exactly this mean and standard deviation pass;
            None where no number does.
    """

    folder: str
    runs: int
    e_value: float | None
    more_runs: int | None
    at_these_figures: int | None

    @property
    def passes(self) -> bool:
        """Return whether the runs pass the fixed test as they are."""
        return self.at_these_figures is not None and self.at_these_figures <= self.runs


@dataclass(frozen=True, slots=True)
class NonInferiorityPlan:
    """Runs that show that a change leaves the loss as it is.

    Attributes:
        margin: the worsening to rule out, in the unit of the measure.
        baseline_runs: the baseline's runs; None for as many as the record's.
        runs: the record's runs; None where no number up to 10,000 will do.
    """

    margin: float
    baseline_runs: int | None
    runs: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way to the answer takes.

    Attributes:
        campaign: the way.
        runs: number of runs, the mean one where it varies.
        gpu_hours: GPU-hours; None where nothing says what a run takes.
        money: the price of these; None without a price.
    """

    campaign: Campaign
    runs: float
    gpu_hours: float | None
    money: float | None


@dataclass(frozen=True, slots=True)
class Plan(ShownInNotebooks):
    """How many runs to make.

    Attributes:
        expected: the losses that it expects.
        alpha: size of the tests of the record and of the race.
        power: probability of success that is asked for.
        frontier: the record to beat; None on a track with a fixed target.
        record: runs of a record; None where no mean is given.
        race: pairs of a race; None where no difference is given.
        non_inferiority: runs of a change of speed; None where it is not asked: a record or a race
            is, and neither a margin nor runs of a baseline.
        so_far: the runs that are there; None without a folder.
        costs: what each of these takes.
        gpu_hours_per_run: what one run takes; None where nothing says it.
        hours_are_training: whether that is the training time of the folder's runs alone, without
            start-up and validation.
        problems: why no number of runs will do, for each question that was asked and has no
            answer; empty for a plan that can be carried out.
    """

    expected: Expected
    alpha: float
    power: float
    frontier: Frontier | None
    record: RunPlan | None
    race: RacePlan | None
    non_inferiority: NonInferiorityPlan | None
    so_far: SoFar | None
    costs: tuple[Cost, ...]
    gpu_hours_per_run: float | None
    hours_are_training: bool
    problems: tuple[str, ...]
