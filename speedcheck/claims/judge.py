"""One document against the runs of its record.

A statistic that is printed under a list follows from that list or does not. One of the text agrees
with any sample at any step; it differs where no figure of its subject in the text agrees.

Authors print different things under one name: a sample's deviation, numpy's, a Bayesian estimate;
a p-value of one side or of two. A statistic agrees where any of them gives it at its printed
digits, from values that were perhaps rounded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

import numpy as np
from scipy.special import ndtr, stdtr

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.evidence import Evidence, Samples, in_unit_of
from speedcheck.claims.lists import Lists
from speedcheck.claims.model import DocumentClaims, Figure, Grade, Question
from speedcheck.claims.numbers import Printed, shown
from speedcheck.stats import bayes_mean_std, moments

Range = tuple[float, float]

# A text prints this many digits of a loss, so that its p may be of losses rounded to them.
_LIKELY_HALF = 0.5e-4
# What is printed of times in ms or s may be in s, ms or minutes.
_SCALES = (1.0, 1e-3, 1e3, 1 / 60)
# Sums in another order, or in float32 as PyTorch makes them, differ in the last bits.
_PRECISION = 4 * float(np.finfo(np.float32).eps)


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
        return _is_in(figure, self._possible(figure))

    def _possible(self, figure: Figure) -> Iterator[Range]:
        """Yield what a figure can be: of its list or the judged runs, or of any sample."""
        if figure.of is not None:
            yield from self._of_list(figure, figure.of)
            # What the logs give is not a false figure, whatever became of the list above it.
            yield from self._of_judged(figure)
            return
        half = _LIKELY_HALF if figure.what == "p" else 0.0
        for evidence in self._samples.named(figure):
            yield from self._of_runs(figure, evidence, half)
        for evidence in self._samples.earlier(figure):
            # A p or a deviation agrees by chance at one step of forty.
            if figure.what == "mean" or evidence.step in self._steps:
                yield from self._of_runs(figure, evidence, half)

    def _of_judged(self, figure: Figure) -> list[Range]:
        return self._of_runs(figure, self._samples.judged_at(figure))

    def _of_runs(self, figure: Figure, evidence: Evidence, half: float = 0.0) -> list[Range]:
        is_whole = len(evidence.runs) == evidence.n
        values = in_unit_of(figure, evidence.values) if is_whole else []
        return _ranges(figure, values, half, self._question)

    def _of_list(self, figure: Figure, listed: Figure, *, rounded: bool = True) -> list[Range]:
        """Return what a figure is of a list, over what the list's own rounding leaves open."""
        half = 0.5 * 10.0**-listed.decimals if rounded and not figure.is_exact else 0.0
        found = []
        for scale in _SCALES if listed.kind == "times" else (1.0,):
            values = [value * scale for value in listed.values]
            found += _ranges(figure, values, half * scale, self._question)
        return found

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
        return _is_in(figure, found)

    def _usual(self, figure: Figure) -> float | None:
        """Return what the figure is of its list, or of the judged runs, as a reader takes it."""
        found = self._of_judged(figure)
        if figure.of is not None and not _is_in(figure, found):
            found = self._of_list(figure, figure.of, rounded=False)
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


def _is_in(figure: Figure, ranges: Iterable[Range]) -> bool:
    return any(figure.number.agrees(low, high) for low, high in ranges)


def _ranges(figure: Figure, values: list[float], half: float, question: Question) -> list[Range]:
    """Return what a statistic can be for values that are each known to within `half`.

    That is a range for each reading of it, the usual one first; none where it is not defined.
    """
    sample = moments(values)
    if sample.mean is None:
        return []
    if figure.what == "p":
        return _p_values(figure, sample.n, sample.mean, sample.std, half, question)
    error = half + _PRECISION * max(map(abs, values))
    is_mean, estimates = figure.what in ("mean", "time_mean"), bayes_mean_std(values)
    if is_mean and figure.part is None:
        return [(sample.mean - error, sample.mean + error)]
    found: list[float | None] = []
    if figure.part is not None:
        found = [getattr(estimates[0 if is_mean else 1], figure.part)] if estimates else []
    elif sample.std is not None and sample.squares is not None:
        found = [sample.std, math.sqrt(sample.squares / sample.n)]
        found += [estimates[1].estimate] if estimates else []
    return [(value - 3 * error, value + 3 * error) for value in found if value is not None]


def _p_values(
    figure: Figure, n: int, mean: float, std: float | None, half: float, question: Question
) -> list[Range]:
    """Return the p of a t-test, and of a z-test with each known sigma, for each null value."""
    sigmas = [*figure.sigmas, *([question.sigma] if question.sigma else [])]
    found: list[Range] = []
    for target in figure.nulls or (question.target,):
        if std is not None:
            found += _sides(n, mean - target, std, half, n - 1, question)
        for sigma in sigmas:
            found += _sides(n, mean - target, sigma, half, None, question)
    return found


def _sides(
    n: int, difference: float, std: float, half: float, df: int | None, question: Question
) -> list[Range]:
    """Return the p of the track's side, and of both sides, over what rounding leaves open."""
    if std <= 0:
        return []
    spread = 2 * half if df is not None else 0.0
    stds = (max(std - spread, 1e-3 * std), std + spread)
    differences = (difference - half, difference + half)
    scores = [d / s * math.sqrt(n) for d, s in itertools.product(differences, stds)]
    below = [float(ndtr(t) if df is None else stdtr(df, t)) for t in scores]
    one_sided = below if question.direction == "less" else [1 - p for p in below]
    both = [2 * min(p, 1 - p) for p in below]
    return [(min(p) * (1 - 1e-7), max(p) * (1 + 1e-7)) for p in (one_sided, both)]
