"""Runs that are copies of one another: a log under two names, captured output, an edited log.

Two runs of one program differ at almost every validation and in the rhythm of their steps. Logs
print few digits, so some figures agree by chance: a pair is a near-copy only where chance does not
explain how many agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import comb
from operator import attrgetter

import numpy as np
from scipy.special import gammainc

from speedcheck.logs import Environment, Run, Validation
from speedcheck.sample.sample import run_name
from speedcheck.words import decimals

StepTimes = Mapping[int, float]
"""Milliseconds since the start of training, by step."""

FEWEST_LOSSES = 3
FEWEST_TIMES = 20

# Losses with four decimals of two runs of a published program agree at about 1 validation in 40
# or less: 0.9 % of 1,036 measured pairs. A decimal more makes that ten times rarer.
_CHANCE_AT_4_DECIMALS = 1 / 40
# The expected number of pairs of a folder that are taken for near-copies by chance.
_FALSE_PAIRS = 0.01
# So many equal single lines, or more, are copies where chance gives them less often than this.
_RARE = 0.05
# Train times are printed in milliseconds and steps last alike: in published logs up to 13 % of the
# step times of two runs differ by one constant.
_SHARED_TIMES = 0.5
# Of honest runs hardly any pair has half of its times between steps in common.
_MOST_LOOKS = 20_000


@dataclass(frozen=True, slots=True)
class NearCopy:
    """Two runs that agree in more than chance explains.

    Attributes:
        first: position of the one run.
        second: position of the other.
        evidence: what they have in common, in words.
    """

    first: int
    second: int
    evidence: str


def exact_copies(runs: Sequence[Run], members: Iterable[int]) -> dict[int, int]:
    """Return for each position in `members` that is an exact copy the position of its original.

    A copy has the same step lines as its original or a part of them that ends as the original
    does; or it has the same seed and the same losses. The original is the run whose log says most
    about what ran; of equal ones the first. Runs that diverge at once share nothing but a loss that
    no seed changes, so they are not copies.
    """
    original_of = {index: index for index in members if not runs[index].diverged}
    runs_in = Counter(run.log for run in runs)
    for divide in (_same_lines, _same_seed_and_losses, _parts):
        firsts = [index for index in original_of if original_of[index] == index]
        for alike in divide(runs, firsts):
            best = max(alike, key=lambda i: (_information(runs[i]), -runs_in[runs[i].log], -i))
            original_of.update(dict.fromkeys(alike, best))
    found = {index: original_of[first] for index, first in original_of.items()}
    return {index: original for index, original in found.items() if index != original}


def near_copies(
    runs: Sequence[Run],
    members: Sequence[int],
    step_times: Mapping[int, StepTimes] | None = None,
) -> list[NearCopy]:
    """Return the pairs of runs in `members` where one is an edited copy of the other.

    They agree at three or more validations after step 0 and before their last one, or at twenty
    or more step times and half of all, equal or shifted by one constant; and chance does not
    explain it.

    Args:
        runs: all runs.
        members: positions of the runs to compare.
        step_times: the times of training steps by position, where logs have them; the times of
            the validations serve otherwise.
    """
    found = {copy.second: copy for copy in _equal_losses(runs, members)}
    left = [index for index in members if index not in found]
    times = {i: (step_times or {}).get(i) or _validation_times(runs[i]) for i in left}
    for copy in _shared_times(times):
        found.setdefault(copy.second, copy)
    return sorted(found.values(), key=lambda copy: (copy.first, copy.second))


def _same_lines(runs: Sequence[Run], members: Sequence[int]) -> Iterator[list[int]]:
    """Yield runs with the same lines; runs of one line only where chance does not explain it."""
    single = [i for i in members if len(runs[i].validations) == 1]
    if _agree_by_chance([runs[i].validations[0] for i in single]):
        members = sorted(set(members) - set(single))
    yield from _alike(members, lambda i: tuple(map(_line, runs[i].validations)))


def _agree_by_chance(lines: Sequence[Validation]) -> bool:
    """Return whether so many pairs of runs, of one line each, may have both figures in common.

    How often two have the loss or the time in common is taken from pairs that differ in the other.
    """
    n = len(lines)
    pairs = n * (n - 1) // 2
    both, losses, times = (
        sum(comb(k, 2) for k in Counter(map(key, lines)).values())
        for key in (_line, attrgetter("loss"), attrgetter("train_time_ms"))
    )
    if not both or pairs in (losses, times):
        return False
    expected = pairs * (losses - both) / (pairs - times) * (times - both) / (pairs - losses)
    # The probability that a Poisson variable reaches a count.
    return float(gammainc(both, expected)) >= _RARE


def _same_seed_and_losses(runs: Sequence[Run], members: Sequence[int]) -> Iterator[list[int]]:
    known = [i for i in members if runs[i].seed is not None]
    yield from _alike(known, lambda i: (runs[i].seed, *_losses(runs[i])))


def _parts(runs: Sequence[Run], members: Sequence[int]) -> Iterator[list[int]]:
    """Sets of a run and those that hold nothing but lines of it, its last one among them."""
    timed = [i for i in members if (final := runs[i].final) and final.train_time_ms]
    by_last: dict[Hashable, list[int]] = defaultdict(list)
    for index in timed:
        by_last[_line(runs[index].validations[-1])].append(index)
    for alike in by_last.values():
        longest = max(alike, key=lambda index: len(runs[index].validations))
        lines = set(map(_line, runs[longest].validations))
        # Single lines that are the same were looked at before.
        if len(lines) > 1:
            yield [i for i in alike if lines.issuperset(map(_line, runs[i].validations))]


def _alike(members: Iterable[int], key: object) -> Iterator[list[int]]:
    by_key: dict[Hashable, list[int]] = defaultdict(list)
    for index in members:
        by_key[key(index)].append(index)  # type: ignore[operator]
    yield from by_key.values()


def _line(validation: Validation) -> tuple[int, float, float | None]:
    return validation.step, validation.loss, validation.train_time_ms


def _losses(run: Run) -> tuple[tuple[int, float], ...]:
    return tuple((validation.step, validation.loss) for validation in run.validations)


def _information(run: Run) -> tuple[bool, bool, int]:
    """How much a log says about what ran: a header, a program, an environment."""
    known = sum(getattr(run.environment, f.name) not in (None, ()) for f in fields(Environment))
    return run.header is not None, run.source_span is not None, known


def _inner(run: Run) -> dict[int, float]:
    """The losses by step, without step 0, where all runs agree, and without the last one."""
    return {v.step: v.loss for v in run.validations[:-1] if v.step > 0}


def _equal_losses(runs: Sequence[Run], members: Sequence[int]) -> Iterator[NearCopy]:
    """Find the runs that agree with an earlier one at more validations than chance explains.

    A copy may print its losses with more digits than its original, or fewer: such pairs are
    compared with as many digits as both have.
    """
    pairs = len(members) * (len(members) - 1) // 2
    printed = {i: max(map(decimals, _inner(runs[i]).values()), default=0) for i in members}
    left = list(members)
    for digits in sorted(set(printed.values())):
        coarse = frozenset(index for index in left if printed[index] == digits)
        copies = list(_equal_at(digits, runs, left, coarse, pairs))
        yield from copies
        found = {copy.second for copy in copies}
        left = [index for index in left if index not in found and index not in coarse]


def _equal_at(
    digits: int, runs: Sequence[Run], members: Sequence[int], coarse: frozenset[int], pairs: int
) -> Iterator[NearCopy]:
    """Find the copies among the pairs that have a run in `coarse`.

    A run that is found is not compared any further, so that a folder of copies takes no longer
    than one of different runs.
    """
    holders: dict[tuple[int, float], list[int]] = defaultdict(list)
    for index in members:
        places = [(step, round(loss, digits)) for step, loss in _inner(runs[index]).items()]
        holding = (other for place in places for other in holders[place])
        equal = Counter(other for other in holding if index in coarse or other in coarse)
        copy = _copy_of(runs, index, equal, pairs, digits)
        if copy is not None:
            yield copy
            continue
        for place in places:
            holders[place].append(index)


def _copy_of(
    runs: Sequence[Run], index: int, equal: Counter[int], pairs: int, digits: int
) -> NearCopy | None:
    """Return the earlier run that a run is a near-copy of, among those with equal losses."""
    chance = min(1.0, _CHANCE_AT_4_DECIMALS * 10.0 ** (4 - digits))
    for first, count in equal.most_common():
        if count < FEWEST_LOSSES:
            break
        compared = len(_inner(runs[first]).keys() & _inner(runs[index]).keys())
        by_chance = pairs * _tail(count, compared, chance) >= _FALSE_PAIRS
        if not by_chance and not _is_rerun(runs[first], runs[index]):
            return NearCopy(first, index, f"equal losses at {count} of {compared} validations")
    return None


def _tail(equal: int, compared: int, chance: float) -> float:
    """Return the probability of `equal` or more agreements among `compared` by chance."""
    return sum(
        comb(compared, k) * chance**k * (1 - chance) ** (compared - k)
        for k in range(equal, compared + 1)
    )


def _is_rerun(a: Run, b: Run) -> bool:
    """Whether two runs of one seed have equal losses: a program whose every bit is the same.

    A change of speed alone leaves them so. Their step times still tell a copy.
    """
    return a.seed is not None and a.seed == b.seed and _losses(a) == _losses(b)


def _validation_times(run: Run) -> StepTimes:
    return {v.step: v.train_time_ms for v in run.validations if v.train_time_ms}


def _shared_times(times: Mapping[int, StepTimes]) -> Iterator[NearCopy]:
    """Find the runs whose times differ from another's by one constant at most of their steps."""
    members = [index for index in times if len(times[index]) >= FEWEST_TIMES]
    if len(members) < 2:
        return
    steps = sorted(set().union(*(times[index] for index in members)))
    # A time that a run does not have is not a number.
    table = np.array([[*map(times[index].get, steps)] for index in members], dtype=np.float64)
    rhythm = np.diff(table, axis=1)
    copies: set[int] = set()
    looks = _MOST_LOOKS
    for row in range(len(members) - 1):
        if row in copies:
            continue
        # A constant shift leaves the time between steps as it is.
        equal = np.isclose(rhythm[row + 1 :], rhythm[row], rtol=0, atol=1e-6).sum(axis=1)
        common = (~np.isnan(rhythm[row + 1 :]) & ~np.isnan(rhythm[row])).sum(axis=1)
        for offset in np.flatnonzero((equal >= _SHARED_TIMES * common) & (common > 0)):
            other = row + 1 + int(offset)
            if other in copies or looks == 0:
                continue
            looks -= 1
            shared, compared = _largest_shift(table[row], table[other])
            if shared >= FEWEST_TIMES and shared >= _SHARED_TIMES * compared:
                copies.add(other)
                evidence = f"{shared} of {compared} step times equal, or shifted by one constant"
                yield NearCopy(members[row], members[other], evidence)


def _largest_shift(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    """Return how many times share the most frequent difference, and how many there are."""
    shifts = np.round((b - a)[~np.isnan(b - a)], 3)
    _, counts = np.unique(shifts, return_counts=True)
    return int(counts.max(initial=0)), len(shifts)


def describe(runs: Sequence[Run], copy: NearCopy) -> str:
    """Return what a near-copy has in common with the other run, and with which."""
    return f"a near-copy of {run_name(runs[copy.first])}: {copy.evidence}"
