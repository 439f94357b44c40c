"""One document against the runs of its record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from speedcheck.certificate import Claim
from speedcheck.claims.doubt import without_doubtful
from speedcheck.claims.figures import SetFigures
from speedcheck.claims.model import ClaimSet, Figure
from speedcheck.claims.pools import Pools
from speedcheck.claims.recompute import Question
from speedcheck.claims.series import JudgedSeries, claimed, describe, judge_series


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A list of losses with more values than logs.

    Attributes:
        claimed: number of losses in the list.
        logs: number of runs that it can be of.
        where: the document and the line.
    """

    claimed: int
    logs: int
    where: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing the documents of a record with its logs.

    Attributes:
        claims: each list and figure with its status.
        shortfalls: lists of losses with more values than logs.
        unlisted: names of counted runs that no list of losses holds, though a list is of runs like
            them.
        lists_runs: whether there is such a list.
        steps: the validation steps of the record's confirmed figures, where the text or the logs
            say one; in order.
    """

    claims: tuple[Claim, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    unlisted: tuple[str, ...] = ()
    lists_runs: bool = False
    steps: tuple[int, ...] = ()


def compare(
    sets: list[ClaimSet], pools: Pools, question: Question, where: str, *, certain: bool
) -> Comparison:
    """Compare what a document claims with the runs of the record.

    Args:
        sets: the sets of runs that the document speaks of.
        pools: the runs of the record.
        question: the test of its track.
        where: the document, as claims name it.
        certain: whether the document speaks of this record and no other.
    """
    judged = judge_series(sets, pools, certain=certain)
    claims: list[Claim] = []
    stated: list[tuple[Figure, Claim]] = []
    steps: set[int] = set()
    for one in sets:
        claims += [_claim(judged[id(series)], where) for series in one.series]
        is_only = sum(other.role == "record" for other in sets) == 1
        figures = SetFigures(one, judged, pools, question, certain=certain, is_only=is_only).claims(
            where
        )
        stated += zip(one.figures, figures, strict=True)
        if one.role == "record":
            steps |= _confirmed_steps(one, judged, figures)
    claims += [claim for _, claim in without_doubtful(stated)]
    own = [
        judged[id(series)]
        for one in sets
        if one.role == "record"
        for series in one.of_kind("losses")
    ]
    lists_runs, unlisted = _unlisted(sets, judged, pools)
    shortfalls = _shortfalls(own, where)
    return Comparison(tuple(claims), shortfalls, unlisted, lists_runs, tuple(sorted(steps)))


def _confirmed_steps(
    claims: ClaimSet, judged: dict[int, JudgedSeries], figures: list[Claim]
) -> set[int]:
    lists = [judged[id(series)] for series in claims.series]
    places = [one.match.place for one in lists if one.status == "confirmed"]
    named = [
        figure.step
        for figure, claim in zip(claims.figures, figures, strict=True)
        if claim.status == "confirmed"
    ]
    return {step for step in (*places, *named) if isinstance(step, int)}


def _claim(judged: JudgedSeries, where: str) -> Claim:
    return Claim(
        what=judged.series.kind,
        claimed=claimed(judged.series),
        recomputed=describe(judged),
        status=judged.status,
        where=f"{where}:{judged.series.line}",
    )


def _shortfalls(own: list[JudgedSeries], where: str) -> tuple[Shortfall, ...]:
    return tuple(
        Shortfall(
            claimed=len(judged.series.numbers),
            logs=len(judged.runs or judged.match.pool),
            where=f"{where}:{judged.series.line}",
        )
        for judged in own
        if judged.is_short
    )


def _unlisted(
    sets: list[ClaimSet], judged: dict[int, JudgedSeries], pools: Pools
) -> tuple[bool, tuple[str, ...]]:
    """Return whether a list is of these runs, and the counted ones like its own that none holds."""
    lists = [judged[id(series)] for one in sets for series in one.of_kind("losses")]
    known = [one for one in lists if one.is_of_record and len(one.series.numbers) > 1]
    listed = {run for one in known for run in one.match.runs}
    # Of two runs with one loss, two lists that have it once each are matched with the same.
    entries = Counter(run.loss for one in known for run in one.match.runs)
    runs = Counter(run.loss for run in pools.counted)
    unlisted = [
        run.name
        for run in pools.counted
        if run not in listed
        and entries[run.loss] < runs[run.loss]
        and any(run.is_alike(other) for other in listed)
    ]
    # A text that lists fewer than two in three of the runs shows examples.
    is_list = 3 * len(listed) >= 2 * (len(listed) + len(unlisted))
    return bool(known), tuple(unlisted) if known and is_list else ()
