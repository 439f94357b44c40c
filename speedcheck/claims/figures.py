"""Claimed figures, judged: against the list that they stand with, and against the logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from speedcheck.certificate import Claim, ClaimStatus
from speedcheck.claims.match import unit_of
from speedcheck.claims.model import SECONDS, ClaimSet, Figure, Kind, Series, Unit
from speedcheck.claims.numbers import shown
from speedcheck.claims.pools import Place, Pool, Pools
from speedcheck.claims.recompute import Question, forgets_root, holds, readings, scales
from speedcheck.claims.series import JudgedSeries

# A mean with fewer decimals agrees with the runs of any record, and so tells none of them.
_TELLING_DECIMALS = 4
# Of a loss, and of a time in milliseconds and in other units.
_LOGGED_DIGITS = {None: 4, "ms": 0, "s": 3, "min": 4}
# One figure of another record may agree by chance.
_FEWEST_OF_SEVERAL = 3
# A wrong first digit makes 0.27 of 3.27, and 9 minutes of one.
_MOST_OFF = 20


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one figure is compared with: lists of values in nats per token or seconds.

    Attributes:
        printed: the lists of the text itself.
        logged: the same from the logs; empty where it is not known which runs, or too few are
            there.
        is_sure: whether the logs are those that the figure speaks of, so that they can refute it.
        bears_list: whether every value of the text's list has a run.
        is_rounded: whether the text's list has fewer digits than what it was rounded from.
    """

    printed: list[list[float]]
    logged: list[list[float]]
    is_sure: bool
    bears_list: bool
    is_rounded: bool = False


class SetFigures:
    """The figures of one set of runs, and all that they can be compared with."""

    def __init__(
        self,
        claims: ClaimSet,
        judged: Mapping[int, JudgedSeries],
        pools: Pools,
        question: Question,
        *,
        certain: bool,
        is_only: bool,
    ) -> None:
        self._claims = claims
        self._judged = judged
        self._pools = pools
        target = claims.target if claims.target is not None else question.target
        self._question = replace(question, target=target, one_sided=claims.one_sided)
        self._certain = certain
        self._is_only = is_only
        self._pool, self._anchored = self._unlisted_pool()

    def claims(self, where: str) -> list[Claim]:
        """Return each figure with its status; `where` names the document."""
        return [self._claim(figure, where) for figure in self._claims.figures]

    def _claim(self, figure: Figure, where: str) -> Claim:
        evidence = self._evidence(figure)
        by_text = self._agrees(figure, evidence.printed)
        by_logs = self._agrees(figure, evidence.logged)
        source = evidence.logged or evidence.printed
        strength = "loose" if self._is_far_off(figure, source) else self._strength(figure)
        status = _status(strength, by_text, by_logs, evidence)
        recomputed = self._describe(figure, source, status) if source else None
        if recomputed and not evidence.logged:
            recomputed += " from the list in the text"
        return Claim(figure.what, _claimed(figure), recomputed, status, f"{where}:{figure.line}")

    def _strength(self, figure: Figure) -> str:
        """Loosen what a line says of another number of runs than the list has."""
        sizes = {len(series.numbers) for series in self._claims.series if _is_list(series)}
        counts = {
            other.number.value
            for other in self._claims.figures
            if other.what == "n" and other.line == figure.line and other is not figure
        }
        is_other = bool(sizes) and bool(counts) and not counts & sizes
        is_loose = figure.strength == "stated" and (is_other or self._is_elsewhere(figure.step))
        return "loose" if is_loose else figure.strength

    def _is_far_off(self, figure: Figure, lists: list[list[float]]) -> bool:
        """Return whether no wrong digit makes a mean of these runs so large or so small."""
        if figure.what not in ("mean", "time_mean") or not lists:
            return False
        usual = readings(figure, lists[0], self._question)[0]
        own = self._series_of(figure, "times") if figure.what == "time_mean" else []
        unit = figure.unit or (_unit(own[0], self._judged[id(own[0])].runs) if own else None)
        scale = SECONDS[unit] if unit else min(scales(figure, usual))
        ratio = figure.number.value * scale / usual
        return not 1 / _MOST_OFF < ratio < _MOST_OFF

    def _is_elsewhere(self, step: int | None) -> bool:
        """Return whether no log has a step, though it is one near the end and no difference."""
        if step is None:
            return False
        runs = self._pools.everything
        known = {s for run in runs for s in run.validations}
        totals = {run.run.total_steps for run in runs}
        return step not in known | totals and 2 * step > max(known, default=0)

    def _agrees(self, figure: Figure, lists: list[list[float]]) -> bool | None:
        """Return whether one of the lists gives the figure; None where there is none."""
        found: list[bool] = []
        for values in lists:
            usual = readings(figure, values, self._asked(figure))
            found += [
                holds(figure, value, scale, max(values))
                for value in usual
                for scale in scales(figure, usual[0])
            ]
        return any(found) if found else None

    def _asked(self, figure: Figure) -> Question:
        """Return the question of the test that the code above a p-value makes."""
        return (
            self._question
            if figure.target is None
            else replace(self._question, target=figure.target)
        )

    def _describe(
        self, figure: Figure, lists: list[list[float]], status: ClaimStatus
    ) -> str | None:
        usual = readings(figure, lists[0], self._asked(figure))
        if not usual:
            return None
        unit = figure.unit or "s"
        if figure.kind == "losses":
            text = shown(_nearest(figure, usual, 1.0) if status == "confirmed" else usual[0])
        else:
            text = f"{shown(_nearest(figure, usual, SECONDS[unit]) / SECONDS[unit])} {unit}"
        is_wrong_z = figure.what == "p" and status == "not_confirmed" and figure.sigma is not None
        if is_wrong_z and forgets_root(figure, lists[0], self._asked(figure)):
            text += f" (sqrt(n) left out, n = {len(lists[0])}, gives the claimed figure)"
        return text

    def _evidence(self, figure: Figure) -> _Evidence:
        if figure.what == "n" or figure.kind == "losses":
            own = self._series_of(figure, "losses") or (
                self._series_of(figure, "times") if figure.what == "n" else []
            )
        else:
            own = self._series_of(figure, "times")
        if own:
            return self._listed(figure, own)
        beside = [self._judged[id(series)] for series in self._claims.series if _is_list(series)]
        if beside:
            return self._beside(figure, beside)
        pools = [self._pool] if self._anchored else list(self._pools.all())
        logged = [values for pool in pools if (values := _values(figure, pool, None))]
        return _Evidence([], logged, is_sure=self._anchored, bears_list=False)

    def _beside(self, figure: Figure, lists: list[JudgedSeries]) -> _Evidence:
        """Compare with the runs of the set's lists of the other kind.

        A few values that some of the runs have are no evidence that these runs are meant.
        """
        known = next((j for j in lists if j.status == "confirmed"), None)
        pools = [known.runs, known.match.pool] if known else []
        logged = [values for pool in pools if (values := _values(figure, pool, None))]
        is_sure = known is not None and not known.match.extra
        return _Evidence([], logged, is_sure=is_sure and bool(logged), bears_list=False)

    def _series_of(self, figure: Figure, kind: Kind) -> list[Series]:
        """Return the lists that a figure may be of: those that the text names, if it does."""
        own = list(filter(_is_list, self._claims.of_kind(kind)))
        named = [series for series in own if series.name in figure.of]
        at_step = [series for series in named or own if series.step == figure.step]
        return at_step or named or own

    def _listed(self, figure: Figure, own: list[Series]) -> _Evidence:
        judged = [self._judged[id(series)] for series in own]
        printed = [_in_base_units(j.series, j.runs) for j in judged]
        logged = [
            values for j in judged if j.runs and (values := _values(figure, j.runs, j.match.place))
        ]
        if figure.strength != "tied":
            # Of some of the runs, so that the text may speak of all of them too.
            more = [j.match.pool for j in judged if j.runs and j.match.extra]
            logged += [v for pool in more if (v := _values(figure, pool, None))]
        steps = {j.match.place for j in judged} | {
            run.run.final_step for j in judged for run in j.runs
        }
        if figure.step is not None and figure.step not in steps:
            logged += [v for j in judged if j.runs and (v := _values(figure, j.runs, figure.step))]
        return _Evidence(
            printed,
            logged,
            is_sure=bool(logged) and all(j.status != "not_checkable" for j in judged),
            bears_list=all(j.status == "confirmed" for j in judged),
            is_rounded=any(_is_rounded(j.series, j.runs) for j in judged),
        )

    def _unlisted_pool(self) -> tuple[Pool, bool]:
        """Return the pool that figures without a list agree with best, and whether that is sure.

        It is where another figure agrees with it to the last digit, where the text counts as many
        runs, or of several records where three do; or where a mean and its test are stated of the
        record's only runs.
        """
        stated = [f for f in self._claims.figures if f.strength == "stated" and f.relation == "="]
        lines = {figure.line for figure in stated}
        counts = [f for f in self._claims.figures if f.what == "n" and f.line in lines]
        best: Pool = self._pools.counted
        most = 0
        for pool in self._pools.all():
            agreed = len(
                {figure.what for figure in (*stated, *counts) if self._tells(figure, pool)}
            )
            if agreed > most:
                best, most = pool, agreed
        subjects = {figure.what for figure in stated} & {"mean", "std", "p"}
        is_all = self._pools.counted == self._pools.everything and len(best) > 1
        is_of_record = self._certain and self._is_only and self._claims.role == "record"
        needed = 1 if self._certain else _FEWEST_OF_SEVERAL
        return best, most >= needed or (
            is_of_record and is_all and "mean" in subjects and len(subjects) > 1
        )

    def _tells(self, figure: Figure, pool: Pool) -> bool:
        """Return whether a figure shows that these runs are meant."""
        values = _values(figure, pool, None)
        if not values or len(values) < 2:
            return False
        is_exact = figure.what != "mean" or figure.number.decimals >= _TELLING_DECIMALS
        return is_exact and bool(self._agrees(figure, [values]))


def _status(
    strength: str, by_text: bool | None, by_logs: bool | None, evidence: _Evidence
) -> ClaimStatus:
    """Weigh a figure; None means that there is nothing to compare it with."""
    if by_logs or (by_text and evidence.bears_list):
        return "confirmed"
    if strength == "loose":
        return "not_checkable"
    if by_text is False and not evidence.is_rounded:
        return "not_confirmed"
    return "not_confirmed" if by_logs is False and evidence.is_sure else "not_checkable"


def _values(figure: Figure, runs: Pool, place: Place) -> list[float]:
    """Return what the logs give: seconds for a figure of times, else losses."""
    if figure.kind == "times":
        return [run.time_ms / 1000 for run in runs if run.time_ms is not None]
    return _losses(runs, figure.step if _all_have(runs, figure.step) else place)


def _is_list(series: Series) -> bool:
    """Return whether a list can have a mean: one run is shown as an example."""
    return len(series.numbers) > 1


def _all_have(runs: Pool, step: int | None) -> bool:
    return step is not None and all(run.loss_at(step) is not None for run in runs)


def _losses(runs: Pool, place: Place) -> list[float]:
    return [loss for run in runs if (loss := run.loss_at(place)) is not None]


def _in_base_units(series: Series, runs: Pool) -> list[float]:
    scale = SECONDS[_unit(series, runs)] if series.kind == "times" else 1.0
    return [value * scale for value in series.values]


def _unit(series: Series, runs: Pool) -> Unit:
    return unit_of(series, [run.time_ms / 1000 for run in runs if run.time_ms is not None])


def _is_rounded(series: Series, runs: Pool) -> bool:
    """Return whether a list has fewer digits than logs print: figures need not follow from it."""
    digits = _LOGGED_DIGITS[_unit(series, runs) if series.kind == "times" else None]
    return series.decimals < digits


def _nearest(figure: Figure, usual: list[float], scale: float) -> float:
    return min(usual, key=lambda value: abs(value / scale - figure.number.value))


def _claimed(figure: Figure) -> str:
    relation = "" if figure.relation == "=" else f"{figure.relation} "
    return f"{relation}{figure.number.text}{f' {figure.unit}' if figure.unit else ''}"
