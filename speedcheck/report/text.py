"""Figures and foreign text in the form that every report shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from speedcheck.checks import codes
from speedcheck.words import count

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate, Finding, JudgedRun, Severity
    from speedcheck.stats import Estimate

# What stands for a figure that does not exist.
ABSENT = "-"

# Of the files that a finding is about, so many are named.
_NAMED = 3


def printable(text: str) -> str:
    """Return `text` with every character that could steer a terminal made visible.

    Names and reasons come out of logs and folders that strangers wrote.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# GitHub's runner obeys `::name::` at the start of a line, behind blanks, and `##[name]` anywhere.
_COMMAND = re.compile(r"((?:\A|(?<=[\r\n]))[^\S\r\n]*):(?=:)|#(?=#\[)")


def inert(text: str) -> str:
    """Return `text`, one or more lines, without what a GitHub runner would take for a command.

    Of `::` at the start of a line and of `##[` the first character is shown as its escape, so that
    no file name can set a step's output, hide a word or end a group in the log of a workflow.
    """
    return _COMMAND.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return r"\x23" if match[1] is None else rf"{match[1]}\x3a"


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


def statistics(certificate: Certificate) -> list[tuple[str, str]]:
    """Return the figures of losses and times as (name, value).

    A value without a name, "", goes on with the one before it.
    """
    loss, runtime = certificate.loss, certificate.runtime
    rows = [("losses", f"n = {loss.n}")]
    if loss.mean is not None:
        sd = "" if loss.std is None else f", sd {loss.std:.6g} (n - 1)"
        rows.append(("", f"mean {loss.mean:.10g}{sd}"))
    if loss.t is not None:
        side = certificate.direction
        rows.append(("t-test", f"t = {loss.t:.4f}, df = {loss.df}, one-sided, {side}"))
    # Only the z-test of a known sigma has a p without t.
    test = "t-test" if loss.p_value is None else "z-test"
    rows.append(("" if loss.t is not None else test, f"p = {p_value(loss.p_value)}"))
    if loss.bayes_mean and loss.bayes_std:
        level = f"Bayes {loss.bayes_mean.level:.0%}"
        rows.append((level, f"mean {interval(loss.bayes_mean)}"))
        rows.append(("", f"sd {interval(loss.bayes_std)}"))
    if runtime:
        sd = "" if runtime.std_s is None else f", sd {runtime.std_s:.3f} s"
        rows.append(("runtime", f"mean {runtime.mean_s:.3f} s{sd} (n = {runtime.n})"))
        span = f"range {runtime.min_s:.3f} to {runtime.max_s:.3f} s"
        rows.append(("", f"median {runtime.median_s:.3f} s, {span}"))
    return rows


def rule(certificate: Certificate) -> str:
    """Return what the record must show."""
    sign = "<" if certificate.direction == "less" else ">"
    return f"mean loss {sign} {certificate.target:g} at p < {certificate.alpha:.4g}"


def against(certificate: Certificate) -> tuple[Finding, ...]:
    """Return the findings that hold the figures beside the baseline's; `where` is its folder."""
    compared = (codes.LOSS_COMPARED, codes.SPEED_COMPARED)
    return tuple(f for f in certificate.verdicts.findings() if f.code in compared)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with those that say the same of several files made one, in order."""
    alike: dict[tuple[str, Severity, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.code, finding.severity, finding.message), []).append(finding)
    return [replace(same[0], where=_places(f.where for f in same)) for same in alike.values()]


def _places(where: Iterable[str]) -> str:
    different = list(dict.fromkeys(place for place in where if place))
    named, more = ", ".join(different[:_NAMED]), len(different) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def told_apart(judged: Sequence[tuple[PurePath, Certificate]]) -> list[Certificate]:
    """Return the certificates with the folder behind a record's name that several have."""
    names = Counter(certificate.record for _, certificate in judged)
    return [
        certificate
        if names[certificate.record] == 1
        else replace(certificate, record=f"{certificate.record} ({folder})")
        for folder, certificate in judged
    ]


def headline(certificate: Certificate) -> str:
    """Return the judgement in one sentence."""
    loss = certificate.loss
    runs = _counted(certificate)
    verdicts = certificate.verdicts
    if certificate.certified:
        if any(finding.code == codes.LOSS_EXCUSED for finding in verdicts.loss.findings):
            return f"CERTIFIED: faster than the baseline; the loss test is excused ({runs})"
        side = "below" if certificate.direction == "less" else "above"
        shown = f"mean loss {number(loss.mean, '.6g')} is {side} {certificate.target:g}"
        return f"CERTIFIED: {shown} (p = {number(loss.p_value, '.2g')}, {runs})"
    return f"NOT CERTIFIED: {_why_not(certificate)}"


def _counted(certificate: Certificate) -> str:
    """Return how many runs count, of how many, and what was chosen among them."""
    n, selection = certificate.loss.n, certificate.selection
    parts = [
        count(n, "run") if selection.started <= n else f"{n} of {selection.started} started runs"
    ]
    if selection.at_step is not None:
        parts.append(f"at step {selection.at_step}")
    elif selection.stops_at is not None:
        parts.append(f"stopped at step {selection.stops_at}")
    rivals = [group for group in certificate.groups if group.role is None and group.n]
    if len(rivals) > 1:
        others = (g for g in rivals if not g.judged)
        shown = ", ".join(f"{g.name}: p = {number(g.p_value, '.2g')}" for g in others)
        parts.append(f"1 of {len(rivals)} groups" + (f"; {shown}" if shown else ""))
    return ", ".join(parts)


def _why_not(certificate: Certificate) -> str:
    """Return what stands in the way: the beginning of the finding that weighs most.

    Rules, provenance and the speed of most records may be unknown, and only what fails there does.
    """
    verdicts = certificate.verdicts
    from_logs = any(run.log is not None for run in certificate.runs)
    needed = (verdicts.loss, verdicts.speed if from_logs else verdicts.provenance)
    every = (verdicts.loss, verdicts.provenance, verdicts.rules, verdicts.speed)
    for severity, asked in (("fail", every), ("unknown", needed)):
        for verdict in asked:
            for finding in merged(verdict.findings):
                if finding.severity == severity:
                    # The place of other findings is a log among many, or the baseline's folder.
                    where = finding.where if verdict is verdicts.provenance else ""
                    # What a document claims needs the other figure beside it.
                    clauses = 2 if finding.code == codes.CLAIM_NOT_CONFIRMED else 1
                    why = "; ".join(finding.message.split("; ")[:clauses])
                    return printable(f"{why} ({where})" if where else why)
    return "the evidence is not there"
