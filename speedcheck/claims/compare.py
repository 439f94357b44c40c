"""One document against the runs of its record: what is confirmed, what differs, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.judge_figures import Figures
from speedcheck.claims.match import Match, best_match, by_seed
from speedcheck.claims.model import Question, Series, Statements
from speedcheck.claims.numbers import shown
from speedcheck.claims.samples import LoggedRun, Samples, values_at
from speedcheck.words import join_some

_MOST_SHOWN = 5
_MOST_SERIES = 40

WasPrinted = Callable[[str], bool]
"""Whether the logs print a number after a word for the loss."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A list of losses with more values than logs.

    Attributes:
        claimed: number of losses in the list.
        logs: number of runs that it can be of.
        where: the document and the line.
    """

    claimed: int
    logs: int
    where: str


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """Losses that the logs confirm, under other seeds than the logs say.

    Attributes:
        message: both lists of seeds.
        where: the document and the line.
    """

    message: str
    where: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing one document with the runs.

    Attributes:
        claims: each list and figure with its status.
        shortfalls: lists of losses with more values than logs.
        seeds: seeds that differ from those of the logs.
        unlisted: names of counted runs that no list holds; None where no list is of the runs.
        steps: the earlier validation steps at which lists or figures are confirmed, in order.
    """

    claims: tuple[Claim, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    seeds: tuple[SeedDifference, ...] = ()
    unlisted: tuple[str, ...] | None = None
    steps: tuple[int, ...] = ()


def compare(
    stated: Statements, samples: Samples, question: Question, was_printed: WasPrinted
) -> Comparison:
    """Compare what a document states with the runs of the record.

    Args:
        stated: its lists and figures.
        samples: the runs.
        question: the test of the track.
        was_printed: whether the logs print a number as a loss, wherever they do.
    """
    matches = [best_match(series, samples) for series in stated.series[:_MOST_SERIES]]
    lists = _Lists(matches, samples, was_printed)
    confirmed = [match for match in matches if lists.status(match) == "confirmed"]
    figures = Figures(samples, question, was_printed, lists=confirmed)
    judged = figures.judge(stated.figures)
    own = [match for match in confirmed if not match.series.is_other]
    steps = {match.place for match in own if isinstance(match.place, int)} | figures.steps
    final = {run.run.final_step for run in samples.judged}
    return Comparison(
        claims=(*map(lists.claim, matches), *judged),
        shortfalls=lists.shortfalls(),
        seeds=tuple(_seed_differences(confirmed, stated, samples)),
        unlisted=_unlisted(confirmed, samples),
        steps=tuple(sorted(step for step in steps if step not in final)),
    )


class _Lists:
    """The lists of one document, judged with each other in view."""

    def __init__(self, matches: list[Match], samples: Samples, was_printed: WasPrinted) -> None:
        self._matches, self._samples, self._was_printed = matches, samples, was_printed
        self._agreeing = {match.series.kind for match in matches if self._is_of_runs(match)}

    def status(self, match: Match) -> ClaimStatus:
        """Confirm, refute or leave alone a list.

        A list is refuted only where it has as many values as there are judged runs, none like it
        agrees with them, and it is not named as one of other runs.
        """
        series = match.series
        if match.is_full:
            return "confirmed"
        runs = values_at(self._samples.judged, series, series.step)
        is_candidate = (
            not series.is_other
            and series.kind not in self._agreeing
            and len(series.numbers) == len(self._samples.judged) == len(runs)
        )
        if not is_candidate:
            return "not_checkable"
        if series.kind == "times":
            # Times may be those of another machine, unless most of them are the logs'.
            is_of_runs = 2 * len(match.pairs) >= len(series.numbers)
            return "not_confirmed" if is_of_runs or not self._agreeing else "not_checkable"
        is_elsewhere = all(self._was_printed(number.text) for number in match.missing)
        return "not_checkable" if is_elsewhere else "not_confirmed"

    def claim(self, match: Match) -> Claim:
        """Return a list as a claim."""
        series = match.series
        values = ", ".join(number.text for number in series.numbers)
        claimed = f"{len(series.numbers)} {series.kind}: {values}"
        status = self.status(match)
        if status == "not_confirmed":
            recomputed: str | None = self._differences(match)
        else:
            recomputed = _found(match) if match.is_full else None
        return Claim(series.kind, claimed, recomputed, status, series.where, series.basis)

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Return lists that are longer than the logs: of these runs, or the only data there is."""
        return tuple(
            Shortfall(len(m.series.numbers), len(self._samples.runs), m.series.where)
            for m in self._matches
            if self._is_short(m)
        )[:_MOST_SHOWN]

    def _is_short(self, match: Match) -> bool:
        series, runs = match.series, self._samples.runs
        if series.kind == "times" or series.is_other or not len(series.numbers) > len(runs) > 0:
            return False
        if match.is_full or series.kind in self._agreeing:
            return False
        is_of_runs = 2 * len(match.pairs) >= len(runs) and len(match.pairs) > 0
        is_claim = series.basis == "data" and series.lists_all
        return is_claim or (is_of_runs and len(match.pairs) == len(runs))

    def _is_of_runs(self, match: Match) -> bool:
        """Return whether a list agrees with the runs, beyond what one value does by chance."""
        return match.is_full and (len(match.pairs) > 1 or len(self._samples.judged) == 1)

    def _differences(self, match: Match) -> str:
        """Say value by value what the logs give instead."""
        series = match.series
        keyed = by_seed(series, self._samples.judged, series.step)
        if keyed and series.kind == "losses":
            found = {index: run.losses[series.step] for index, run in keyed.items()}
            return join_some(
                [
                    f"seed {series.seeds[i]}: {shown(loss)}, not {series.numbers[i].text}"
                    for i, loss in found.items()
                    if abs(loss - series.values[i]) > series.half_unit * 1.001
                ],
                _MOST_SHOWN,
            )
        used = set(match.pairs.values())
        logged = values_at(self._samples.judged, series, match.place)
        left = [shown(value) for value, run in logged if run not in used]
        missing = [number.text for number in match.missing]
        return f"{join_some(left, _MOST_SHOWN)} instead of {join_some(missing, _MOST_SHOWN)}"


def _found(match: Match) -> str:
    place = f" at step {match.place}" if isinstance(match.place, int) else ""
    field = f" ({match.place})" if isinstance(match.place, str) else ""
    return f"each of them is in the logs{place}{field}"


def _seed_differences(
    confirmed: list[Match], stated: Statements, samples: Samples
) -> list[SeedDifference]:
    """Compare seeds of rows, and lists of seeds, with the seeds that the logs say."""
    found: list[SeedDifference] = []
    for match in confirmed:
        series, logged = match.series, [run.judged.seed for run in match.pairs.values()]
        if series.kind == "times" or series.is_other or not series.seeds or None in logged:
            continue
        if set(series.seeds) != set(logged):
            found.append(
                _difference(series.where, series.seeds, [s for s in logged if s is not None])
            )
        elif len(set(series.seeds)) == len(series.seeds) and not _is_own(series, match):
            message = "the losses are in the logs, and under other seeds there"
            found.append(SeedDifference(message, series.where))
    judged = [run.judged.seed for run in samples.judged]
    if judged and None not in judged:
        known = [seed for seed in judged if seed is not None]
        found += [
            _difference(where, seeds, known)
            for where, seeds in stated.seeds
            if len(seeds) == len(known) and set(seeds) != set(known)
        ]
    return found[:_MOST_SHOWN]


def _is_own(series: Series, match: Match) -> bool:
    """Return whether each value is the loss of its own seed; values may be equal."""
    losses: dict[int | None, list[float]] = {}
    for run in match.pairs.values():
        losses.setdefault(run.judged.seed, []).append(run.losses[match.place])
    return all(
        any(abs(loss - value) <= 2 * series.half_unit for loss in losses[seed])
        for seed, value in zip(series.seeds, series.values, strict=True)
    )


def _difference(where: str, claimed: tuple[int, ...], logged: list[int]) -> SeedDifference:
    ours, theirs = (
        join_some((str(s) for s in sorted(seeds)), _MOST_SHOWN) for seeds in (claimed, logged)
    )
    return SeedDifference(f"seeds {ours} are claimed, and the logs have {theirs}", where)


def _unlisted(confirmed: list[Match], samples: Samples) -> tuple[str, ...] | None:
    """Return the counted runs like listed ones that no list holds.

    A text that lists fewer than two in three of the runs shows examples.
    """
    known = [
        match
        for match in confirmed
        if match.series.kind == "losses" and len(match.series.numbers) > 1
    ]
    if not known:
        return None
    listed: set[LoggedRun] = {run for match in known for run in match.pairs.values()}
    # Of two runs with one loss, two lists that have it once each are matched with the same.
    entries = Counter(run.losses[None] for match in known for run in match.pairs.values())
    equal = Counter(run.losses[None] for run in samples.counted)
    unlisted = [
        run.name
        for run in samples.counted
        if run not in listed and entries[run.losses[None]] < equal[run.losses[None]]
    ]
    is_list = 3 * (len(samples.counted) - len(unlisted)) >= 2 * len(samples.counted)
    return tuple(unlisted) if is_list else ()
