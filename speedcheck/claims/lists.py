"""Lists of a document against the runs: what is confirmed, refuted, missing, or under other seeds.

A list is refuted only where it has as many values as there are judged runs, none like it agrees
with them, and nothing says that it is of other runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.evidence import LoggedRun, Samples, paired
from speedcheck.claims.model import Figure, Grade, Key, Remark, Shortfall
from speedcheck.claims.numbers import Printed, shown
from speedcheck.words import count, join_some

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
    def is_nearly_full(self) -> bool:
        """Whether four values in five have a run: hardly any other runs give so many."""
        return 5 * len(self.missing) <= len(self.figure.numbers)

    @property
    def missing(self) -> list[Printed]:
        """The values that no run gives."""
        return [x for i, x in enumerate(self.figure.numbers) if i not in self.runs]


def _best_match(figure: Figure, samples: Samples) -> Match:
    """Return the first match of every value; else the one of most values at the step it names."""
    is_any_step = len(figure.numbers) <= len(samples.runs)
    best = Match(figure, figure.step, {})
    for step, values in samples.all_at(figure):
        is_named = figure.kind == "times" or step == figure.step
        if is_named or is_any_step:
            match = Match(figure, step, paired(figure, values, samples.by_key))
            if match.is_full:
                return match
            best = match if is_named and len(match.runs) > len(best.runs) else best
    return best


class Lists:
    """The lists of one document, judged with each other in view.

    Attributes:
        samples: the runs.
        elsewhere: the numbers that the logs print as losses beside those of the runs.
        confirmed: those whose every value is in the logs.
        standing: those that are not refuted.
        steps: the validation steps at which lists are confirmed.
    """

    def __init__(
        self, figures: Iterable[Figure], samples: Samples, elsewhere: Container[Printed]
    ) -> None:
        self.samples, self.elsewhere = samples, elsewhere
        self._figures = [figure for figure in figures if figure.is_list]
        self._matches = [_best_match(one, samples) for one in self._figures if one.numbers]
        self.confirmed = [match for match in self._matches if match.is_full]
        self.steps = {match.step for match in self.confirmed}
        # One value may agree by chance.
        known = (m for m in self.confirmed if len(m.runs) > 1 or len(samples.judged) == 1)
        self._agreeing = {match.figure.kind for match in known}
        self._open = [
            match
            for match in self._matches
            if not match.is_full and match.figure.grade and match.figure.kind not in self._agreeing
        ]
        self._refuted = [match for match in self._open if self._is_false(match)]
        self.standing = [m.figure for m in self._matches if m not in self._refuted]

    def claims(self) -> list[Claim]:
        """Return each list as a claim."""
        return list(map(self._claim, self._matches))

    def _claim(self, match: Match) -> Claim:
        figure, recomputed = match.figure, None
        status: ClaimStatus = "not_checkable"
        values = ", ".join(number.text for number in figure.numbers)
        noun = "loss" if figure.kind == "losses" else "time"
        claimed = f"{count(len(figure.numbers), noun)}: {values}"
        if match in self._refuted:
            status, recomputed = "not_confirmed", self._differences(match)
        elif match.is_full:
            at_step = "" if match.step is None else f" at step {match.step}"
            status, recomputed = "confirmed", f"each of them is in the logs{at_step}"
        basis = "text" if self._may_be_of_others(match) else figure.basis
        return Claim(figure.what, claimed, recomputed, status, figure.where, basis)

    def _may_be_of_others(self, match: Match) -> bool:
        """Return whether times may be those of another machine, as few of them are the logs'."""
        is_few = 2 * len(match.runs) < len(self.samples.judged)
        return match.figure.kind == "times" and is_few and bool(self._agreeing)

    def _is_false(self, match: Match) -> bool:
        """Return whether a list can only be of the judged runs, each of them."""
        if len(match.figure.numbers) != len(self.samples.judged_at(match.figure)):
            return False
        if match.figure.is_unclear and not match.is_nearly_full:
            return False
        return match.figure.kind == "times" or any(x not in self.elsewhere for x in match.missing)

    def _differences(self, match: Match) -> str:
        """Say value by value what the logs give instead, by seed or log where all are known."""
        figure, logged = match.figure, self.samples.judged_at(match.figure)
        by_key = self.samples.by_key
        keyed = [by_key[key] for key in figure.keys if key in by_key]
        if len(logged.keys() & keyed) == len(logged) == len(figure.keys):
            rows = zip(figure.keys, keyed, figure.numbers, strict=True)
            wrong = [
                f"{_name(key)}: {shown(logged[run])}, not {number.text}"
                for key, run, number in rows
                if not number.agrees(logged[run])
            ]
            return join_some(wrong, _MOST_SHOWN)
        used = set(match.runs.values())
        left = [shown(value) for run, value in logged.items() if run not in used]
        missing = [number.text for number in match.missing]
        return f"{join_some(left, _MOST_SHOWN)} instead of {join_some(missing, _MOST_SHOWN)}"

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Return lists that are longer than the logs: of these runs, or the only data there is."""
        n = len(self.samples.runs)
        short = (
            Shortfall(len(match.figure.numbers), n, match.figure.where)
            for match in self._open
            if match.figure.kind == "losses" and len(match.figure.numbers) > n > 0
            if len(match.runs) == n
            or (match.figure.grade is Grade.REFUTE and not match.figure.is_unclear)
        )
        return tuple(short)[:_MOST_SHOWN]

    def seed_differences(self) -> tuple[Remark, ...]:
        """Compare seeds of rows, and lists of seeds, with the seeds that the logs say."""
        own = [m for m in self.confirmed if m.figure.kind == "losses" and m.figure.grade]
        judged = dict(enumerate(self.samples.judged))
        alone = [f for f in self._figures if not f.numbers and len(f.keys) == len(judged)]
        own += [Match(figure, None, judged) for figure in alone]
        found = map(_seed_difference, own)
        return tuple(one for one in found if one)[:_MOST_SHOWN]

    def earlier_steps(self) -> tuple[int, ...]:
        """Return the validations before the last at which lists of these runs are confirmed."""
        own = {match.step for match in self.confirmed if match.figure.grade > Grade.CONFIRM}
        earlier = own - {run.judged.final_step for run in self.samples.judged}
        return tuple(sorted(step for step in earlier if step is not None))

    def listed(self) -> frozenset[str]:
        """Return the names of the counted runs that a list of losses holds."""
        known = [m for m in self.confirmed if m.figure.kind == "losses" and len(m.runs) > 1]
        # Of runs with one loss, it does not matter which a list was matched with.
        losses = {run.losses[None] for match in known for run in match.runs.values()}
        return frozenset(run.name for run in self.samples.counted if run.losses[None] in losses)


def _name(key: Key) -> str:
    return f"seed {key}" if isinstance(key, int) else key


def _seed_difference(match: Match) -> Remark | None:
    """Say how the seeds of a list differ from those of its runs, which all must have one."""
    where, ours = match.figure.where, [key for key in match.figure.keys if isinstance(key, int)]
    # Values may be equal, so that a seed's own loss decides and not the run it was paired with.
    losses: dict[int, list[float]] = defaultdict(list)
    for run in match.runs.values():
        if run.judged.seed is None or not ours:
            return None
        losses[run.judged.seed].append(run.losses[match.step])
    if set(ours) != losses.keys():
        seeds = (join_some(map(str, sorted(set(x))), _MOST_SHOWN) for x in (ours, losses))
        return Remark(where, "seeds {} are claimed, and the logs have {}".format(*seeds))
    rows = zip(ours, match.figure.values, strict=False)
    reach = 10.0**-match.figure.decimals
    if all(any(abs(loss - value) <= reach for loss in losses[seed]) for seed, value in rows):
        return None
    return Remark(where, "the losses are in the logs, under other seeds")
