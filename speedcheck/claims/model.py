"""The one form that every reader of a document returns: a printed figure and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speedcheck.certificate import Claim, ClaimBasis, ClaimSubject
from speedcheck.claims.numbers import Printed

Kind = Literal["losses", "times"]
Unit = Literal["s", "ms", "min"]
Key = int | str
"""What a row says of its run: the seed, or the name of the log."""

PassageKind = Literal["code", "table", "text"]
Rows = tuple[tuple[int, tuple[str, ...]], ...]
"""The rows of a table, its header first: the number of the line, and the cells."""

SECONDS: dict[Unit, float] = {"s": 1.0, "ms": 1e-3, "min": 60.0}

# Losses of one track differ by less; bits and nats, or losses of other data, by more.
_NEAR = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """What a document states of runs: a list with a value for each, a statistic, or their number.

    Attributes:
        what: its subject; "losses" and "times" are lists.
        numbers: the values as printed; one for a statistic. A list of seeds alone has none.
        where: document and line, or document and key.
        is_data: whether it is data, which may refute the record, and not text, which may warn.
        is_clear: whether all that is said of it is that it is of the record's runs.
        step: the validation step that it names; None for the final loss.
        unit: of a statistic of times, its unit.
        keys: of a list, the seed or the log of each value; empty where the document does not say.
        runs: how many runs a text claims, where that is all it states of them.
        of: of a statistic, the list that it is printed under.
        is_exact: whether code computes it from `of`, so that rounding of the list explains nothing.
        may_be_one_run: whether it is called the loss, and not a mean of losses.
        nulls: of a p-value, the null values that the text names, the likeliest first.
        sigmas: of a p-value, the standard deviations that the text takes as known.
    """

    what: ClaimSubject
    numbers: tuple[Printed, ...]
    where: str
    is_data: bool = False
    is_clear: bool = True
    step: int | None = None
    unit: Unit | None = None
    keys: tuple[Key, ...] = ()
    runs: int | None = None
    of: Figure | None = None
    is_exact: bool = False
    may_be_one_run: bool = False
    nulls: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether it has a value for each run."""
        return self.what in ("losses", "times")

    @property
    def kind(self) -> Kind:
        """What the runs that it is of are measured by."""
        return "times" if self.what in ("times", "time_mean", "time_std") else "losses"

    @property
    def basis(self) -> ClaimBasis:
        """How a certificate names what it is."""
        return "data" if self.is_data else "text"

    @property
    def number(self) -> Printed:
        """The number of a statistic."""
        return self.numbers[0]

    @property
    def values(self) -> list[float]:
        """The printed values, in its unit."""
        return [number.value for number in self.numbers]

    @property
    def decimals(self) -> int:
        """Digits after the point of the value that prints most: final zeros may be dropped."""
        return max((number.decimals for number in self.numbers), default=0)


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document.

    Attributes:
        kind: code, a table, or running text, headings among it.
        line: number of its first line, from 1.
        text: the code or the text as written; "" for a table.
        rows: the rows of a table, its header first: the line and the cells as written.
        context: what is said of it: the headings of its sections but not the document's title, and
            the sentence directly above it; of a file of data, its name.
    """

    kind: PassageKind
    line: int
    text: str = ""
    rows: Rows = ()
    context: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """What a reader of a document knows beforehand.

    Attributes:
        document: the document, as claims name it.
        measure: the words for the loss.
        level: the loss of the record's runs, about; None where there is no run.
        sizes: the numbers of runs that a text may speak of.
        is_under_list: whether what it reads is under a list, and of any size.
    """

    document: str
    measure: tuple[str, ...]
    level: float | None
    sizes: frozenset[int] = frozenset()
    is_under_list: bool = False

    def is_near(self, number: Printed, by: float = _NEAR) -> bool:
        """Return whether a number may be a loss of runs like the record's."""
        return self.level is not None and abs(number.value - self.level) <= by * abs(self.level)

    def where(self, line: int) -> str:
        """Name a line of the document."""
        return f"{self.document}:{line}"


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a document, or of a place in it."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A list, or in text a number, of more runs than there are."""

    claimed: int
    logs: int
    where: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class DocumentClaims:
    """What documents claim, compared with the runs of their record.

    Attributes:
        claims: each list and statistic with its status and its basis.
        shortfalls: claims of more runs than there are logs.
        seeds: seeds of rows and lists that differ from those of the logs.
        unlisted: names of counted runs that no list has, where lists have two in three.
        steps: earlier validation steps at which figures are confirmed, in order.
        unread: documents that were not read, and why.
    """

    claims: tuple[Claim, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    seeds: tuple[Remark, ...] = ()
    unlisted: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    unread: tuple[Remark, ...] = ()
