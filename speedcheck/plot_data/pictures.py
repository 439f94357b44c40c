"""The pictures of a record as frozen data. A picture that the evidence cannot give is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speedcheck.rules.tracks import Direction
from speedcheck.stats import Difference, Estimate
from speedcheck.stats.densities import Density
from speedcheck.stats.trend import Trend

Order = Literal["start", "log"]
"""Whether runs are in the order of their starts, or of their logs' names."""


@dataclass(frozen=True, slots=True)
class Losses:
    """The final losses beside the target.

    Attributes:
        values: losses of the counted runs, in the order of the certificate; finite ones only.
        diverged: number of counted runs without a finite loss.
        target: the loss that the mean must be below, or above.
        direction: the better side.
        mean: mean of the losses; None where it does not exist.
        interval: the credible interval of the mean.
        next_run: density of the loss of one more run.
    """

    values: tuple[float, ...]
    diverged: int
    target: float
    direction: Direction
    mean: float | None
    interval: Estimate | None
    next_run: Density | None


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the losses say of their mean and standard deviation.

    Attributes:
        mean: density of the mean.
        std: density of the standard deviation.
        mean_interval: the mean's credible interval.
        std_interval: that of the standard deviation.
        target: the loss that the mean must be below, or above.
        direction: the better side.
        p_value: one-sided p of the t-test, the area of the mean's density beyond the target; None
            where the record's test is another one.
    """

    mean: Density
    std: Density
    mean_interval: Estimate
    std_interval: Estimate
    target: float
    direction: Direction
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a picture.

    Attributes:
        x: where its points are, rising.
        y: their heights.
        counted: whether the run counts.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    counted: bool


@dataclass(frozen=True, slots=True)
class Curves:
    """Validation losses over the steps of training.

    Attributes:
        losses: one curve a run.
        apart: from two thirds of the training on, the losses of each counted run minus the mean
            of the counted runs at the same step.
        target: the loss that the mean must be below, or above.
        left_out: number of runs that are not among `losses` because there are too many.
    """

    losses: tuple[Curve, ...]
    apart: tuple[Curve, ...]
    target: float
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line through values in their order.

    Attributes:
        first: its height at the first value.
        last: at the last one.
        trend: its slope with a 95 % interval.
    """

    first: float
    last: float
    trend: Trend


@dataclass(frozen=True, slots=True)
class Runtimes:
    """Training times in the order of the runs.

    Attributes:
        seconds: of each counted run that has a time; two at least.
        mean: their mean, in seconds.
        order: what the order is.
        line: the line through them; None for too few.
    """

    seconds: tuple[float, ...]
    mean: float
    order: Order
    line: Line | None


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Milliseconds a step over the training, of the counted runs.

    Attributes:
        steps: ends of the stretches of training that are averaged over.
        median: of the runs, in milliseconds a step.
        low: of the fastest run.
        high: of the slowest run.
        runs: number of runs.
    """

    steps: tuple[int, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The e-value after each run of a sequential record.

    Attributes:
        log10_e: common logarithms of E_1 to E_n.
        needed: the logarithm that certifies, that of 1 / alpha.
        certified_at: number of runs after which it is reached; None where it is not.
    """

    log10_e: tuple[float, ...]
    needed: float
    certified_at: int | None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One quantity of the record and of its baseline.

    Attributes:
        record: values of the record's counted runs.
        baseline: those of the baseline.
        difference: record minus baseline, with its interval.
    """

    record: tuple[float, ...]
    baseline: tuple[float, ...]
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """The record beside its baseline.

    Attributes:
        name: the baseline's folder.
        losses: final losses; None where a side has none.
        times: training times in seconds; None where a side has none, or where the times of the
            two cannot be compared.
    """

    name: str
    losses: SideBySide | None
    times: SideBySide | None


@dataclass(frozen=True, slots=True)
class PlotData:
    """All pictures of a record."""

    losses: Losses | None
    posterior: Posterior | None
    curves: Curves | None
    runtimes: Runtimes | None
    step_times: StepTimes | None
    evidence: Evidence | None
    comparison: Comparison | None
