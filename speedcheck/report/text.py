"""Figures and foreign text in the form that every report shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate, JudgedRun
    from speedcheck.stats import Estimate

# What stands for a figure that does not exist.
ABSENT = "-"


def printable(text: str) -> str:
    """Return `text` with every character that could steer a terminal made visible.

    Names and reasons come out of logs and folders that strangers wrote.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number(value: float | None, spec: str) -> str:
    """Return `value` in the format `spec`, or the sign for absence."""
    return ABSENT if value is None else format(value, spec)


def interval(estimate: Estimate) -> str:
    """Return a Bayesian estimate with all its digits, as the competition's records print it."""
    value = ABSENT if estimate.estimate is None else repr(estimate.estimate)
    return f"{value} in [{estimate.low!r}, {estimate.high!r}]"


def p_value(p: float | None) -> str:
    """Return p in five significant digits and as records print it, in four decimals."""
    return "not defined" if p is None else f"{p:.5g} (p={p:.4f})"


def steps(run: JudgedRun) -> str:
    """Return how far the run came, as the log writes it."""
    if run.final_step is None:
        return ABSENT
    return f"{run.final_step}/{run.total_steps}" if run.total_steps else str(run.final_step)


def headline(certificate: Certificate) -> str:
    """Return the judgement in one sentence."""
    loss, n = certificate.loss, certificate.loss.n
    runs = f"{n} run" if n == 1 else f"{n} runs"
    if certificate.certified:
        shown = (
            f"mean loss {number(loss.mean, '.6g')} is below {certificate.target:g}"
            if certificate.verdicts.loss.status in ("pass", "warn")
            else "a faster system at an unchanged loss"
        )
        return f"CERTIFIED: {shown} (p = {number(loss.p_value, '.2g')}, {runs})"
    verdicts = certificate.verdicts
    blocking = next(
        (
            finding
            for severity in ("fail", "unknown")
            for verdict in (verdicts.loss, verdicts.provenance, verdicts.rules, verdicts.speed)
            for finding in verdict.findings
            if finding.severity == severity
        ),
        None,
    )
    # The message's first clause; the verdicts above hold the rest.
    why = printable(blocking.message.split("; ")[0]) if blocking else "the evidence is not there"
    return f"NOT CERTIFIED: {why}"
