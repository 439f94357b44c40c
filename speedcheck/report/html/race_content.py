"""What the page of a race says, as text: the template escapes all of it."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck import __version__
from speedcheck.races.race_result import Pair, RaceResult
from speedcheck.report.html.record_content import Cell, Row, Table
from speedcheck.report.race_text import (
    PAIR_HEADS,
    extent,
    headline,
    next_step,
    pair_row,
    sides,
    statistics,
)

_TONES = {"better": "good", "worse": "bad", "undecided": ""}


@dataclass(frozen=True, slots=True)
class RaceContent:
    """Everything that the page of a race says.

    Attributes:
        race: name of the race.
        extent: how many pairs count, and how they were run.
        judgement: such as "BETTER".
        why: the rest of the headline.
        tone: "good", "bad", or "" where neither side is faster.
        next_step: what to do next; "" for nothing.
        problems: what speaks against the evidence.
        statistics: names and values of both sides and of the test.
        tables: the pairs, where there are any.
        version: of speedcheck.
    """

    race: str
    extent: str
    judgement: str
    why: str
    tone: str
    next_step: str
    problems: tuple[str, ...]
    statistics: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    version: str = __version__


def race_content(result: RaceResult) -> RaceContent:
    """Return what the page of a race says."""
    judgement, _, why = headline(result).partition(": ")
    return RaceContent(
        race=result.plan.name,
        extent=extent(result),
        judgement=judgement,
        why=why,
        tone=_tone(result),
        next_step=next_step(result),
        problems=result.problems,
        statistics=(
            *((letter, "; ".join(figures)) for letter, *figures in sides(result)),
            *(statistics(result) if result.pairs else ()),
        ),
        tables=(_pairs(result),) if result.pairs else (),
    )


def _tone(result: RaceResult) -> str:
    if result.problems:
        return "bad"
    return "" if result.plan.is_aa else _TONES[result.test.outcome]


def _pairs(result: RaceResult) -> Table:
    heads = tuple(Cell(name, is_number=name != "order") for name in PAIR_HEADS)
    return Table("Pairs", heads, tuple(map(_pair, result.pairs)))


def _pair(pair: Pair) -> Row:
    number, order, *times = pair_row(pair)
    exact = (pair.a_s, pair.b_s, pair.difference_s)
    return (
        Cell(number, number, is_number=True),
        Cell(order),
        *(
            Cell(text, repr(value), is_number=True)
            for text, value in zip(times, exact, strict=True)
        ),
    )
