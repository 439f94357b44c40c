"""A claimed list against the logs: which of its values have a run, and which runs it leaves out."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from speedcheck.claims.model import SECONDS, Series, Unit
from speedcheck.claims.numbers import Printed
from speedcheck.claims.pools import LoggedRun, Place, Pool, Pools

# Two decimal fractions that are equal in print differ by less than this as binary ones.
_BINARY = 1e-9
# Digits that are cut off are less than a unit, and one unit off is another value.
_CUT = 0.999
# A list of other losses than the final ones is told by its values only where chance cannot.
_FEWEST_TO_TELL = 2
_SIGMAS = 3
# Two samples of five runs share four losses by chance in one case of several thousand (measured at
# a spread of 0.0013 and four decimals), larger ones never.
_MOST_OF_BOTH = 0.8
_FEWEST_OF_BOTH = 4
_MOST_STEPS = 40
_MOST_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Match:
    """A list and the pool of runs that it agrees with best.

    Attributes:
        series: the list.
        pool: the runs.
        runs: the runs whose figures stand in the list, in the order of their values.
        missing: values of the list that no log gives.
        extra: runs of the pool that are not in the list.
        place: the step or the field compared; None for the final loss.
    """

    series: Series
    pool: Pool
    runs: tuple[LoggedRun, ...]
    missing: tuple[Printed, ...]
    extra: tuple[LoggedRun, ...]
    place: Place

    @property
    def is_full(self) -> bool:
        """Whether every value of the list has a run."""
        return not self.missing

    @property
    def is_of_these_runs(self) -> bool:
        """Whether the list speaks of these runs: it has all of them, or too many for chance."""
        is_half = 2 * len(self.runs) >= min(len(self.series.numbers), len(self.pool)) > 0
        return is_half and (self.is_full or not self.extra or self.is_beyond_chance)

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the list shares more values with the runs than one of other runs would.

        Two losses of a spread of 0.0013 are one in 46 times equal to four decimals, so that of 10
        runs 5 stand in a list of 30 others.
        """
        fewer, more = sorted((len(self.series.numbers), len(self.pool)))
        if len(self.runs) >= max(_MOST_OF_BOTH * more, _FEWEST_OF_BOTH):
            return True
        unit = 10.0**-self.series.decimals
        values = self.series.values
        spread = max(statistics.stdev(values) if len(values) > 1 else 0.0, unit)
        equal = unit / (2 * math.sqrt(math.pi) * spread)
        listed = 1 - (1 - equal) ** more
        chance = fewer * listed + _SIGMAS * math.sqrt(fewer * listed * (1 - listed))
        return len(self.runs) > chance


def best_match(series: Series, pools: Pools) -> Match:
    """Return the match with the most values of the list; then the one with the fewest runs over."""
    matches = [_match(series, pool, series.step) for pool in pools.all()]
    best = max(matches, key=_quality, default=Match(series, (), (), series.numbers, (), None))
    if best.is_full or series.kind == "times" or series.step is not None:
        return best
    return next((match for match in _elsewhere(series, pools) if match.is_full), best)


def values_of(series: Series, runs: Pool, place: Place) -> list[tuple[float, LoggedRun]]:
    """Return what the logs give for a list, in its unit; runs that give nothing are left out."""
    if series.kind == "losses":
        losses = ((run.loss_at(place), run) for run in runs)
        return [(loss, run) for loss, run in losses if loss is not None and math.isfinite(loss)]
    times = [(run.time_ms / 1000, run) for run in runs if run.time_ms is not None]
    scale = SECONDS[unit_of(series, [seconds for seconds, _ in times])]
    return [(seconds / scale, run) for seconds, run in times]


def unit_of(series: Series, seconds: list[float]) -> Unit:
    """Return the unit of a list of times: the named one, else the one that fits the logs best.

    Without logs, runs of 20 s to 3 h are assumed.
    """
    if series.unit:
        return series.unit
    middle = sorted(series.values)[len(series.values) // 2]
    known = sorted(seconds)[len(seconds) // 2] if seconds else 0
    if known <= 0 or middle <= 0:
        return "ms" if middle > 10_000 else "min" if middle < 20 else "s"
    units: tuple[Unit, ...] = ("s", "ms", "min")
    return min(units, key=lambda unit: abs(math.log(middle * SECONDS[unit] / known)))


def _quality(match: Match) -> tuple[int, int]:
    return len(match.runs), -len(match.extra)


def _elsewhere(series: Series, pools: Pools) -> Iterator[Match]:
    """Compare with earlier validations, and with other losses of the final line, as an EMA's."""
    if len(series.numbers) < _FEWEST_TO_TELL:
        return
    # The last steps: a claim is of the end of the training.
    steps = Counter(step for run in pools.everything for step in run.validations)
    common = [step for step, count in steps.items() if count >= len(series.numbers)]
    final = (run.run.final for run in pools.everything)
    fields = dict.fromkeys(key for last in final if last for key in last.extra if "loss" in key)
    places: list[Place] = [
        *sorted(common, reverse=True)[:_MOST_STEPS],
        *list(fields)[:_MOST_FIELDS],
    ]
    for place in places:
        yield _match(series, pools.everything, place)


def _match(series: Series, pool: Pool, place: Place) -> Match:
    """Pair a list with a pool, the values rounded; or, if that fits the whole list only, cut."""
    logged = values_of(series, pool, place)
    unit = 10.0**-series.decimals
    pairs = _pair(series.values, [value for value, _ in logged], unit / 2, unit / 2)
    if len(pairs) < len(series.numbers):
        cut = _pair(series.values, [value for value, _ in logged], 0.0, unit * _CUT)
        pairs = cut if len(cut) == len(series.numbers) else _with_shorter(series, logged, pairs)
    matched = set(pairs.values())
    return Match(
        series=series,
        pool=pool,
        runs=tuple(logged[pairs[i]][1] for i in sorted(pairs)),
        missing=tuple(number for i, number in enumerate(series.numbers) if i not in pairs),
        extra=tuple(run for i, (_, run) in enumerate(logged) if i not in matched),
        place=place,
    )


def _with_shorter(
    series: Series, logged: list[tuple[float, LoggedRun]], pairs: dict[int, int]
) -> dict[int, int]:
    """Pair what is left at the digits of each value: somebody typed 3.28 among 3.2785.

    One digit less is a final zero that Python leaves out.
    """
    most = series.decimals - 1
    left = [
        i for i, number in enumerate(series.numbers) if i not in pairs and number.decimals < most
    ]
    free = _others(range(len(logged)), pairs)
    for decimals in sorted({series.numbers[i].decimals for i in left}, reverse=True):
        chosen = [i for i in left if series.numbers[i].decimals == decimals]
        half = 10.0**-decimals / 2
        more = _pair([series.values[i] for i in chosen], [logged[i][0] for i in free], half, half)
        pairs = pairs | {chosen[i]: free[j] for i, j in more.items()}
        free = _others(free, pairs)
    return pairs


def _others(indices: Iterable[int], pairs: dict[int, int]) -> list[int]:
    paired = set(pairs.values())
    return [index for index in indices if index not in paired]


def _pair(claimed: list[float], found: list[float], below: float, above: float) -> dict[int, int]:
    """Return pairs of indices with claimed - below <= found <= claimed + above, as many as can be.

    All intervals are of one length, so that taking both sides in their order is optimal.
    """
    slack = _BINARY * max((abs(value) for value in claimed), default=0.0)
    ours = sorted(range(len(claimed)), key=claimed.__getitem__)
    theirs = sorted(range(len(found)), key=found.__getitem__)
    pairs: dict[int, int] = {}
    i = j = 0
    while i < len(ours) and j < len(theirs):
        difference = found[theirs[j]] - claimed[ours[i]]
        if difference < -below - slack:
            j += 1
        elif difference > above + slack:
            i += 1
        else:
            pairs[ours[i]] = theirs[j]
            i, j = i + 1, j + 1
    return pairs
