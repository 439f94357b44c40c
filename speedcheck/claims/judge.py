"""One document against the runs of its record.

A statistic that is printed under a list follows from that list or does not. One of the text is
confirmed by any sample at any step; it differs where it is clear what it is of, and no other
figure of its subject in the text agrees with the runs.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import replace

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.evidence import Evidence, Samples, in_unit_of
from speedcheck.claims.lists import Lists
from speedcheck.claims.model import SECONDS, DocumentClaims, Figure, Grade, Question
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
    judge = _Statistics(statistics, samples, question, elsewhere, lists)
    claims = (*lists.claims(), *judge.claims())
    own = {match.step for match in lists.confirmed if match.figure.grade > Grade.CONFIRM}
    earlier = (own | judge.steps) - {run.run.final_step for run in samples.judged}
    return DocumentClaims(
        claims=claims,
        shortfalls=lists.shortfalls(),
        seeds=lists.seed_differences(),
        unlisted=lists.unlisted(),
        steps=tuple(sorted(step for step in earlier if step is not None)),
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
        self._samples, self._question, self._elsewhere = samples, question, elsewhere
        self._steps = {None, *(m.step for m in lists.confirmed), *(f.step for f in figures)}
        self._judged = [(figure, self._agrees(figure)) for figure in figures]
        self._settled = {figure.what for figure, agrees in self._judged if agrees and not figure.of}
        has_losses = any(match.figure.kind == "losses" for match in lists.confirmed)
        self._is_of_runs = has_losses or "mean" in self._settled
        self.steps = {figure.step for figure, agrees in self._judged if agrees}

    def claims(self) -> Iterator[Claim]:
        """Yield the statistics as claims; a text that quotes one run's loss claims nothing."""
        for figure, agrees in self._judged:
            is_quote = not agrees and figure.may_be_one_run and self._is_of_one_run(figure)
            if agrees:
                yield self._claim(figure, "confirmed")
            elif is_quote and figure.grade is Grade.REFUTE:
                is_best = self._is_best_of_runs(figure)
                judged = replace(figure, grade=Grade.WARN) if is_best else figure
                yield self._claim(judged, "not_confirmed" if is_best else "confirmed")
            elif not is_quote:
                differs = self._differs(figure)
                yield self._claim(figure, "not_confirmed" if differs else "not_checkable")

    def _agrees(self, figure: Figure) -> bool:
        if self._is_one_of(figure, self._of_list(figure)):
            return True
        half = _LIKELY_HALF if figure.what == "p" else 0.0
        return not figure.is_exact and any(
            self._is_one_of(figure, self._ranges(figure, one, half))
            for one in self._evidence(figure)
        )

    def _is_one_of(self, figure: Figure, found: list[Range]) -> bool:
        return any(figure.number.agrees(low, high) for low, high in found)

    def _evidence(self, figure: Figure) -> Iterator[Evidence]:
        """Yield what a statistic may be of: values that every run of a sample has."""
        named, others = self._samples.evidence(figure)
        yield from named
        # A p or a deviation agrees by chance at one step of forty.
        yield from (one for one in others if figure.what == "mean" or one.step in self._steps)

    def _ranges(self, figure: Figure, evidence: Evidence, half: float = 0.0) -> list[Range]:
        values = in_unit_of(figure, evidence.values) if evidence.is_whole else []
        return ranges(figure, values, half, self._question)

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

    def _is_of_one_run(self, figure: Figure) -> bool:
        runs = (run for sample in self._samples.all for run in sample)
        return any(figure.number.agrees(run.losses[None]) for run in runs)

    def _is_best_of_runs(self, figure: Figure) -> bool:
        """Return whether data give the best of several losses where a reader takes the mean."""
        losses = [run.losses[None] for run in self._samples.judged]
        best = min if self._question.direction == "less" else max
        return len(losses) > 1 and figure.number.agrees(best(losses))

    def _differs(self, figure: Figure) -> bool:
        """Return whether it is clear what a figure that agrees with nothing is of."""
        if figure.grade is Grade.CONFIRM or self._usual(figure) is None:
            return False
        if figure.of is not None:
            return figure.is_exact or figure.of.grade > Grade.CONFIRM
        judged, sizes = self._samples.judged, {len(sample) for sample in self._samples.all}
        is_of_others = figure.n is not None and figure.n not in sizes
        # One log of many: the text speaks of the others, too.
        is_of_more = len(judged) == 1 and figure.grade is Grade.WARN
        if figure.what in self._settled or is_of_others or is_of_more:
            return False
        if figure.what == "mean":
            return figure.number not in self._elsewhere
        return self._is_of_runs or figure.n == len(judged)

    def _usual(self, figure: Figure) -> float | None:
        """Return what the figure is of its list, or of the judged runs, as a reader takes it."""
        if figure.of is not None:
            found = self._of_list(figure, rounded=False)
        else:
            found = self._ranges(figure, self._samples.judged_at(figure))
        middle = sum(found[0]) / 2 if found else math.nan
        return middle if math.isfinite(middle) else None

    def _claim(self, figure: Figure, status: ClaimStatus) -> Claim:
        unit = f" {figure.unit}" if figure.unit else ""
        value = self._usual(figure) if status != "not_checkable" else None
        recomputed = None if value is None else f"{shown(value)}{unit}"
        claimed = figure.number.text + unit
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)
