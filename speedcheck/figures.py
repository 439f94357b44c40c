"""What a certificate says of tests besides the one-sample test: frozen figures, no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SequentialFigures:
    """The anytime-valid test of a record that was planned with a sequential stopping rule.

    Attributes:
        runs: number of runs in the test: the longest completed prefix of the planned seeds.
        maximum: the planned largest number of runs.
        e_values: the e-value after each of these runs, in the planned order.
        p_anytime: the anytime-valid p-value, 1 over the largest e-value, at most 1.
        certified_at: the number of runs at which E reached 1 / alpha; None where it did not.
    """

    runs: int
    maximum: int
    e_values: tuple[float, ...]
    p_anytime: float
    certified_at: int | None


@dataclass(frozen=True, slots=True)
class FrontierFigures:
    """The record beside the best certified one of its track, in the unit of the measure.

    Attributes:
        name: the frontier's folder.
        n: number of its runs.
        mean: their mean.
        low: lower end of the 95 % interval of that mean; the frontier was chosen for its figure,
            so its true mean is rather on the worse side.
        high: upper end; both None without a spread.
        difference: mean(record) - mean(frontier); None without both means.
        difference_low: lower end of its two-sided 95 % interval (Welch).
        difference_high: upper end; both None without a test.
        improvement: by how much the track asks the record to be better.
        p_value: one-sided Welch p of "better by more than that"; None without a test.
        runs_needed: smallest number of runs of the record at which the same means and standard
            deviations show it; None where no number up to 10,000 does.
    """

    name: str
    n: int
    mean: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    improvement: float
    p_value: float | None
    runs_needed: int | None
