"""From a judged record to the numbers of its pictures."""

from __future__ import annotations

import math
import sys

from speedcheck.certificate import Certificate
from speedcheck.checks.beside_baseline import (
    Baseline,
    compare_times,
    losses_of,
    times_of,
    why_not_comparable,
)
from speedcheck.judge import Judgement
from speedcheck.plot_data.course import loss_curves, step_times
from speedcheck.plot_data.pictures import (
    Comparison,
    Evidence,
    Line,
    Losses,
    PlotData,
    Posterior,
    Runtimes,
    SideBySide,
)
from speedcheck.sample import Sample
from speedcheck.sample.order import in_order_of_start
from speedcheck.stats import welch
from speedcheck.stats.densities import Densities, densities
from speedcheck.stats.trend import trend


def plot_data_of(judgement: Judgement) -> PlotData:
    """Compute what the pictures of a record show; reads the step times of its logs."""
    certificate, sample = judgement.certificate, judgement.sample
    values = [run.val_loss for run in certificate.counted if run.val_loss is not None]
    is_whole = len(values) == len(certificate.counted)
    found = densities(values) if is_whole else None
    return PlotData(
        losses=_losses(certificate, values, found) if values else None,
        posterior=_posterior(certificate, found) if found else None,
        curves=loss_curves(sample, certificate.target),
        runtimes=_runtimes(certificate, sample),
        step_times=step_times(sample),
        evidence=_evidence(certificate),
        comparison=_comparison(sample, judgement.baseline) if judgement.baseline else None,
    )


def _losses(certificate: Certificate, values: list[float], found: Densities | None) -> Losses:
    return Losses(
        values=tuple(values),
        diverged=len(certificate.counted) - len(values),
        target=certificate.target,
        direction=certificate.direction,
        mean=certificate.loss.mean,
        interval=certificate.loss.bayes_mean,
        next_run=found.next_run if found else None,
    )


def _posterior(certificate: Certificate, found: Densities) -> Posterior | None:
    loss = certificate.loss
    if loss.bayes_mean is None or loss.bayes_std is None:
        return None
    return Posterior(
        mean=found.mean,
        std=found.std,
        mean_interval=loss.bayes_mean,
        std_interval=loss.bayes_std,
        target=certificate.target,
        direction=certificate.direction,
        p_value=None if loss.t is None else loss.p_value,
    )


def _runtimes(certificate: Certificate, sample: Sample) -> Runtimes | None:
    if certificate.runtime is None or certificate.runtime.n < 2:
        return None
    runs, is_by_start = in_order_of_start(sample)
    seconds = [run.train_time_ms / 1000 for run in runs if run.train_time_ms is not None]
    return Runtimes(
        seconds=tuple(seconds),
        mean=certificate.runtime.mean_s,
        order="start" if is_by_start else "log",
        line=_line(seconds, certificate.runtime.mean_s),
    )


def _evidence(certificate: Certificate) -> Evidence | None:
    sequential = certificate.loss.sequential
    if sequential is None or not sequential.e_values:
        return None
    return Evidence(
        # An e-value of 0 is one that is too small for a float.
        log10_e=tuple(math.log10(max(e, sys.float_info.min)) for e in sequential.e_values),
        needed=-math.log10(certificate.alpha),
        certified_at=sequential.certified_at,
    )


def _line(seconds: list[float], mean: float) -> Line | None:
    """Return the least-squares line, which goes through the mean at the middle of the order."""
    found = trend(range(len(seconds)), seconds, [""] * len(seconds))
    if found is None:
        return None
    reach = found.slope * (len(seconds) - 1) / 2
    return Line(mean - reach, mean + reach, found)


def _comparison(sample: Sample, baseline: Baseline) -> Comparison | None:
    theirs = baseline.sample
    losses, times = (losses_of(sample), losses_of(theirs)), (times_of(sample), times_of(theirs))
    comparable = all(times) and not why_not_comparable(sample, theirs)
    return Comparison(
        name=baseline.name,
        losses=SideBySide(tuple(losses[0]), tuple(losses[1]), welch(*losses))
        if all(losses)
        else None,
        times=SideBySide(tuple(times[0]), tuple(times[1]), compare_times(sample, theirs)[0])
        if comparable
        else None,
    )
