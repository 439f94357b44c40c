"""The figures under [published] in record.toml, recomputed."""

from __future__ import annotations

from typing import NamedTuple

from speedcheck.certificate import Claim, ClaimStatus, ClaimSubject, JudgedRun, LossStatistics
from speedcheck.claims.numbers import agrees
from speedcheck.records.plan import PLAN_NAME, Plan, Published
from speedcheck.stats import Estimate, Runtime

SECONDS_PER_MINUTE = 60


class _Figure(NamedTuple):
    """A printed figure and what it should be, in the same unit."""

    what: ClaimSubject
    key: str
    claimed: str | None
    value: float | None
    unit: str = ""


def published_claims(
    plan: Plan | None,
    runs: tuple[JudgedRun, ...],
    loss: LossStatistics,
    runtime: Runtime | None,
) -> tuple[Claim, ...]:
    """Recompute the figures under [published] in record.toml.

    Without logs the losses themselves, and every time, cannot be checked; what was computed from
    the losses can.
    """
    published = plan.published if plan else None
    if published is None:
        return ()
    figures = [
        _Figure("p", "p", published.p, loss.p_value),
        *_estimates("mean", published.mean, published.mean_interval, loss.bayes_mean),
        *_estimates("std", published.std, published.std_interval, loss.bayes_std),
        *_times(published, runtime),
    ]
    recomputed = [_recompute(figure) for figure in figures]
    return (_losses(published.losses, runs), *(claim for claim in recomputed if claim))


def _estimates(
    what: ClaimSubject,
    claimed: str | None,
    interval: tuple[str, str] | None,
    estimate: Estimate | None,
) -> list[_Figure]:
    low, high = interval or (None, None)
    return [
        _Figure(what, what, claimed, estimate.estimate if estimate else None),
        _Figure(what, f"{what}_interval", low, estimate.low if estimate else None),
        _Figure(what, f"{what}_interval", high, estimate.high if estimate else None),
    ]


def _times(published: Published, runtime: Runtime | None) -> list[_Figure]:
    mean = runtime.mean_s if runtime else None
    minutes = None if mean is None else mean / SECONDS_PER_MINUTE
    std = runtime.std_s if runtime else None
    return [
        _Figure("time_mean", "time_mean_s", published.time_mean_s, mean, " s"),
        _Figure("time_mean", "time_mean_min", published.time_mean_min, minutes, " min"),
        _Figure("time_std", "time_std_s", published.time_std_s, std, " s"),
    ]


def _recompute(figure: _Figure) -> Claim | None:
    if figure.claimed is None:
        return None
    claimed = figure.claimed + figure.unit
    where = f"{PLAN_NAME} [published] {figure.key}"
    if figure.value is None:
        return Claim(figure.what, claimed, None, "not_checkable", where)
    status: ClaimStatus = "confirmed" if agrees(figure.claimed, figure.value) else "not_confirmed"
    return Claim(figure.what, claimed, f"{figure.value!r}{figure.unit}", status, where)


def _losses(losses: tuple[float, ...], runs: tuple[JudgedRun, ...]) -> Claim:
    where = f"{PLAN_NAME} [published] losses"
    claimed = f"{len(losses)} losses"
    found = [run.val_loss for run in runs if run.counted and run.log is not None]
    if not found:
        return Claim("losses", claimed, None, "not_checkable", where)
    same = sorted(loss for loss in found if loss is not None) == sorted(losses)
    recomputed = f"{len(found)} losses in the logs"
    return Claim("losses", claimed, recomputed, "confirmed" if same else "not_confirmed", where)
