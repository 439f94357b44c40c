"""Lists of a document against the runs: what is confirmed, refuted, missing, or under other seeds.

A list is refuted only where it has as many values as there are judged runs, none like it agrees
with them, and nothing says that it is of other runs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.evidence import Evidence, LoggedRun, Samples, in_unit_of, paired
from speedcheck.claims.model import Figure, Grade, Remark, Shortfall
from speedcheck.claims.numbers import Printed, shown
from speedcheck.words import join_some

_MOST_LISTS = 40
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Match:
    """A list, the step at which it was compared, and the runs of its values by their indices."""

    figure: Figure
    step: int | None
    runs: dict[int, LoggedRun]

    @property
    def is_full(self) -> bool:
        """Whether every value of the list has a run of its own."""
        return not self.missing

    @property
    def missing(self) -> list[Printed]:
        """The values that no run gives."""
        return [x for i, x in enumerate(self.figure.numbers) if i not in self.runs]


def _best_match(figure: Figure, samples: Samples) -> Match:
    """Compare a list with every sample, at the step that it names, then at others.

    The match with the most values wins, then the one with the fewest runs over.
    """

    def match(evidence: Evidence) -> Match:
        return Match(figure, evidence.step, paired(figure, evidence))

    # Of equal ones max takes the first.
    named = map(match, sorted(samples.named(figure), key=lambda evidence: evidence.n))
    nothing = Match(figure, figure.step, {})
    best = max(named, key=lambda found: len(found.runs), default=nothing)
    # One loss alone equals some validation by chance.
    is_alone = len(figure.numbers) == 1 and figure.step is None
    if best.is_full or is_alone or len(figure.numbers) > len(samples.runs):
        return best
    return next((m for m in map(match, samples.earlier(figure)) if m.is_full), best)


class Lists:
    """The lists of one document, judged with each other in view.

    Attributes:
        confirmed: those whose every value is in the logs.
        standing: those that are not refuted.
    """

    def __init__(
        self, figures: Iterable[Figure], samples: Samples, elsewhere: Container[Printed]
    ) -> None:
        self.samples, self.elsewhere = samples, elsewhere
        self._figures = [figure for figure in figures if figure.is_list]
        listed = [figure for figure in self._figures if figure.numbers][:_MOST_LISTS]
        self._matches = [_best_match(figure, samples) for figure in listed]
        self.confirmed = [match for match in self._matches if match.is_full]
        # One value may agree by chance.
        known = (m for m in self.confirmed if len(m.runs) > 1 or len(samples.judged) == 1)
        self._agreeing = {match.figure.kind for match in known}
        self._statuses = [self._status(match) for match in self._matches]
        pairs = zip(listed, self._statuses, strict=True)
        self.standing = [figure for figure, status in pairs if status != "not_confirmed"]

    def claims(self) -> list[Claim]:
        """Return each list as a claim."""
        return list(map(self._claim, self._matches, self._statuses))

    def _claim(self, match: Match, status: ClaimStatus) -> Claim:
        figure, recomputed = match.figure, None
        values = ", ".join(number.text for number in figure.numbers)
        claimed = f"{len(figure.numbers)} {figure.kind}: {values}"
        if status == "not_confirmed":
            recomputed = self._differences(match)
        elif match.is_full:
            at_step = "" if match.step is None else f" at step {match.step}"
            recomputed = f"each of them is in the logs{at_step}"
        basis = "text" if self._may_be_of_others(match) else figure.basis
        return Claim(figure.what, claimed, recomputed, status, figure.where, basis)

    def _may_be_of_others(self, match: Match) -> bool:
        """Return whether times may be those of another machine, as few of them are the logs'."""
        is_few = 2 * len(match.runs) < len(self.samples.judged)
        return match.figure.kind == "times" and is_few and bool(self._agreeing)

    def _status(self, match: Match) -> ClaimStatus:
        figure, n = match.figure, len(self.samples.judged)
        if match.is_full:
            return "confirmed"
        if figure.grade is Grade.CONFIRM or figure.kind in self._agreeing:
            return "not_checkable"
        if not len(figure.numbers) == n == len(self.samples.judged_at(figure).runs):
            return "not_checkable"
        is_elsewhere = all(number in self.elsewhere for number in match.missing)
        is_open = figure.kind == "losses" and is_elsewhere
        return "not_checkable" if is_open else "not_confirmed"

    def _differences(self, match: Match) -> str:
        """Say value by value what the logs give instead, by seed where they have all of them."""
        figure, judged = match.figure, self.samples.judged_at(match.figure)
        logged = in_unit_of(figure, judged.values)
        by_seed = {r.judged.seed: x for r, x in zip(judged.runs, logged, strict=True)}
        if len(by_seed) == len(logged) and by_seed.keys() == set(figure.seeds):
            reach = 0.5005 * 10.0**-figure.decimals
            rows = zip(figure.seeds, figure.numbers, strict=True)
            wrong = [
                f"seed {seed}: {shown(by_seed[seed])}, not {number.text}"
                for seed, number in rows
                if abs(by_seed[seed] - number.value) > reach
            ]
            return join_some(wrong, _MOST_SHOWN)
        used = set(match.runs.values())
        left = [shown(x) for run, x in zip(judged.runs, logged, strict=True) if run not in used]
        missing = [number.text for number in match.missing]
        return f"{join_some(left, _MOST_SHOWN)} instead of {join_some(missing, _MOST_SHOWN)}"

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Return lists that are longer than the logs: of these runs, or the only data there is."""
        n = len(self.samples.runs)
        short = (match.figure for match in self._matches if self._is_short(match, n))
        return tuple(Shortfall(len(f.numbers), n, f.where) for f in short)[:_MOST_SHOWN]

    def _is_short(self, match: Match, n: int) -> bool:
        figure = match.figure
        if figure.kind == "times" or match.is_full or figure.kind in self._agreeing:
            return False
        is_claim = figure.grade is Grade.REFUTE or len(match.runs) == n
        return figure.grade > Grade.CONFIRM and is_claim and len(figure.numbers) > n > 0

    def seed_differences(self) -> tuple[Remark, ...]:
        """Compare seeds of rows, and lists of seeds, with the seeds that the logs say."""
        keyed = (m for m in self.confirmed if m.figure.seeds and m.figure.kind == "losses")
        own = (match for match in keyed if match.figure.grade > Grade.CONFIRM)
        found = [_seed_difference(m.figure, list(m.runs.values()), m.step) for m in own]
        judged = list(self.samples.judged)
        alone = (f for f in self._figures if not f.numbers and len(f.seeds) == len(judged))
        found += [_seed_difference(figure, judged, None) for figure in alone]
        return tuple(one for one in found if one)[:_MOST_SHOWN]

    def unlisted(self) -> tuple[str, ...] | None:
        """Return the counted runs that no list holds; None where no list is of the runs.

        A text that lists fewer than two in three of the runs shows examples.
        """
        known = [m for m in self.confirmed if m.figure.kind == "losses" and len(m.runs) > 1]
        # Of runs with one loss, it does not matter which a list was matched with.
        listed = {run.losses[None] for match in known for run in match.runs.values()}
        counted = self.samples.counted
        names = tuple(run.name for run in counted if run.losses[None] not in listed)
        return (names if 3 * len(names) <= len(counted) else ()) if known else None


def _seed_difference(figure: Figure, runs: list[LoggedRun], step: int | None) -> Remark | None:
    """Say how the seeds of a list differ from those of its runs, which all must have one."""
    # Values may be equal, so that a seed's own loss decides and not the run it was paired with.
    losses: dict[int, list[float]] = {}
    for run in runs:
        if run.judged.seed is None:
            return None
        losses.setdefault(run.judged.seed, []).append(run.losses[step])
    if set(figure.seeds) != losses.keys():
        both = (sorted(figure.seeds), sorted(losses))
        ours, theirs = (join_some(map(str, seeds), _MOST_SHOWN) for seeds in both)
        return Remark(figure.where, f"seeds {ours} are claimed, and the logs have {theirs}")
    rows = zip(figure.seeds, figure.values, strict=False)
    reach = 10.0**-figure.decimals
    if all(any(abs(loss - value) <= reach for loss in losses[seed]) for seed, value in rows):
        return None
    return Remark(figure.where, "the losses are in the logs, and under other seeds there")
