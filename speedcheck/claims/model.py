"""What documents state: lists of values, one a run, and figures computed from runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from speedcheck.certificate import ClaimBasis, ClaimSubject
from speedcheck.claims.numbers import Printed
from speedcheck.rules.tracks import Direction

Kind = Literal["losses", "times"]
Unit = Literal["s", "ms", "min"]

SECONDS: dict[Unit, float] = {"s": 1.0, "ms": 1e-3, "min": 60.0}

# Losses of one track differ by less; bits and nats, or losses of other data, by more.
_NEAR = 0.05

DEFAULT_MEASURE = ("val_loss", "loss")


@dataclass(frozen=True, slots=True)
class Question:
    """The test of a track, and the words by which its loss is known.

    Attributes:
        target: the loss that the mean must beat: the track's own, so that what a caller tries
            out never makes a README false.
        sigma: the standard deviation of one loss that the track takes as known.
        direction: "greater" where the mean must be above the target.
        measure: the words that a column or a figure of the loss is headed with, lower case.
    """

    target: float
    sigma: float | None = None
    direction: Direction = "less"
    measure: tuple[str, ...] = DEFAULT_MEASURE


@dataclass(frozen=True, slots=True)
class Series:
    """A list of losses or times, one a run.

    Attributes:
        kind: what is listed.
        name: the variable or the column heading; "" where there is none.
        numbers: the values as printed.
        where: document and line, or document and key.
        basis: "data" for a list in code, a column headed with the measure, JSON and CSV.
        is_other: whether its name or heading says that it lists other runs or another metric.
        step: the validation step that its name gives; None for the final loss.
        unit: unit of times, where its name gives it.
        seeds: the seed of each value; empty where the list does not say.
        lists_all: whether it claims to list every run, as a CSV table of many trials does not.
    """

    kind: Kind
    name: str
    numbers: tuple[Printed, ...]
    where: str
    basis: ClaimBasis = "text"
    is_other: bool = False
    step: int | None = None
    unit: Unit | None = None
    seeds: tuple[int, ...] = ()
    lists_all: bool = True

    @property
    def values(self) -> list[float]:
        """The printed values, in the unit of the list."""
        return [number.value for number in self.numbers]

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit of the value that prints most: zeros may be dropped."""
        return 0.5 * 10.0 ** -max(number.decimals for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Nulls:
    """How a text tests: what its p-values may be computed with.

    Attributes:
        targets: null values that the text names, the likeliest first.
        sigmas: standard deviations that the text takes as known.
    """

    targets: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that a document states of runs.

    Attributes:
        what: its subject.
        number: the figure as printed.
        where: document and line, or document and key.
        basis: "data" for what a statistic prints under a list in code, and for JSON.
        of: the list that it is printed under; None for a figure of the text.
        is_exact: whether code in the text computes it from `of`, so that rounding of the list
            explains nothing.
        in_float32: whether PyTorch printed it.
        bayes: which part of a Bayesian estimate it is; None where scipy.stats.bayes_mvs did not
            print it.
        may_be_one_run: whether the text calls it the loss without calling it a mean.
        is_clear: whether a reader would be sure what it is of; only then does a text warn.
        unit: unit of a time.
        step: the validation step that the text names.
        n: the number of runs that the text gives beside it.
        nulls: how the text tests, for a p-value.
    """

    what: ClaimSubject
    number: Printed
    where: str
    basis: ClaimBasis = "text"
    of: Series | None = None
    is_exact: bool = False
    in_float32: bool = False
    bayes: Literal["value", "low", "high"] | None = None
    may_be_one_run: bool = False
    is_clear: bool = False
    unit: Unit | None = None
    step: int | None = None
    n: int | None = None
    nulls: Nulls = Nulls()

    @property
    def kind(self) -> Kind:
        """The kind of list that it is a figure of."""
        return "times" if self.what in ("time_mean", "time_std") else "losses"


@dataclass(frozen=True, slots=True)
class Reader:
    """What a reader of a document knows beforehand.

    Attributes:
        document: the document, as claims name it.
        measure: the words for the loss.
        level: the loss of the record's runs, about; None where there is no run.
    """

    document: str
    measure: tuple[str, ...]
    level: float | None

    def is_near(self, value: float) -> bool:
        """Return whether a value may be a loss of runs like the record's."""
        return self.level is not None and abs(value - self.level) <= _NEAR * abs(self.level)

    def where(self, line: int) -> str:
        """Name a line of the document."""
        return f"{self.document}:{line}"


@dataclass(slots=True)
class Statements:
    """What one document states.

    Attributes:
        series: its lists, in their order.
        figures: its figures, in their order.
        seeds: seeds that it lists without losses, each list with its place.
    """

    series: list[Series] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    seeds: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
