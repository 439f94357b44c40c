"""Lists of a document against the runs: what is confirmed, refuted, missing, or of other seeds.

A list is refuted only where it has as many values as there are judged runs, none like it agrees
with them, and nothing says that it is of other runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.model import Figure, Key, Kind, Remark, Shortfall
from speedcheck.claims.numbers import Printed, shown
from speedcheck.claims.samples import LoggedRun, Samples, Values, keyed, paired, spans_of, values_of
from speedcheck.records.other_losses import OtherLosses
from speedcheck.words import count, join_some

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Match:
    """A list, and the runs of its values by their indices."""

    figure: Figure
    runs: dict[int, LoggedRun]

    @property
    def subject(self) -> tuple[Kind, int | None]:
        """What it is of: losses or times, and the step that it names."""
        return self.figure.kind, self.figure.step

    @property
    def is_of_runs(self) -> bool:
        """Whether four values in five have a run, or three of four: others hardly have so many."""
        n = len(self.figure.numbers)
        return len(self.missing) <= max(n // 5, n == 4)

    @property
    def missing(self) -> list[Printed]:
        """The values that no run gives."""
        return [x for i, x in enumerate(self.figure.numbers) if i not in self.runs]


class Lists:
    """The lists among the figures of a document, judged with each other in view.

    Attributes:
        steps: the validation steps that the document names.
        samples: the runs.
        others: the losses that the logs print beside those of the runs.
        confirmed: those whose every value is in the logs.
    """

    def __init__(
        self, figures: list[Figure], samples: Samples, others: OtherLosses, steps: list[int]
    ) -> None:
        self.samples, self.others, self.steps = samples, others, steps
        self._matches = [self._best_match(one) for one in figures if one.is_list and one.numbers]
        # One value may agree by chance.
        is_one = len(samples.judged) == 1
        known = [match for match in self._matches if is_one or len(match.runs) > 1]
        self.confirmed = [match for match in known if not match.missing]
        # One that names an earlier step says nothing of those that do not.
        agreeing = {match.subject for match in self.confirmed}
        self._open = [match for match in self._matches if match.subject not in agreeing]
        self._own = {match.subject for match in known if match.is_of_runs}
        self._differing = [match for match in self._open if self._differs(match)]
        self._without_values = [figure for figure in figures if not figure.numbers]

    def readings(self, figure: Figure) -> Iterator[tuple[Figure, Values]]:
        """Yield a figure with what samples give: as it stands, and at each step that is named."""
        samples = self.samples
        yield from ((figure, values_of(sample, figure)) for sample in samples.all)
        is_open = figure.step is None and figure.kind == "losses"
        if is_open and len(figure.numbers) <= len(samples.runs):
            for one in (replace(figure, step=step) for step in self.steps):
                for sample in dict.fromkeys((samples.judged, samples.runs)):
                    yield one, values_of(sample, one)

    def _best_match(self, figure: Figure) -> Match:
        """Return the match of most values, of the fewest runs."""
        spans, best = spans_of(figure), Match(figure, {})
        for one, values in self.readings(figure):
            of_rows = keyed(one, values, self.samples.by_key)
            match = Match(one, paired(spans, of_rows, values))
            best = match if len(match.runs) > len(best.runs) else best
        return best

    def claims(self) -> list[Claim]:
        """Return each list as a claim."""
        return list(map(self._claim, self._matches))

    def _claim(self, match: Match) -> Claim:
        figure, recomputed = match.figure, None
        status: ClaimStatus = "not_checkable"
        values = ", ".join(number.text for number in figure.numbers)
        noun = "loss" if figure.kind == "losses" else "time"
        claimed = f"{count(len(figure.numbers), noun)}: {values}"
        if match in self._differing:
            status, recomputed = "not_confirmed", self._differences(match)
            figure = replace(figure, is_data=figure.is_data and self._is_certain(match))
        elif match in self.confirmed:
            step = figure.step
            at_step = "" if step is None else f" at step {step}"
            status, recomputed = "confirmed", f"each of them is in the logs{at_step}"
        return Claim(figure.what, claimed, recomputed, status, figure.where, figure.basis)

    def _differs(self, match: Match) -> bool:
        """Return whether a list can only be of the judged runs, each of them, and is not."""
        logged = values_of(self.samples.judged, match.figure)
        if not match.missing or len(match.figure.numbers) != len(logged):
            return False
        return match.is_of_runs or (match.figure.is_clear and match.subject not in self._own)

    def _is_certain(self, match: Match) -> bool:
        """Return whether a list cannot be of another machine, or of losses beside the runs' own."""
        if match.is_of_runs or match.figure.kind == "times":
            return match.is_of_runs
        # One alone may be elsewhere by chance.
        is_one = len(match.missing) == 1 < len(match.figure.numbers)
        return is_one or not all(self.others.has_loss(x.span()) for x in match.missing)

    def _differences(self, match: Match) -> str:
        """Say value by value what the logs give instead, by seed or log where all are known."""
        figure, logged = match.figure, values_of(self.samples.judged, match.figure)
        by_row = enumerate(keyed(figure, logged, self.samples.by_key))
        wrong = [
            f"{_name(figure.keys[i])}: {shown(logged[run])}, not {figure.numbers[i].text}"
            for i, run in by_row
            if i not in match.runs
        ]
        used = set(match.runs.values())
        left = [shown(value) for run, value in logged.items() if run not in used]
        missing = [number.text for number in match.missing]
        return join_some(wrong, _MOST_SHOWN) or (
            f"{join_some(left, _MOST_SHOWN)} instead of {join_some(missing, _MOST_SHOWN)}"
        )

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Return claims of more runs than logs: lists of these or of the only runs, and text."""
        n = len(self.samples.runs)
        short = tuple(
            Shortfall(
                len(match.figure.numbers), n, match.figure.where, is_text=not match.figure.is_data
            )
            for match in self._open
            if match.figure.kind == "losses" and len(match.figure.numbers) > n > 0
            if match.figure.is_clear or (match.figure.is_data and len(match.runs) == n)
        )
        text = (
            Shortfall(figure.runs, n, figure.where, is_text=True)
            for figure in self._without_values
            if figure.runs and figure.is_clear and n
        )
        return short[:_MOST_SHOWN] or tuple(text)[:1]

    def seed_differences(self) -> tuple[Remark, ...]:
        """Compare seeds of rows, and lists of seeds, with the seeds that the logs say."""
        own = [match for match in self.confirmed if match.figure.kind == "losses"]
        judged = dict(enumerate(self.samples.judged))
        alone = (one for one in self._without_values if len(one.keys) == len(judged))
        own += [Match(figure, judged) for figure in alone]
        found = map(_seed_difference, own)
        return tuple(one for one in found if one)[:_MOST_SHOWN]

    def earlier_steps(self) -> tuple[int, ...]:
        """Return the validations before the last at which lists of these runs are confirmed."""
        own = {match.figure.step for match in self.confirmed if match.figure.is_clear}
        earlier = own - {run.judged.final_step for run in self.samples.judged}
        return tuple(sorted(step for step in earlier if step is not None))

    def listed(self) -> frozenset[str]:
        """Return the names of the counted runs that a list of losses holds."""
        known = [match for match in self.confirmed if match.figure.kind == "losses"]
        # Of runs with one loss, it does not matter which a list was matched with.
        losses = {run.losses[None] for match in known for run in match.runs.values()}
        return frozenset(run.name for run in self.samples.counted if run.losses[None] in losses)


def _name(key: Key) -> str:
    return f"seed {key}" if isinstance(key, int) else key


def _seed_difference(match: Match) -> Remark | None:
    """Say which other seeds a list gives than those of its runs, which all must have one."""
    claimed = {key for key in match.figure.keys if isinstance(key, int)}
    logged = {run.judged.seed for run in match.runs.values()}
    if not claimed or None in logged or claimed == logged:
        return None
    seeds = (join_some(sorted(map(str, x)), _MOST_SHOWN) for x in (claimed, logged))
    return Remark(match.figure.where, "seeds {} are claimed, and the logs have {}".format(*seeds))
