"""The figures under [published] in record.toml, recomputed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from speedcheck.certificate import Claim, ClaimStatus, ClaimSubject, JudgedRun, LossStatistics
from speedcheck.claims.numbers import Printed
from speedcheck.records.record_toml import PLAN_NAME, Plan
from speedcheck.stats import Estimate, Runtime
from speedcheck.words import count

_SECONDS_PER_MINUTE = 60


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
    seconds, deviation = (runtime.mean_s, runtime.std_s) if runtime else (None, None)
    minutes = None if seconds is None else seconds / _SECONDS_PER_MINUTE
    claims = (
        _losses(published.losses, runs),
        _claim("p", "p", published.p, loss.p_value),
        _claim("mean", "mean", published.mean, loss.mean),
        *_interval("mean", published.mean_interval, loss.bayes_mean),
        _claim("std", "std", published.std, *_deviations(loss)),
        *_interval("std", published.std_interval, loss.bayes_std),
        _claim("time_mean", "time_mean_s", published.time_mean_s, seconds, unit=" s"),
        _claim("time_mean", "time_mean_min", published.time_mean_min, minutes, unit=" min"),
        _claim("time_std", "time_std_s", published.time_std_s, deviation, unit=" s"),
    )
    return tuple(filter(None, claims))


def _deviations(loss: LossStatistics) -> tuple[float | None, ...]:
    """Return what authors call the deviation: the Bayesian one, the sample's and numpy's."""
    if loss.std is None or loss.bayes_std is None:
        return (loss.std,)
    return loss.bayes_std.estimate, loss.std, loss.std * math.sqrt(1 - 1 / loss.n)


def _interval(
    what: ClaimSubject, interval: tuple[str, str] | None, estimate: Estimate | None
) -> Iterator[Claim | None]:
    found = (estimate.low, estimate.high) if estimate else (None, None)
    for claimed, value in zip(interval or (), found, strict=False):
        yield _claim(what, f"{what}_interval", claimed, value)


def _claim(
    what: ClaimSubject, key: str, claimed: str | None, *values: float | None, unit: str = ""
) -> Claim | None:
    """Compare a figure with what may be meant by it: the first that agrees, else the first."""
    where = f"{PLAN_NAME} [published] {key}"
    known = [value for value in values if value is not None]
    if claimed is None:
        return None
    if not known:
        return Claim(what, claimed + unit, None, "not_checkable", where)
    same = [value for value in known if Printed(claimed, float(claimed)).agrees(value)]
    status: ClaimStatus = "confirmed" if same else "not_confirmed"
    return Claim(what, claimed + unit, f"{(same or known)[0]!r}{unit}", status, where)


def _losses(losses: tuple[float, ...], runs: tuple[JudgedRun, ...]) -> Claim | None:
    if not losses:
        return None
    where, claimed = f"{PLAN_NAME} [published] losses", count(len(losses), "loss")
    found = [run.val_loss for run in runs if run.counted and run.log is not None]
    if not found:
        return Claim("losses", claimed, None, "not_checkable", where)
    same = sorted(loss for loss in found if loss is not None) == sorted(losses)
    status: ClaimStatus = "confirmed" if same else "not_confirmed"
    return Claim("losses", claimed, f"{count(len(found), 'loss')} in the logs", status, where)
