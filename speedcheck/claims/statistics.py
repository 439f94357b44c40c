"""The statistics of a document against the runs of its record.

A statistic that is printed under a list follows from that list or does not. One of the text agrees
with any sample, at any step that the document names; it differs where no figure of its subject in
the text agrees.

Authors print different things under one name: a sample's deviation, numpy's, a Bayesian estimate;
a p-value of one side or of two. A statistic agrees where any of them gives it at its printed
digits, from values that were perhaps rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.lists import Lists, Match
from speedcheck.claims.model import Figure
from speedcheck.claims.numbers import shown
from speedcheck.claims.samples import values_of
from speedcheck.rules.tracks import Track
from speedcheck.stats.rounded import (
    Range,
    deviation_ranges,
    mean_ranges,
    p_ranges,
)

# Values that a figure may be of, each known to within a half width.
Source = tuple[list[float], float]

# Losses are printed with this many digits, and a p may be of them before they were.
_LIKELY_HALF = 0.5e-4
# What is printed of times in ms or s may be in s, ms or minutes.
_SCALES = (1.0, 1e-3, 1e3, 1 / 60)


class Statistics:
    """The statistics among the figures of a document, judged with each other in view."""

    def __init__(self, figures: list[Figure], lists: Lists, track: Track) -> None:
        self._lists, self._samples, self._track = lists, lists.samples, track
        self._judged = [
            (figure, *self._compared(figure, self._sources(figure)))
            for figure in figures
            if not figure.is_list
        ]
        self._settled = {
            figure.what for figure, agrees, _ in self._judged if agrees and not figure.of
        }
        has_losses = any(match.figure.kind == "losses" for match in lists.confirmed)
        self._is_of_runs = has_losses or "mean" in self._settled

    def claims(self) -> Iterator[Claim]:
        """Yield the statistics as claims; a text that quotes one run's loss claims nothing."""
        losses = [run.losses[None] for sample in self._samples.all for run in sample]
        for figure, agrees, value in self._judged:
            is_quote = figure.may_be_one_run and any(map(figure.number.agrees, losses))
            if agrees:
                yield _claim(figure, "confirmed", value)
            elif not is_quote:
                differs = value is not None and self._differs(figure)
                status: ClaimStatus = "not_confirmed" if differs else "not_checkable"
                # The logs are read for other means only where one is looked for.
                may_warn = differs and not figure.of
                may_warn = may_warn and (_is_cut(figure, value) or self._is_other_mean(figure))
                yield _claim(replace(figure, is_data=False) if may_warn else figure, status, value)
            elif figure.is_data and self._is_best_of_runs(figure):
                yield _claim(replace(figure, is_data=False), "not_confirmed", value)
            elif figure.is_data:
                yield _claim(figure, "confirmed", value)

    def _compared(self, figure: Figure, sources: Iterable[Source]) -> tuple[bool, float | None]:
        """Return whether something gives a figure, and what it gives or the likeliest one does."""
        likeliest = None
        for values, half in sources:
            for low, high in _ranges(figure, values, half, self._track):
                if figure.number.agrees(low, high):
                    return True, (low + high) / 2
                likeliest = (low + high) / 2 if likeliest is None else likeliest
        return False, likeliest

    def _sources(self, figure: Figure) -> Iterator[Source]:
        """Yield what a figure may be of: its list or the judged runs, or any sample.

        A list of the runs is of what they give; of another, the rounding leaves its values open.
        """
        judged = list(values_of(self._samples.judged, figure).values())
        if figure.of is not None:
            match = self._confirmed(figure.of)
            yield from _of_list(figure.of, is_exact=figure.is_exact or match is not None)
            if match:
                yield list(values_of(tuple(match.runs.values()), match.figure).values()), 0.0
            # What the logs give is not a false figure, whatever became of the list above it.
            yield judged, 0.0
            return
        yield judged, 0.0
        for _, values in self._lists.readings(figure):
            # Roundings of many losses are not all to one side: two standard errors of their mean.
            half = 2 * _LIKELY_HALF / math.sqrt(3 * len(values) or 1) if figure.what == "p" else 0.0
            yield list(values.values()), half

    def _confirmed(self, listed: Figure) -> Match | None:
        """Return how a list was matched with the runs, if each of its values was."""
        found = (one for one in self._lists.confirmed if one.figure.numbers is listed.numbers)
        return next(found, None)

    def _is_other_mean(self, figure: Figure) -> bool:
        return self._lists.others.has_mean(figure.number.span())

    def _is_best_of_runs(self, figure: Figure) -> bool:
        """Return whether data give the best of several losses where a reader takes the mean."""
        losses = [self._track.sign * run.losses[None] for run in self._samples.judged]
        return len(losses) > 1 and figure.number.agrees(self._track.sign * min(losses))

    def _differs(self, figure: Figure) -> bool:
        """Return whether it is clear what a figure that agrees with nothing is of."""
        if figure.of is not None:
            return figure.is_exact or figure.of.is_clear or self._confirmed(figure.of) is not None
        # One log of many: the text speaks of the others, too.
        is_of_more = len(self._samples.judged) == 1 and not figure.is_data
        if is_of_more or figure.what in self._settled or not figure.is_clear:
            return False
        return figure.what == "mean" or self._is_of_runs


def _is_cut(figure: Figure, value: float | None) -> bool:
    """Return whether a figure is off by a unit of its last digit: cut, or of rounded values."""
    unit = 10.0**-figure.number.decimals
    return value is not None and abs(value - figure.number.value) <= unit


def _of_list(listed: Figure, *, is_exact: bool) -> Iterator[Source]:
    """Yield the values of a list, exact and over what its rounding leaves open."""
    half = 0.0 if is_exact else 0.5 * 10.0**-listed.decimals
    for scale in _SCALES if listed.kind == "times" else (1.0,):
        values = [value * scale for value in listed.values]
        yield values, 0.0
        if half:
            yield values, half * scale


def _claim(figure: Figure, status: ClaimStatus, value: float | None) -> Claim:
    unit = f" {figure.unit}" if figure.unit else ""
    recomputed = None if value is None or status == "not_checkable" else f"{shown(value)}{unit}"
    claimed = figure.number.text + unit
    return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)


def _ranges(figure: Figure, values: list[float], half: float, track: Track) -> Iterator[Range]:
    """Yield what a statistic can be for each reading of it, the usual one first."""
    if figure.what == "p":
        sigmas = (None, *figure.sigmas, track.sigma)
        for target, sigma in product(figure.nulls or (track.target,), sigmas):
            yield from p_ranges(values, half, target, sign=track.sign, sigma=sigma)
    else:
        is_mean = figure.what in ("mean", "time_mean")
        yield from (mean_ranges if is_mean else deviation_ranges)(values, half)
