"""A list against the logs: which of its values has a run."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.claims.model import Series
from speedcheck.claims.numbers import Printed
from speedcheck.claims.samples import LoggedRun, Place, Sample, Samples, values_at

# Two decimal fractions that are equal in print differ by less than this as binary ones.
_BINARY = 1e-9
# Digits that are cut off are less than a unit, and one unit off is another value.
_CUT = 0.999


@dataclass(frozen=True, slots=True)
class Match:
    """A list and the sample that it agrees with best.

    Attributes:
        series: the list.
        sample: the runs.
        pairs: the run of each value, by the value's index.
        place: where in the logs the losses are; None for the final ones.
    """

    series: Series
    sample: Sample
    pairs: dict[int, LoggedRun]
    place: Place

    @property
    def is_full(self) -> bool:
        """Whether every value of the list has a run of its own."""
        return len(self.pairs) == len(self.series.numbers)

    @property
    def missing(self) -> list[Printed]:
        """The values that no run gives."""
        return [n for i, n in enumerate(self.series.numbers) if i not in self.pairs]


def best_match(series: Series, samples: Samples) -> Match:
    """Compare a list with every sample: by its losses, then at earlier steps and other fields.

    The match with the most values wins, then the one with the fewest runs over.
    """
    first: Place = series.step
    matches = [_match(series, sample, first) for sample in samples.all]
    best = max(matches, key=_quality, default=Match(series, (), {}, first))
    if best.is_full or series.kind == "times" or len(series.numbers) > len(samples.runs):
        return best
    # One loss alone equals some validation by chance.
    places = samples.places if len(series.numbers) > 1 or series.step is not None else (None,)
    elsewhere = (
        _match(series, sample, place)
        for place in places
        for sample in dict.fromkeys((samples.judged, samples.runs))
    )
    return next((match for match in elsewhere if match.is_full), best)


def by_seed(series: Series, sample: Sample, place: Place) -> dict[int, LoggedRun] | None:
    """Return the run of each value by the seeds that the list gives; None where a seed has none."""
    runs = {run.judged.seed: run for run in sample if place in run.losses}
    if not series.seeds or len(set(series.seeds)) < len(series.seeds) or len(runs) < len(sample):
        return None
    if not all(seed in runs for seed in series.seeds):
        return None
    return {index: runs[seed] for index, seed in enumerate(series.seeds)}


def _quality(match: Match) -> tuple[int, int]:
    return len(match.pairs), -len(match.sample)


def _match(series: Series, sample: Sample, place: Place) -> Match:
    """Pair the values, taken as rounded; or as cut, if that explains the whole list."""
    logged = values_at(sample, series, place)
    most = max(number.decimals for number in series.numbers)
    half = series.half_unit
    pairs = _pair(list(enumerate(series.values)), logged, half, half)
    if len(pairs) < len(series.numbers):
        cut = _pair(list(enumerate(series.values)), logged, 0.0, 2 * half * _CUT)
        if len(cut) == len(series.numbers):
            return Match(series, sample, cut, place)
        pairs |= _coarse(series, logged, pairs, most)
    return Match(series, sample, pairs, place)


def _coarse(
    series: Series, logged: list[tuple[float, LoggedRun]], pairs: dict[int, LoggedRun], most: int
) -> dict[int, LoggedRun]:
    """Pair what is left at the digits of each value: somebody typed 3.28 among 3.2785.

    One digit less is a final zero that Python leaves out.
    """
    used = set(pairs.values())
    found: dict[int, LoggedRun] = {}
    for decimals in range(most - 2, -1, -1):
        left = [
            (i, number.value)
            for i, number in enumerate(series.numbers)
            if i not in pairs and number.decimals == decimals
        ]
        if left:
            free = [(value, run) for value, run in logged if run not in used]
            half = 0.5 * 10.0**-decimals
            more = _pair(left, free, half, half)
            found |= more
            used |= set(more.values())
    return found


def _pair(
    claimed: list[tuple[int, float]],
    logged: list[tuple[float, LoggedRun]],
    below: float,
    above: float,
) -> dict[int, LoggedRun]:
    """Pair values with claimed - below <= logged <= claimed + above, as many as can be.

    All intervals are of one length, so that taking both sides in their order is optimal.
    """
    slack = _BINARY * max((abs(value) for _, value in claimed), default=0.0)
    ours = sorted(claimed, key=lambda pair: pair[1])
    theirs = sorted(logged, key=lambda pair: pair[0])
    pairs: dict[int, LoggedRun] = {}
    i = j = 0
    while i < len(ours) and j < len(theirs):
        difference = theirs[j][0] - ours[i][1]
        if difference < -below - slack:
            j += 1
        elif difference > above + slack:
            i += 1
        else:
            pairs[ours[i][0]] = theirs[j][1]
            i, j = i + 1, j + 1
    return pairs
