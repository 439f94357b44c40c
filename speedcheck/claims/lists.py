"""Lists of a document against the runs: what is confirmed, refuted, missing, or under other seeds.

A list is refuted only where it has as many values as there are judged runs, none like it agrees
with them, and nothing says that it is of other runs.
"""

from __future__ import annotations

from collections import Counter
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
    """A list and the runs that it agrees with best.

    Attributes:
        figure: the list.
        evidence: the values that it was compared with; None where there are none.
        runs: the run of each value that the evidence gives, by the value's index.
    """

    figure: Figure
    evidence: Evidence | None
    runs: dict[int, LoggedRun]

    @property
    def is_full(self) -> bool:
        """Whether every value of the list has a run of its own."""
        return len(self.runs) == len(self.figure.numbers)

    @property
    def step(self) -> int | None:
        """The validation at which the logs give its losses."""
        return self.evidence.step if self.evidence else None

    @property
    def missing(self) -> list[Printed]:
        """The values that no run gives."""
        return [n for i, n in enumerate(self.figure.numbers) if i not in self.runs]


def _best_match(figure: Figure, samples: Samples) -> Match:
    """Compare a list with every sample, at the step that it names, then at others.

    The match with the most values wins, then the one with the fewest runs over.
    """
    named, others = samples.evidence(figure)
    matches = [(Match(figure, one, paired(figure, one)), len(one.sample)) for one in named]
    nothing = Match(figure, None, {}), 0
    best, _ = max(matches, key=lambda match: (len(match[0].runs), -match[1]), default=nothing)
    # One loss alone equals some validation by chance.
    is_alone = len(figure.numbers) == 1 and figure.step is None
    if best.is_full or is_alone or len(figure.numbers) > len(samples.runs):
        return best
    elsewhere = (Match(figure, one, paired(figure, one)) for one in others)
    return next((match for match in elsewhere if match.is_full), best)


class Lists:
    """The lists of one document, judged with each other in view."""

    def __init__(
        self, figures: Iterable[Figure], samples: Samples, elsewhere: Container[Printed]
    ) -> None:
        self._figures = [figure for figure in figures if figure.is_list]
        listed = [figure for figure in self._figures if figure.numbers][:_MOST_LISTS]
        self._matches = [_best_match(figure, samples) for figure in listed]
        self.confirmed = [match for match in self._matches if match.is_full]
        self._samples, self._elsewhere = samples, elsewhere
        # One value may agree by chance.
        self._agreeing = {
            match.figure.kind
            for match in self.confirmed
            if len(match.runs) > 1 or len(samples.judged) == 1
        }

    def claims(self) -> list[Claim]:
        """Return each list as a claim."""
        return [self._claim(match) for match in self._matches]

    def _claim(self, match: Match) -> Claim:
        figure, status = match.figure, self._status(match)
        values = ", ".join(number.text for number in figure.numbers)
        claimed = f"{len(figure.numbers)} {figure.kind}: {values}"
        recomputed: str | None = None
        if status == "not_confirmed":
            recomputed = self._differences(match)
        elif match.is_full:
            at_step = "" if match.step is None else f" at step {match.step}"
            recomputed = f"each of them is in the logs{at_step}"
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)

    def _status(self, match: Match) -> ClaimStatus:
        figure, n = match.figure, len(self._samples.judged)
        if match.is_full:
            return "confirmed"
        is_candidate = (
            figure.grade > Grade.CONFIRM
            and figure.kind not in self._agreeing
            and len(figure.numbers) == n == len(self._samples.judged_at(figure).runs)
        )
        if not is_candidate:
            return "not_checkable"
        if figure.kind == "times":
            # Times may be those of another machine, unless most of them are the logs'.
            is_open = 2 * len(match.runs) < n and bool(self._agreeing)
        else:
            is_open = all(number in self._elsewhere for number in match.missing)
        return "not_checkable" if is_open else "not_confirmed"

    def _differences(self, match: Match) -> str:
        """Say value by value what the logs give instead, by seed where they have all of them."""
        figure, judged = match.figure, self._samples.judged_at(match.figure)
        losses = {r.judged.seed: x for r, x in zip(judged.runs, judged.values, strict=True)}
        is_keyed = len(losses) == len(judged.runs) and losses.keys() == set(figure.seeds)
        if is_keyed and figure.kind == "losses":
            reach = 0.5005 * 10.0**-figure.decimals
            rows = zip(figure.seeds, figure.numbers, strict=True)
            wrong = [
                f"seed {seed}: {shown(losses[seed])}, not {number.text}"
                for seed, number in rows
                if abs(losses[seed] - number.value) > reach
            ]
            return join_some(wrong, _MOST_SHOWN)
        used = set(match.runs.values())
        logged = zip(judged.runs, in_unit_of(figure, judged.values), strict=True)
        left = [shown(value) for run, value in logged if run not in used]
        missing = [number.text for number in match.missing]
        return f"{join_some(left, _MOST_SHOWN)} instead of {join_some(missing, _MOST_SHOWN)}"

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Return lists that are longer than the logs: of these runs, or the only data there is."""
        n = len(self._samples.runs)
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
        own = (match for match in self.confirmed if match.figure.grade > Grade.CONFIRM)
        found = [_seed_difference(match) for match in own if match.figure.what == "losses"]
        known = _seeds(self._samples.judged)
        alone = (f for f in self._figures if not f.numbers and len(f.seeds) == len(known))
        found += [_difference(f, known) for f in alone if set(f.seeds) != set(known)]
        return tuple(one for one in found if one)[:_MOST_SHOWN]

    def unlisted(self) -> tuple[str, ...] | None:
        """Return the counted runs that no list holds; None where no list is of the runs.

        A text that lists fewer than two in three of the runs shows examples.
        """
        known = [m for m in self.confirmed if m.figure.kind == "losses" and len(m.runs) > 1]
        # Of runs with one loss, it does not matter which a list was matched with.
        listed = Counter(run.losses[None] for match in known for run in match.runs.values())
        names = []
        for run in self._samples.counted:
            listed[run.losses[None]] -= 1
            if listed[run.losses[None]] < 0:
                names.append(run.name)
        is_list = 3 * len(names) <= len(self._samples.counted)
        return (tuple(names) if is_list else ()) if known else None


def _seeds(runs: Iterable[LoggedRun]) -> list[int]:
    """Return the seeds of runs; none unless all of them have one."""
    seeds = [run.judged.seed for run in runs]
    known = [seed for seed in seeds if seed is not None]
    return known if len(known) == len(seeds) else []


def _seed_difference(match: Match) -> Remark | None:
    figure, logged = match.figure, _seeds(match.runs.values())
    if not figure.seeds or not logged:
        return None
    if set(figure.seeds) != set(logged):
        return _difference(figure, logged)
    # Values may be equal, so that a seed's own loss decides and not the run it was paired with.
    losses: dict[int | None, list[float]] = {}
    for run in match.runs.values():
        losses.setdefault(run.judged.seed, []).append(run.losses[match.step])
    unit = 10.0**-figure.decimals
    is_own = all(
        any(abs(loss - value) <= unit for loss in losses[seed])
        for seed, value in zip(figure.seeds, figure.values, strict=True)
    )
    if is_own or len(set(figure.seeds)) < len(figure.seeds):
        return None
    return Remark(figure.where, "the losses are in the logs, and under other seeds there")


def _difference(figure: Figure, logged: Iterable[int]) -> Remark:
    both = (figure.seeds, logged)
    ours, theirs = (join_some(map(str, sorted(seeds)), _MOST_SHOWN) for seeds in both)
    return Remark(figure.where, f"seeds {ours} are claimed, and the logs have {theirs}")
