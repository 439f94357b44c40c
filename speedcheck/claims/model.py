"""What a document claims: sets of runs, each with its lists and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from speedcheck.certificate import ClaimSubject
from speedcheck.claims.numbers import Printed

Kind = Literal["losses", "times"]
Unit = Literal["s", "ms", "min"]

Strength = Literal["tied", "stated", "loose"]
"""How sure it is what a figure is of: the list that the text computes it from; the set of runs
that it stands with; or neither, so that it can be confirmed and never refuted."""

Role = Literal["record", "other"]
"""Whether a set of runs is what the record claims, or something that it is compared with."""

SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Series:
    """A list of losses or times, one a run.

    Attributes:
        kind: what is listed.
        name: the variable, label or column that it stands under; "" where there is none.
        numbers: the values as they were printed.
        line: line of the document, from 1.
        step: the validation step that the text names; None for the final one.
        unit: unit of times where the text says it.
    """

    kind: Kind
    name: str
    numbers: tuple[Printed, ...]
    line: int
    step: int | None = None
    unit: Unit | None = None

    @property
    def values(self) -> list[float]:
        """The printed values, in the unit of the list."""
        return [number.value for number in self.numbers]

    @property
    def decimals(self) -> int:
        """Digits after the point of the value that prints most: Python drops final zeros."""
        return max(number.decimals for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that was computed from runs.

    Attributes:
        what: its subject; "mean" and "std" are of losses.
        number: the figure as it was printed.
        line: line of the document, from 1.
        strength: how sure it is what the figure is of.
        relation: "=", or "<" or ">" for a bound.
        unit: unit of a time where the text says it.
        step: the validation step that the text names.
        of: names of the lists that the text computes it from.
        bound: the end of a Bayesian interval that it is.
        bayesian: whether scipy.stats.bayes_mvs printed it.
        sigma: the known standard deviation of a z-test.
        in_float32: whether PyTorch printed it, whose tensors are float32.
        target: the target of the t-test in the code that it is computed by.
    """

    what: ClaimSubject
    number: Printed
    line: int
    strength: Strength = "stated"
    relation: str = "="
    unit: Unit | None = None
    step: int | None = None
    of: frozenset[str] = frozenset()
    bound: Literal["low", "high"] | None = None
    bayesian: bool = False
    sigma: float | None = None
    in_float32: bool = False
    target: float | None = None

    @property
    def kind(self) -> Kind:
        """The kind of list that it is a figure of."""
        return "times" if self.what in ("times", "time_mean", "time_std") else "losses"


def loosened(figure: Figure) -> Figure:
    """Return a figure as one that can be confirmed and never refuted."""
    return replace(figure, strength="loose")


@dataclass(slots=True)
class ClaimSet:
    """The lists and figures of one set of runs.

    Attributes:
        name: the headings and the label that it stands under.
        role: whether it is the record's or something that the record is compared with.
        section: number of the section that it stands in.
        series: its lists.
        figures: its figures.
        one_sided: whether the text names the one-sided test.
        target: the target that the text's own t-test names.
    """

    name: str
    role: Role
    section: int
    series: list[Series] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    one_sided: bool = False
    target: float | None = None

    def of_kind(self, kind: Kind) -> list[Series]:
        """Return its lists of one kind."""
        return [series for series in self.series if series.kind == kind]
