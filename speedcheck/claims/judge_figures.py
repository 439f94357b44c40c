"""The figures of one document: of the list that they are printed under, or of the runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from speedcheck.certificate import Claim, ClaimStatus, ClaimSubject
from speedcheck.claims.match import Match
from speedcheck.claims.model import Figure, Question
from speedcheck.claims.numbers import shown
from speedcheck.claims.samples import Place, Sample, Samples
from speedcheck.claims.statistics import Range, agrees, in_unit, ranges

# A text prints this many digits of a loss, unless its own figure prints fewer.
_LIKELY_HALF = 0.5e-4


class Figures:
    """The figures of one document, judged with each other in view.

    Attributes:
        steps: the validation steps that confirmed figures name.
    """

    def __init__(
        self,
        samples: Samples,
        question: Question,
        was_printed: Callable[[str], bool],
        *,
        lists: list[Match],
    ) -> None:
        self.steps: set[int] = set()
        self._samples, self._question = samples, question
        self._was_printed = was_printed
        self._speaks_of_runs = any(match.series.kind == "losses" for match in lists)
        self._named: set[Place] = {None, *(match.place for match in lists)}
        self._places = {id(sample): self._known_places(sample) for sample in samples.all}

    def judge(self, figures: list[Figure]) -> list[Claim]:
        """Return the figures as claims.

        One that is printed under a list follows from that list or does not. One of the text is
        confirmed by any sample at any place; it differs where it is clear what it is of, and no
        other figure of its subject in the text agrees with the runs.
        """
        self._named |= {figure.step for figure in figures}
        agreed = [self._agrees(figure) for figure in figures]
        settled = {f.what for f, yes in zip(figures, agreed, strict=True) if yes and not f.of}
        known = self._speaks_of_runs or "mean" in settled
        claims = []
        status: ClaimStatus
        for figure, yes in zip(figures, agreed, strict=True):
            if yes and self._is_best_for_mean(figure):
                claims.append(self._claim(replace(figure, basis="text"), "not_confirmed"))
                continue
            if yes and self._is_of_one_run(figure):
                continue
            if yes:
                status = "confirmed"
                if figure.step is not None:
                    self.steps.add(figure.step)
            else:
                status = self._status(figure, settled, known=known)
            claims.append(self._claim(figure, status))
        return claims

    def _agrees(self, figure: Figure) -> bool:
        if figure.of is not None and agrees(figure, self._of_list(figure)):
            return True
        if figure.of is not None and figure.is_exact:
            return False
        return any(agrees(figure, found) for found in self._of_samples(figure))

    def _status(self, figure: Figure, settled: set[ClaimSubject], *, known: bool) -> ClaimStatus:
        if figure.of is not None:
            is_open = figure.of.is_other and not figure.is_exact
            is_defined = bool(self._of_list(figure))
            is_text = figure.basis == "text" and not figure.is_clear
            return "not_checkable" if is_open or is_text or not is_defined else "not_confirmed"
        if not figure.is_clear or figure.what in settled or not self._samples.judged:
            return "not_checkable"
        if not self._is_decidable(figure, known=known):
            return "not_checkable"
        if figure.what == "mean" and self._was_printed(figure.number.text):
            return "not_checkable"
        return "not_confirmed" if self._usual(figure) is not None else "not_checkable"

    def _is_decidable(self, figure: Figure, *, known: bool) -> bool:
        """Return whether a text figure is of runs that are here, as far as the text says."""
        if figure.n is not None and figure.n not in {len(s) for s in self._samples.all}:
            return False
        if figure.step is not None and not any(
            figure.step in run.losses for run in self._samples.runs
        ):
            return False
        judged = len(self._samples.judged)
        if judged == 1 and not figure.may_be_one_run:
            # One log of many: the text speaks of the others, too.
            return False
        if figure.what in ("p", "std", "time_mean", "time_std"):
            return known or figure.n == judged
        return True

    def _is_of_one_run(self, figure: Figure) -> bool:
        """Return whether a text quotes one run's loss, which nothing follows from."""
        is_loss = figure.may_be_one_run and figure.basis == "text"
        return is_loss and not self._agrees(replace(figure, may_be_one_run=False))

    def _is_best_for_mean(self, figure: Figure) -> bool:
        """Return whether JSON gives the best run's loss where the mean is another."""
        losses = sorted(run.losses[None] for run in self._samples.judged)
        if figure.basis != "data" or not figure.may_be_one_run or len(losses) < 2:
            return False
        best = losses[0 if self._question.direction == "less" else -1]
        mean = ranges(figure, losses, 0.0, self._question)
        return agrees(figure, [(best, best)]) and not agrees(figure, mean)

    def _of_list(self, figure: Figure, *, rounded: bool = True) -> list[Range]:
        """Return what a figure is of its list, over what the list's own rounding leaves open."""
        series = figure.of
        if series is None:
            return []
        values = series.values
        if figure.what in ("time_mean", "time_std") and figure.unit and series.unit:
            values = in_unit(_seconds(values, series.unit), figure)
        elif figure.what == "time_mean" and not series.unit:
            values = in_unit(_seconds(values, None), figure)
        half = series.half_unit if rounded and not figure.is_exact else 0.0
        return ranges(figure, values, half, self._question)

    def _of_samples(self, figure: Figure) -> Iterator[list[Range]]:
        """Yield what each sample gives for a figure, at the places of the logs."""
        half = _LIKELY_HALF if figure.what == "p" else 0.0
        for sample in self._samples.all:
            if figure.kind == "times":
                yield ranges(figure, in_unit(_times(sample), figure), 0.0, self._question)
                continue
            for place in self._places[id(sample)]:
                # A p or a deviation agrees by chance at one step of forty.
                if figure.what != "mean" and place not in self._named:
                    continue
                losses = [run.losses[place] for run in sample if place in run.losses]
                yield ranges(figure, losses, half, self._question)
                if figure.may_be_one_run and place is None:
                    yield [(loss, loss) for loss in losses]

    def _known_places(self, sample: Sample) -> list[Place]:
        """Return the places at which each run of a sample has a loss."""
        places = self._samples.places
        return [place for place in places if all(place in run.losses for run in sample)]

    def _usual(self, figure: Figure) -> float | None:
        """Return what the figure is of the judged runs: what a reader compares it with."""
        sample = self._samples.judged
        if figure.kind == "times":
            values = in_unit(_times(sample), figure)
        else:
            place = figure.step if all(figure.step in run.losses for run in sample) else None
            values = [run.losses[place] for run in sample]
        found = ranges(figure, values, 0.0, self._question)
        return sum(found[0]) / 2 if found and math.isfinite(sum(found[0])) else None

    def _claim(self, figure: Figure, status: ClaimStatus) -> Claim:
        unit = f" {figure.unit}" if figure.unit else ""
        if figure.of is not None:
            found = self._of_list(figure, rounded=False)
            value = sum(found[0]) / 2 if found else None
        else:
            value = self._usual(figure)
        recomputed = f"{shown(value)}{unit}" if value is not None else None
        claimed = figure.number.text + unit
        if status == "not_checkable":
            recomputed = None
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)


def _times(sample: Sample) -> list[float]:
    """Return the times of a sample in seconds; none unless every run has one."""
    times = [run.seconds for run in sample]
    known = [seconds for seconds in times if seconds is not None]
    return known if len(known) == len(times) else []


def _seconds(values: list[float], unit: str | None) -> list[float]:
    scale = {"s": 1.0, "ms": 1e-3, "min": 60.0}
    if unit is None:
        unit = "ms" if sorted(values)[len(values) // 2] > 10_000 else "s"
    return [value * scale[unit] for value in values]
