"""One document against the runs of its record.

A statistic that is printed under a list follows from that list or does not. One of the text agrees
with any sample at any step; it differs where no figure of its subject in the text agrees.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import replace

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.evidence import Evidence, Samples, in_unit_of
from speedcheck.claims.lists import Lists
from speedcheck.claims.model import DocumentClaims, Figure, Grade, Question
from speedcheck.claims.numbers import Printed, shown
from speedcheck.claims.statistics import Range, ranges

# A text prints this many digits of a loss, so that its p may be of losses rounded to them.
_LIKELY_HALF = 0.5e-4


def compare(
    figures: list[Figure], samples: Samples, question: Question, elsewhere: Container[Printed]
) -> DocumentClaims:
    """Compare what a document states with the runs of the record.

    Args:
        figures: its lists and statistics.
        samples: the runs.
        question: the test of the track.
        elsewhere: the numbers that the logs print as losses beside those of the runs.
    """
    lists = Lists(figures, samples, elsewhere)
    statistics = [figure for figure in figures if not figure.is_list]
    judge = _Statistics(statistics, lists, question)
    own = {match.step for match in lists.confirmed if match.figure.grade > Grade.CONFIRM}
    earlier = own - {run.judged.final_step for run in samples.judged}
    return DocumentClaims(
        claims=(*lists.claims(), *judge.claims()),
        shortfalls=lists.shortfalls(),
        seeds=lists.seed_differences(),
        unlisted=lists.unlisted(),
        steps=tuple(sorted(step for step in earlier if step is not None)),
    )


class _Statistics:
    """The statistics of one document, judged with each other in view."""

    def __init__(self, figures: list[Figure], lists: Lists, question: Question) -> None:
        self._samples, self._elsewhere = lists.samples, lists.elsewhere
        self._question = question
        self._lists = lists.standing
        self._steps = {match.step for match in lists.confirmed}
        self._judged = [(figure, self._agrees(figure)) for figure in figures]
        self._settled = {figure.what for figure, agrees in self._judged if agrees and not figure.of}
        has_losses = any(match.figure.kind == "losses" for match in lists.confirmed)
        self._is_of_runs = has_losses or "mean" in self._settled

    def claims(self) -> Iterator[Claim]:
        """Yield the statistics as claims; a text that quotes one run's loss claims nothing."""
        losses = [run.losses[None] for sample in self._samples.all for run in sample]
        for figure, agrees in self._judged:
            is_quote = figure.may_be_one_run and any(map(figure.number.agrees, losses))
            if agrees:
                yield self._claim(figure, "confirmed")
            elif not is_quote:
                differs = self._differs(figure)
                yield self._claim(figure, "not_confirmed" if differs else "not_checkable")
            elif figure.grade is Grade.REFUTE:
                is_best = self._is_best_of_runs(figure)
                judged = replace(figure, grade=Grade.WARN) if is_best else figure
                yield self._claim(judged, "not_confirmed" if is_best else "confirmed")

    def _agrees(self, figure: Figure) -> bool:
        return any(figure.number.agrees(low, high) for low, high in self._possible(figure))

    def _possible(self, figure: Figure) -> Iterator[Range]:
        """Yield what a figure can be: of its list, or of any sample."""
        if figure.of is not None:
            yield from self._of_list(figure, figure.of)
            return
        half = _LIKELY_HALF if figure.what == "p" else 0.0
        for evidence in self._samples.named(figure):
            yield from self._of_runs(figure, evidence, half)
        for evidence in self._samples.earlier(figure):
            # A p or a deviation agrees by chance at one step of forty.
            if figure.what == "mean" or evidence.step in self._steps:
                yield from self._of_runs(figure, evidence, half)

    def _of_runs(self, figure: Figure, evidence: Evidence, half: float = 0.0) -> list[Range]:
        is_whole = len(evidence.runs) == evidence.n
        values = in_unit_of(figure, evidence.values) if is_whole else []
        return ranges(figure, values, half, self._question)

    def _of_list(self, figure: Figure, listed: Figure, *, rounded: bool = True) -> list[Range]:
        """Return what a figure is of a list, over what the list's own rounding leaves open."""
        half = 0.5 * 10.0**-listed.decimals if rounded and not figure.is_exact else 0.0
        return ranges(figure, listed.values, half, self._question)

    def _is_best_of_runs(self, figure: Figure) -> bool:
        """Return whether data give the best of several losses where a reader takes the mean."""
        losses = [run.losses[None] for run in self._samples.judged]
        best = min if self._question.direction == "less" else max
        return len(losses) > 1 and figure.number.agrees(best(losses))

    def _differs(self, figure: Figure) -> bool:
        """Return whether it is clear what a figure that agrees with nothing is of."""
        if self._usual(figure) is None:
            return False
        if figure.of is not None:
            return figure.is_exact or figure.of.grade > Grade.CONFIRM
        # One log of many: the text speaks of the others, too.
        is_of_more = len(self._samples.judged) == 1 and figure.grade is Grade.WARN
        if figure.what in self._settled or is_of_more or self._is_of_a_list(figure):
            return False
        return figure.number not in self._elsewhere if figure.what == "mean" else self._is_of_runs

    def _is_of_a_list(self, figure: Figure) -> bool:
        """Return whether a list that is not refuted gives a figure: by rounding, or of others."""
        lists = [listed for listed in self._lists if listed.kind == figure.kind == "losses"]
        found = [one for listed in lists for one in self._of_list(figure, listed)]
        return any(figure.number.agrees(low, high) for low, high in found)

    def _usual(self, figure: Figure) -> float | None:
        """Return what the figure is of its list, or of the judged runs, as a reader takes it."""
        if figure.of is not None:
            found = self._of_list(figure, figure.of, rounded=False)
        else:
            found = self._of_runs(figure, self._samples.judged_at(figure))
        middle = sum(found[0]) / 2 if found else math.nan
        return middle if math.isfinite(middle) else None

    def _claim(self, figure: Figure, status: ClaimStatus) -> Claim:
        unit = f" {figure.unit}" if figure.unit else ""
        value = self._usual(figure) if status != "not_checkable" else None
        claimed = figure.number.text + unit
        if value is None:
            return Claim(figure.what, claimed, None, "not_checkable", figure.where, figure.basis)
        recomputed = f"{shown(value)}{unit}"
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)
