"""The judgement in one sentence, and what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from speedcheck.checks import codes
from speedcheck.checks.explanations import EXPLANATIONS
from speedcheck.report.certificate_figures import beyond
from speedcheck.report.wording import number, p_value, printable, rounded
from speedcheck.words import count

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate
    from speedcheck.verdicts import Finding

COMMAND = ": speedcheck "
"""How the command begins that ends a next step."""


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


def next_step(certificate: Certificate, folder: str = "FOLDER") -> str:
    """Return what to do next: the remedy of what blocks first; "" for nothing.

    Args:
        certificate: the judgement.
        folder: the record's folder, for the commands in it; where nobody knows, its metavariable.
    """
    finding = _first_to_mend(certificate)
    if finding is None:
        return ""
    remedy = finding.remedy or EXPLANATIONS[finding.code].remedy
    return remedy.replace("FOLDER", shlex.quote(folder))


def _first_to_mend(certificate: Certificate) -> Finding | None:
    """Return the finding whose remedy comes first: what is to be judged must be there."""
    failed = [f for f in certificate.verdicts.findings() if f.severity == "fail"]
    for code in (codes.LEDGER_BROKEN, codes.RUN_MISSING, codes.UNDECIDED):
        of_code = [finding for finding in failed if finding.code == code]
        if of_code:
            # --resume refuses a record whose finished logs are gone: they come first.
            return min(of_code, key=lambda finding: "--resume" in finding.remedy)
    return None if certificate.certified else _blocking(certificate)


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
