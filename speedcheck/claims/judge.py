"""One document against the runs of its record.

A statistic that is printed under a list follows from that list or does not. One of the text is
confirmed by any sample at any place; it differs where it is clear what it is of, and no other
figure of its subject in the text agrees with the runs.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from speedcheck.certificate import Claim, ClaimStatus, ClaimSubject
from speedcheck.claims.evidence import Evidence, Place, Samples, in_unit_of
from speedcheck.claims.lists import Lists, SeedDifference, Shortfall
from speedcheck.claims.model import SECONDS, Figure, Grade, Question, Statements
from speedcheck.claims.numbers import Printed, shown
from speedcheck.claims.statistics import Range, agrees, ranges

_MOST_LISTS = 40
# A text prints this many digits of a loss, so that its p may be of losses rounded to them.
_LIKELY_HALF = 0.5e-4


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing one document with the runs.

    Attributes:
        claims: each list and figure with its status.
        shortfalls: lists of losses with more values than logs.
        seeds: seeds that differ from those of the logs.
        unlisted: names of counted runs that no list holds; None where no list is of the runs.
        steps: the earlier validation steps at which lists or figures are confirmed, in order.
    """

    claims: tuple[Claim, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    seeds: tuple[SeedDifference, ...] = ()
    unlisted: tuple[str, ...] | None = None
    steps: tuple[int, ...] = ()


def compare(
    stated: Statements, samples: Samples, question: Question, elsewhere: Container[Printed]
) -> Comparison:
    """Compare what a document states with the runs of the record.

    Args:
        stated: its figures.
        samples: the runs.
        question: the test of the track.
        elsewhere: the numbers that the logs print as losses beside those of the runs.
    """
    figures = [figure for figure in stated.figures if figure.is_list][:_MOST_LISTS]
    lists = Lists(figures, samples, elsewhere)
    statistics = [figure for figure in stated.figures if not figure.is_list]
    judge = _Statistics(statistics, samples, question, elsewhere, lists)
    claims = [*lists.claims(), *judge.claims()]
    own = (match.place for match in lists.confirmed if match.figure.grade > Grade.CONFIRM)
    steps = {place for place in (*own, *judge.steps) if isinstance(place, int)}
    final = {run.run.final_step for run in samples.judged}
    return Comparison(
        claims=tuple(claims),
        shortfalls=lists.shortfalls(),
        seeds=lists.seed_differences(stated.seeds),
        unlisted=lists.unlisted(),
        steps=tuple(sorted(steps - final)),
    )


class _Statistics:
    """The statistics of one document, judged with each other in view.

    Attributes:
        steps: the validation steps that confirmed ones name.
    """

    def __init__(
        self,
        figures: list[Figure],
        samples: Samples,
        question: Question,
        elsewhere: Container[Printed],
        lists: Lists,
    ) -> None:
        self.steps: set[Place] = set()
        self._figures, self._samples = figures, samples
        self._question, self._elsewhere = question, elsewhere
        self._places: set[Place] = {None, *(match.place for match in lists.confirmed)}
        self._places |= {figure.step for figure in figures}
        self._has_losses = any(match.figure.kind == "losses" for match in lists.confirmed)

    def claims(self) -> list[Claim]:
        """Return the figures as claims."""
        agreed = [self._agrees(figure) for figure in self._figures]
        pairs = list(zip(self._figures, agreed, strict=True))
        settled = {figure.what for figure, agrees in pairs if agrees and not figure.of}
        self._has_losses |= "mean" in settled
        found = (self._claim(f, is_true=is_true, settled=settled) for f, is_true in pairs)
        return [claim for claim in found if claim]

    def _claim(self, figure: Figure, *, is_true: bool, settled: set[ClaimSubject]) -> Claim | None:
        is_loss = figure.may_be_one_run and not is_true and self._is_of_one_run(figure)
        if is_loss and figure.grade < Grade.REFUTE:
            # The text quotes one run: nothing follows.
            return None
        if is_loss:
            is_true = not self._is_best_for_mean(figure)
            if not is_true:
                figure = replace(figure, grade=Grade.WARN)
                return self._as_claim(figure, "not_confirmed")
        if is_true:
            self.steps.add(figure.step)
            return self._as_claim(figure, "confirmed")
        is_open = figure.what in settled and not figure.of
        differs = not is_open and self._may_differ(figure)
        return self._as_claim(figure, "not_confirmed" if differs else "not_checkable")

    def _agrees(self, figure: Figure) -> bool:
        if figure.of is not None and agrees(figure, self._of_list(figure)):
            return True
        if figure.is_exact:
            return False
        half = _LIKELY_HALF if figure.what == "p" else 0.0
        return any(
            agrees(figure, ranges(figure, one.in_unit_of(figure), half, self._question))
            for one in self._evidence(figure)
        )

    def _evidence(self, figure: Figure) -> Iterator[Evidence]:
        """Yield what a statistic may be of: values that every run of a sample has."""
        yield from (one for one in self._samples.named(figure) if one.is_whole)
        for one in self._samples.elsewhere(figure):
            # A p or a deviation agrees by chance at one step of forty.
            if one.is_whole and (figure.what == "mean" or one.place in self._places):
                yield one

    def _of_list(self, figure: Figure, *, rounded: bool = True) -> list[Range]:
        """Return what a figure is of its list, over what the list's own rounding leaves open."""
        listed = figure.of
        if listed is None:
            return []
        values = listed.values
        if figure.kind == "times":
            is_ms = listed.unit is None and sorted(values)[len(values) // 2] > 10_000
            scale = SECONDS[listed.unit or ("ms" if is_ms else "s")]
            values = in_unit_of(figure, [value * scale for value in values])
        half = 0.5 * 10.0**-listed.decimals if rounded and not figure.is_exact else 0.0
        return ranges(figure, values, half, self._question)

    def _losses(self) -> list[float]:
        return sorted(run.losses[None] for run in self._samples.judged)

    def _is_of_one_run(self, figure: Figure) -> bool:
        runs = (run for sample in self._samples.all for run in sample)
        return any(agrees(figure, [(run.losses[None],) * 2]) for run in runs)

    def _is_best_for_mean(self, figure: Figure) -> bool:
        """Return whether data give the best of several losses where a reader takes the mean."""
        losses = self._losses()
        best = losses[0 if self._question.direction == "less" else -1] if losses else math.nan
        return len(losses) > 1 and agrees(figure, [(best, best)])

    def _may_differ(self, figure: Figure) -> bool:
        """Return whether it is clear what a figure that agrees with nothing is of."""
        if figure.of is not None:
            is_open = figure.of.grade is Grade.CONFIRM and not figure.is_exact
            return figure.grade > Grade.CONFIRM and not is_open and bool(self._of_list(figure))
        judged = self._samples.judged
        if figure.grade is Grade.CONFIRM or not judged or self._usual(figure) is None:
            return False
        if figure.n is not None and figure.n not in {len(s) for s in self._samples.all}:
            return False
        if len(judged) == 1 and not figure.may_be_one_run:
            # One log of many: the text speaks of the others, too.
            return False
        if figure.what != "mean":
            return self._has_losses or figure.n == len(judged)
        return figure.number not in self._elsewhere

    def _usual(self, figure: Figure) -> float | None:
        """Return what the figure is of the judged runs: what a reader compares it with."""
        one = self._samples.judged_at(figure)
        values = one.in_unit_of(figure) if one.is_whole else []
        return _middle(ranges(figure, values, 0.0, self._question))

    def _as_claim(self, figure: Figure, status: ClaimStatus) -> Claim:
        unit = f" {figure.unit}" if figure.unit else ""
        if figure.of is not None:
            value = _middle(self._of_list(figure, rounded=False))
        else:
            value = self._usual(figure)
        is_known = value is not None and status != "not_checkable"
        recomputed = f"{shown(value)}{unit}" if is_known and value is not None else None
        claimed = figure.number.text + unit
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)


def _middle(found: list[Range]) -> float | None:
    """Return the usual reading of a statistic."""
    middle = sum(found[0]) / 2 if found else math.nan
    return middle if math.isfinite(middle) else None
