"""What the pictures of a race show, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from speedcheck.races.race_plan import SideName
from speedcheck.races.race_result import RaceResult

_WINNERS: dict[str, SideName] = {"better": "a", "worse": "b"}


@dataclass(frozen=True, slots=True)
class PairDifferences:
    """The pairs of a race in order.

    Attributes:
        seconds: A - B of the training times of each pair; one at least.
        a_first: whether A ran first, pair by pair.
        mean: mean of the pairs in whole blocks, in seconds; None without a whole block.
        low: lower end of the confidence sequence, in seconds.
        high: its upper end; both None where it has none.
        level: of the confidence sequence.
        drift: how many seconds slower each run was than the one before it; None for too few.
    """

    seconds: tuple[float, ...]
    a_first: tuple[bool, ...]
    mean: float | None
    low: float | None
    high: float | None
    level: float
    drift: float | None


@dataclass(frozen=True, slots=True)
class RaceEvidence:
    """The e-value after each whole block.

    Attributes:
        pairs: number of pairs at each look.
        log10_e: common logarithm of the e-value at each look.
        needed: the logarithm that decides, that of 1 / alpha.
        reached_at: number of pairs after which it is reached; None where it is not.
        winner: the side that is faster; None where nothing is decided, where A races against
            itself, and where the evidence is not intact.
    """

    pairs: tuple[int, ...]
    log10_e: tuple[float, ...]
    needed: float
    reached_at: int | None
    winner: SideName | None


@dataclass(frozen=True, slots=True)
class RaceData:
    """All pictures of a race; one that the pairs cannot give is None."""

    differences: PairDifferences | None
    evidence: RaceEvidence | None


def race_data_of(result: RaceResult) -> RaceData:
    """Return what the pictures of a race show."""
    return RaceData(_differences(result), _evidence(result))


def _differences(result: RaceResult) -> PairDifferences | None:
    test = result.test
    # The test ends before a pair that is not finite, and so does the picture.
    pairs = result.pairs[: test.pairs]
    if not pairs:
        return None
    return PairDifferences(
        seconds=tuple(pair.difference_s for pair in pairs),
        a_first=tuple(pair.first == "a" for pair in pairs),
        mean=test.mean,
        low=test.low,
        high=test.high,
        level=1 - test.alpha,
        drift=test.drift,
    )


def _evidence(result: RaceResult) -> RaceEvidence | None:
    test = result.test
    if not test.looks:
        return None
    decides = not (result.plan.is_aa or result.problems)
    return RaceEvidence(
        pairs=test.looks,
        log10_e=tuple(value / math.log(10) for value in test.log_e_values),
        needed=-math.log10(test.alpha),
        reached_at=test.decided_at,
        winner=_WINNERS.get(test.outcome) if decides else None,
    )
