"""Claimed lists, judged: each of a document's lists with the runs that it is of."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.certificate import ClaimStatus
from speedcheck.claims.match import Match, best_match, values_of
from speedcheck.claims.model import ClaimSet, Kind, Series
from speedcheck.claims.numbers import Printed
from speedcheck.claims.pools import LoggedRun, Place, Pool, Pools

# Of a set that is not the record's, so that its logs need not be there.
_OTHERS_SHARE = 0.8
_FEWEST_OF_A_SECOND = 4
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class JudgedSeries:
    """A list, the runs that it is of, and whether they bear it out.

    Attributes:
        series: the list.
        match: the runs that it agrees with best.
        status: confirmed where each value has a run.
        runs: the runs that figures of this list are recomputed from; empty where too few are there
            or where it is not known which they are.
        is_short: whether the list has more values than there are runs for it.
    """

    series: Series
    match: Match
    status: ClaimStatus
    runs: Pool
    is_short: bool

    @property
    def is_attributed(self) -> bool:
        """Whether it is known which runs the list speaks of, or should."""
        return bool(self.runs) or self.is_short

    @property
    def is_of_record(self) -> bool:
        """Whether the list is of runs that are here."""
        return self.is_attributed and self.match.is_of_these_runs


def judge_series(sets: list[ClaimSet], pools: Pools, *, certain: bool) -> dict[int, JudgedSeries]:
    """Judge all lists of a document; the result is by the `id` of the list.

    Args:
        sets: the sets of runs that the document speaks of.
        pools: the runs of the record.
        certain: whether the document speaks of this record and no other.
    """
    matches = {id(s): best_match(s, pools) for claims in sets for s in claims.series}
    judged: dict[int, JudgedSeries] = {}
    for claims in sets:
        taken = _taken_by_others(claims, sets, matches)
        for series in sorted(claims.series, key=lambda s: s.kind):
            match = matches[id(series)]
            is_of_record = certain and claims is _only_listed(sets, series.kind)
            if match.is_full:
                found = JudgedSeries(series, match, "confirmed", match.runs, is_short=False)
            elif _is_attributed(claims, match, taken) and (certain or match.is_beyond_chance):
                found = _incomplete(match)
            elif (
                is_of_record
                and pools.counted
                and _must_be_here(claims, series, judged, len(pools.counted))
            ):
                found = _foreign(match, pools.counted)
            else:
                found = JudgedSeries(series, match, "not_checkable", (), is_short=False)
            judged[id(series)] = found
    return judged


def _taken_by_others(
    claims: ClaimSet, sets: list[ClaimSet], matches: dict[int, Match]
) -> set[LoggedRun]:
    """Return the runs that another set of the document lists to the last one."""
    others = (s for other in sets if other is not claims for s in other.of_kind("losses"))
    full = (matches[id(series)] for series in others if len(series.numbers) > 1)
    return {run for match in full if match.is_full for run in match.runs}


def _only_listed(sets: list[ClaimSet], kind: Kind) -> ClaimSet | None:
    """Return the one set of the record's own with a list of a kind; None where there are more."""
    own = [
        claims
        for claims in sets
        if claims.role == "record" and any(len(s.numbers) > 1 for s in claims.of_kind(kind))
    ]
    return own[0] if len(own) == 1 else None


def _is_attributed(claims: ClaimSet, match: Match, taken: set[LoggedRun]) -> bool:
    if not match.is_of_these_runs:
        return False
    is_taken = match.series.kind == "losses" and 2 * len(taken & set(match.runs)) > len(match.runs)
    size, shared = len(match.series.numbers), len(match.runs)
    is_most = shared >= _OTHERS_SHARE * size
    if is_taken:
        # A second list of as many runs that agrees with nearly all of them has a wrong value.
        is_second = is_most and size == len(match.pool) and shared >= _FEWEST_OF_A_SECOND
        return claims.role == "record" and is_second
    return claims.role == "record" or is_most


def _incomplete(match: Match) -> JudgedSeries:
    """Judge a list of these runs of which some values have no run.

    With runs left over, a value must be wrong. With none left over, logs are missing: of a list
    most of whose logs are there, that contradicts the list; a few logs of many are a sample, from
    which nothing follows.
    """
    if match.extra:
        is_short = len(match.series.numbers) > len(match.pool)
        return JudgedSeries(match.series, match, "not_confirmed", match.pool, is_short)
    most = len(match.pool) > 1 and 2 * len(match.runs) >= len(match.series.numbers)
    status: ClaimStatus = "not_confirmed" if most else "not_checkable"
    return JudgedSeries(match.series, match, status, (), is_short=True)


def _must_be_here(
    claims: ClaimSet, series: Series, judged: dict[int, JudgedSeries], counted: int
) -> bool:
    """Return whether a list can be of no other runs than the record's.

    A list of losses is where it is offered as the evidence: with a mean or a test, or with as many
    values as runs. A list of times is, where the losses of as many runs stand with it and are the
    record's or should be; else it may be of a timing of its own.
    """
    if series.kind == "losses":
        is_only = len(claims.of_kind("losses")) == 1
        has_test = any(f.what in ("mean", "p") for f in claims.figures)
        is_evidence = has_test or len(series.numbers) >= counted
        return series.step is None and is_only and is_evidence and len(series.numbers) > 1
    beside = [judged[id(s)] for s in claims.of_kind("losses") if id(s) in judged]
    return any(
        other.status != "not_checkable" and len(other.series.numbers) == len(series.numbers)
        for other in beside
    )


def _foreign(match: Match, counted: Pool) -> JudgedSeries:
    """Judge a list that is of other runs; one log alone may be one more of its program's runs."""
    is_short = len(match.series.numbers) > len(counted)
    if len(counted) == 1:
        return JudgedSeries(match.series, match, "not_checkable", (), is_short)
    return JudgedSeries(match.series, match, "not_confirmed", counted, is_short)


def describe(judged: JudgedSeries) -> str | None:
    """Say what the logs give for a list; None where that is not known."""
    match, kind = judged.match, judged.series.kind
    if judged.status == "confirmed":
        return f"{_counted(len(match.runs), kind)} in the logs{_at(match.place)}"
    if not judged.is_attributed:
        return None
    pool = match.pool if judged.is_short and not judged.runs else judged.runs
    found = values_of(judged.series, pool, match.place)
    whose = "" if match.is_of_these_runs else ", of other runs"
    parts = [
        f"{_counted(len(found), kind)} in the logs{whose}",
        f"no log gives {_listed(match.missing)}",
    ]
    left = set(match.extra)
    extra = [(value, run) for value, run in found if run in left]
    if extra:
        decimals = max(judged.series.decimals, 0)
        shown = [f"{value:.{decimals}f} ({run.name})" for value, run in extra]
        parts.append(f"not in the list: {_cut(shown)}")
    if match.is_of_these_runs:
        parts += _mistyped(judged.series, match.missing, extra)
    return "; ".join(parts)


def _at(place: Place) -> str:
    if place is None:
        return ""
    return f" as {place}" if isinstance(place, str) else f" at step {place}"


def claimed(series: Series) -> str:
    """Return a list as it was printed."""
    numbers = ", ".join(number.text for number in series.numbers)
    return f"{_counted(len(series.numbers), series.kind)}: {numbers}"


def _counted(count: int, kind: Kind) -> str:
    one = {"losses": "loss", "times": "time"}
    return f"{count} {one[kind] if count == 1 else kind}"


def _mistyped(
    series: Series, missing: tuple[Printed, ...], extra: list[tuple[float, LoggedRun]]
) -> list[str]:
    """Name the values that differ from a run's in one digit, where each has but one such run."""
    found = []
    decimals = max(series.decimals, 0)
    logged = [f"{value:.{decimals}f}" for value, _ in extra]
    for number in missing[:_MOST_NAMED]:
        printed = f"{number.value:.{decimals}f}"
        near = [text for text in logged if _one_digit(printed, text)]
        if len(near) == 1:
            found.append(f"{printed} differs from {near[0]} in one digit")
    return found


def _one_digit(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _listed(numbers: tuple[Printed, ...]) -> str:
    return _cut([number.text for number in numbers])


def _cut(texts: list[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
