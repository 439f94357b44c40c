"""The figures of a certificate in words: what the record must show, its test, its statistics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from speedcheck.report.wording import ABSENT, number, p_value, printable, rounded, two_digits
from speedcheck.words import count

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate, JudgedRun
    from speedcheck.figures import FrontierFigures, SequentialFigures


def confirmed(certificate: Certificate) -> str:
    """Return how many figures the logs confirm, by document; "" for none."""
    files = Counter(
        claim.where.split(" [", maxsplit=1)[0].partition(":")[0]
        for claim in certificate.claims
        if claim.status == "confirmed"
    )
    named = (f"{count(n, 'figure')} of {printable(file)}" for file, n in files.items())
    return f"{', '.join(named)} confirmed" if files else ""


def steps(run: JudgedRun) -> str:
    """Return how far the run came, as the log writes it."""
    if run.final_step is None:
        return ABSENT
    return f"{run.final_step}/{run.total_steps}" if run.total_steps else str(run.final_step)


def statistics(certificate: Certificate) -> list[tuple[str, str]]:
    """Return the figures of losses and times as (name, value), a line each."""
    loss, runtime = certificate.loss, certificate.runtime
    sd = "" if loss.std is None else f", sd {two_digits(loss.std)}"
    mean = "" if loss.mean is None else f", mean {rounded(loss.mean)}{sd}"
    rows = [("losses", f"n = {loss.n}{mean}")]
    rows += _test(certificate)
    if loss.bayes_mean and loss.bayes_std:
        low, high = loss.bayes_mean.low, loss.bayes_mean.high
        level = f"{loss.bayes_mean.level:.0%} intervals"
        std = f"sd {two_digits(loss.bayes_std.low)} to {two_digits(loss.bayes_std.high)}"
        rows.append(("Bayes", f"{level}: mean {rounded(low)} to {rounded(high)}, {std}"))
    if runtime:
        sd = "" if runtime.std_s is None else f", sd {two_digits(runtime.std_s)} s"
        span = f"{runtime.min_s:.2f} to {runtime.max_s:.2f} s"
        rows.append(("runtime", f"mean {runtime.mean_s:.2f} s{sd}, {span} (n = {runtime.n})"))
    return rows


def _test(certificate: Certificate) -> list[tuple[str, str]]:
    """Return the test that decides, and what it compares with."""
    loss = certificate.loss
    if loss.sequential is not None:
        return [("sequential", _evidence(loss.sequential, certificate.alpha))]
    if loss.frontier is not None:
        return _frontier(loss.frontier)
    side = f"one-sided p = {p_value(loss.p_value)} ({_side(certificate)})"
    if loss.t is not None:
        return [("t-test", f"t = {loss.t:.2f}, df = {loss.df}, {side}")]
    return [] if loss.p_value is None else [("z-test", side)]


def _evidence(figures: SequentialFigures, alpha: float) -> str:
    last = figures.e_values[-1] if figures.e_values else 1.0
    runs = f"{figures.runs} of at most {count(figures.maximum, 'run')}"
    at = figures.certified_at
    reached = f"below {1 / alpha:g}" if at is None else f"{1 / alpha:g} reached at run {at}"
    return f"E = {last:.4g} after {runs}, {reached}, anytime-valid p = {figures.p_anytime:.2g}"


def _frontier(figures: FrontierFigures) -> list[tuple[str, str]]:
    own = f", 95% interval {rounded(figures.low)} to {rounded(figures.high)}"
    own = "" if figures.low is None else own
    rows = [("frontier", f"n = {figures.n}, mean {rounded(figures.mean)}{own}: {figures.name}")]
    if figures.difference is not None:
        low, high = (number(x, "+.5f") for x in (figures.difference_low, figures.difference_high))
        ends = f"{low} to {high}"
        interval = "" if figures.difference_low is None else f" (95% interval {ends})"
        more = f" by more than {figures.improvement:g}" if figures.improvement else ""
        p = f"one-sided Welch p = {p_value(figures.p_value)} (better{more})"
        rows.append(("difference", f"{figures.difference:+.5f}{interval}, {p}"))
    return rows


def _side(certificate: Certificate) -> str:
    return f"mean {beyond(certificate)} {certificate.target:g}"


def beyond(certificate: Certificate) -> str:
    """Return the side of the target that must be shown, as a word."""
    return "below" if certificate.direction == "less" else "above"


def rule(certificate: Certificate) -> str:
    """Return what the record must show."""
    if certificate.loss.frontier is not None:
        return f"a better mean loss than the frontier's at p < {certificate.alpha:.4g}"
    sign = "<" if certificate.direction == "less" else ">"
    return f"mean loss {sign} {certificate.target:g} at p < {certificate.alpha:.4g}"
