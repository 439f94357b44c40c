"""Figures and foreign text in the form that every report shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from speedcheck.checks import codes
from speedcheck.checks.explanations import EXPLANATIONS
from speedcheck.words import count, join_some

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate, Finding, JudgedRun, Severity
    from speedcheck.figures import FrontierFigures, SequentialFigures

# What stands for a figure that does not exist.
ABSENT = "-"

# The tails of a test hold only as far as its model does, and no data shows that they go further.
_SMALLEST_P = 1e-9

# Of the files that a finding is about, so many are named.
_NAMED = 3


def printable(text: str) -> str:
    """Return `text` with every character that could steer a terminal made visible.

    Names and reasons come out of logs and folders that strangers wrote.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# GitHub's runner obeys `::name::` at the start of a line, behind blanks, and `##[name]` anywhere.
_COMMAND = re.compile(r"((?:\A|(?<=[\r\n]))[^\S\r\n]*):(?=:)|#(?=#\[)")


def without_commands(text: str) -> str:
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


def rounded(value: float | None) -> str:
    """Return a figure for people: five significant digits."""
    return number(value, "#.5g")


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns, each after one blank."""
    every = list(rows)
    # The last cell of a row may be a sentence, and widens no column.
    widths: dict[int, int] = {}
    for row in every:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    return [
        " " + "  ".join(cell.ljust(widths.get(i, 0)) for i, cell in enumerate(row)).rstrip()
        for row in every
    ]


def p_value(p: float | None) -> str:
    """Return a p-value for people: two significant digits."""
    return "not defined" if p is None else f"{p:.2g}"


def two_digits(value: float) -> str:
    """Return a spread for people: two significant digits."""
    return f"{value:#.2g}".rstrip(".")


def small_p(p: float | None) -> str:
    """Return a p-value with its sign of relation, such as "= 0.012" or "< 1e-09"."""
    return f"< {_SMALLEST_P:g}" if p is not None and p < _SMALLEST_P else f"= {p_value(p)}"


def decimals(values: Iterable[float | None]) -> int:
    """Return the decimals that show every value as the logs print it, at most 6."""
    shown = [repr(value).partition(".")[2] for value in values if value is not None]
    return max((min(len(digits), 6) for digits in shown), default=4)


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
    sd = "" if loss.std is None else f", sd {loss.std:#.2g}"
    mean = "" if loss.mean is None else f", mean {rounded(loss.mean)}{sd}"
    rows = [("losses", f"n = {loss.n}{mean}")]
    rows += _test(certificate)
    if loss.bayes_mean and loss.bayes_std:
        low, high = loss.bayes_mean.low, loss.bayes_mean.high
        level = f"{loss.bayes_mean.level:.0%} intervals"
        std = f"sd {loss.bayes_std.low:#.2g} to {loss.bayes_std.high:#.2g}"
        rows.append(("Bayes", f"{level}: mean {rounded(low)} to {rounded(high)}, {std}"))
    if runtime:
        sd = "" if runtime.std_s is None else f", sd {runtime.std_s:#.2g} s"
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
    own = "" if figures.low is None else f", 95% interval {_span(figures.low, figures.high)}"
    rows = [("frontier", f"n = {figures.n}, mean {rounded(figures.mean)}{own}: {figures.name}")]
    if figures.difference is not None:
        ends = _span(figures.difference_low, figures.difference_high, "+.5f")
        interval = "" if figures.difference_low is None else f" (95% interval {ends})"
        more = f" by more than {figures.improvement:g}" if figures.improvement else ""
        p = f"one-sided Welch p = {p_value(figures.p_value)} (better{more})"
        rows.append(("difference", f"{figures.difference:+.5f}{interval}, {p}"))
    return rows


def _span(low: float | None, high: float | None, spec: str = "#.5g") -> str:
    return f"{number(low, spec)} to {number(high, spec)}"


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


def against(certificate: Certificate) -> tuple[Finding, ...]:
    """Return the findings that hold the figures beside the baseline's; `where` is its folder."""
    compared = (codes.LOSS_COMPARED, codes.SPEED_COMPARED)
    return tuple(f for f in certificate.verdicts.findings() if f.code in compared)


def collapsed(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with those that say the same of several files made one, in order.

    More than three others of one code and severity say how many there are, and what the first one
    is.
    """
    by_code: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        by_code.setdefault((finding.code, finding.severity), []).append(finding)
    return [one for alike in by_code.values() for one in _collapse(alike)]


def _collapse(alike: Sequence[Finding]) -> list[Finding]:
    by_message: dict[str, list[Finding]] = {}
    for finding in alike:
        by_message.setdefault(finding.message, []).append(finding)
    if len(by_message) > _NAMED:
        return [_first_of(alike)]
    return [replace(same[0], where=_places(f.where for f in same)) for same in by_message.values()]


def _first_of(alike: Sequence[Finding]) -> Finding:
    first = alike[0]
    code, name = first.code.split()
    where = f" ({first.where})" if first.where else ""
    message = f"the first: {first.message}{where}"
    return replace(first, code=f"{code} x {len(alike)} {name}", message=message, where="")


def _places(where: Iterable[str]) -> str:
    return join_some(dict.fromkeys(place for place in where if place), _NAMED)


def with_distinct_names(judged: Sequence[tuple[PurePath, Certificate]]) -> list[Certificate]:
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
    runs = _counted(certificate)
    if not certificate.certified:
        return f"NOT CERTIFIED: {_why_not(certificate)}"
    judgement = f"CERTIFIED{_unknown(certificate)}"
    if any(f.code == codes.LOSS_EXCUSED for f in certificate.verdicts.loss.findings):
        return f"{judgement}: faster than the baseline, and its loss is not worse ({runs})"
    loss = certificate.loss
    shown = f"mean loss {rounded(loss.mean)} is {beyond(certificate)} {certificate.target:g}"
    if loss.frontier is not None:
        more = f" by more than {loss.frontier.improvement:g}" if loss.frontier.improvement else ""
        shown = f"mean loss {rounded(loss.mean)} beats the frontier's "
        shown += f"{rounded(loss.frontier.mean)}{more}"
    if loss.sequential is not None:
        reached = f"E >= {1 / certificate.alpha:g} at run {loss.sequential.certified_at}"
        return f"{judgement}: {shown} ({reached}, {runs})"
    return f"{judgement}: {shown} (one-sided p = {p_value(loss.p_value)}, {runs})"


def _unknown(certificate: Certificate) -> str:
    """Name what a certificate does not know, besides the speed, which few records show."""
    verdicts = certificate.verdicts
    unknown = [
        name
        for name, verdict in (("rules", verdicts.rules), ("provenance", verdicts.provenance))
        if verdict.status == "unknown"
    ]
    return f" (loss only; {' and '.join(unknown)} unknown)" if unknown else ""


def next_step(certificate: Certificate, folder: str) -> str:
    """Return what to do next: complete the runs, or the remedy of what blocks; "" for nothing."""
    findings = certificate.verdicts.findings()
    missing = [finding for finding in findings if finding.code == codes.RUN_MISSING]
    if missing and any(run.log for run in certificate.runs):
        return f"finish the planned runs: speedcheck run --resume --out {folder}"
    if any(finding.code == codes.UNDECIDED for finding in findings):
        return f"declare the sample: speedcheck init {folder}"
    if certificate.certified:
        return ""
    blocking = _blocking(certificate)
    return EXPLANATIONS[blocking.code].remedy if blocking else ""


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


def _blocking(certificate: Certificate) -> Finding | None:
    """Return the gravest finding.

    Rules, provenance and the speed of most records may be unknown, and only what fails there
    blocks.
    """
    verdicts = certificate.verdicts
    from_logs = any(run.log is not None for run in certificate.runs)
    needed = (verdicts.loss, verdicts.speed if from_logs else verdicts.provenance)
    every = (verdicts.loss, verdicts.provenance, verdicts.rules, verdicts.speed)
    for severity, asked in (("fail", every), ("unknown", needed)):
        for verdict in asked:
            for finding in verdict.findings:
                if finding.severity == severity:
                    return finding
    return None


def _why_not(certificate: Certificate) -> str:
    """Return what blocks the certificate, and where."""
    finding = _blocking(certificate)
    if finding is None:
        return "the evidence is not there"
    # What a document claims needs the other figure beside it.
    clauses = 2 if finding.code == codes.CLAIM_NOT_CONFIRMED else 1
    why = "; ".join(finding.message.split("; ")[:clauses])
    has_place = finding in certificate.verdicts.provenance.findings and finding.where
    return printable(f"{why} ({finding.where})" if has_place else why)
