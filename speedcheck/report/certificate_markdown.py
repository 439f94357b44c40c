"""The certificate as Markdown: the body of a comment on a pull request, or a job's summary.

What strangers wrote is put into code spans and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from speedcheck.certificate import Certificate, Claim, ClaimStatus, JudgedRun
from speedcheck.errors import Unusable
from speedcheck.report.certificate_figures import rule, statistics, steps
from speedcheck.report.collapsed_findings import collapsed
from speedcheck.report.headline import headline
from speedcheck.report.markdown_text import code, table, table_within
from speedcheck.report.step_table import SCAN_HEADER, scan_rows, scan_summary
from speedcheck.report.wording import ABSENT, number
from speedcheck.rules.tracks import NO_TRACK
from speedcheck.verdicts import SEVERITIES, Finding, Status, Verdict

# GitHub refuses a longer comment.
MAX_CHARACTERS = 65_536
_STATUS: dict[Status, str] = {
    "pass": "pass",
    "fail": "**fail**",
    "warn": "warn",
    "unknown": "unknown",
}
_CLAIM_STATUS: dict[ClaimStatus, str] = {
    "not_confirmed": "not confirmed",
    "not_checkable": "not checkable",
    "confirmed": "confirmed",
}


@dataclass(frozen=True, slots=True)
class _Room:
    """How many rows each table of a record may have; None for all."""

    runs: int | None
    claims: int | None
    findings: int | None


# Tried in this order until the body is short enough: runs go first, findings last.
_ROOMS = (
    _Room(runs=None, claims=None, findings=None),
    _Room(runs=100, claims=None, findings=None),
    _Room(runs=0, claims=None, findings=None),
    _Room(runs=0, claims=0, findings=None),
    _Room(runs=0, claims=0, findings=20),
    _Room(runs=0, claims=0, findings=3),
)


def certificates_markdown(
    certificates: Sequence[Certificate],
    max_characters: int = MAX_CHARACTERS,
    unusable: Sequence[Unusable] = (),
) -> str:
    """Return the judgements as GitHub's Markdown, one section a record; ends in a newline.

    Args:
        certificates: what to show.
        max_characters: rows are left out, and the text says so, until it is no longer than this.
        unusable: folders that could not be judged; they stand first.
    """
    if unusable:
        rows = [(code(str(one.folder)), code(str(one.error))) for one in unusable]
        head = "### Not judged\n\n"
        most = (max_characters // 2 if certificates else max_characters) - len(head) - 1
        head += table_within(("folder", "why"), rows, most) + "\n"
        if not certificates:
            return head
        return f"{head}\n{certificates_markdown(certificates, max_characters - len(head) - 1)}"
    if not certificates:
        return "No record was judged.\n"
    for room in _ROOMS:
        body = _sections(certificates, room, max_characters)
        if body is not None:
            return body
    return _headlines(certificates, max_characters)


def _sections(certificates: Sequence[Certificate], room: _Room, max_characters: int) -> str | None:
    """Return the body, or None as soon as it is too long."""
    body = ""
    for certificate in certificates:
        body += ("\n" if body else "") + _section(certificate, room)
        if len(body) > max_characters:
            return None
    return body


def _track(certificate: Certificate) -> str:
    return "No track" if certificate.track == NO_TRACK else f"Track {code(certificate.track)}"


def _section(certificate: Certificate, room: _Room) -> str:
    judgement, _, why = headline(certificate).partition(": ")
    parts = [
        f"### {code(certificate.record)}",
        f"**{judgement}**: {code(why)}",
        f"{_track(certificate)}: {rule(certificate)}",
        table(("figure", "value"), statistics(certificate)),
        _verdicts(certificate, room.findings),
        *_scan(certificate, room.runs),
        *_claims(certificate.claims, room.claims),
        *_runs(certificate, room.runs),
    ]
    return "\n\n".join(parts) + "\n"


def _verdicts(certificate: Certificate, most: int | None) -> str:
    verdicts = certificate.verdicts.by_question()
    rows = [row for name, verdict in verdicts.items() for row in _verdict(name, verdict, most)]
    return table(("question", "verdict", "finding", ""), rows)


def _verdict(question: str, verdict: Verdict, most: int | None) -> list[tuple[str, ...]]:
    """Return a row for each finding, the gravest first; the first row names the verdict."""
    findings = collapsed(verdict.findings)
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    cells = [_finding(finding) for finding in ordered[:most]]
    if len(cells) < len(ordered):
        cells.append((f"{len(ordered) - len(cells)} more", "left out for want of room"))
    first, *others = cells or [("", "")]
    return [(question, _STATUS[verdict.status], *first), *(("", "", *cell) for cell in others)]


def _finding(finding: Finding) -> tuple[str, str]:
    where = f" ({code(finding.where)})" if finding.where else ""
    return finding.code, code(finding.message) + where


def _claims(claims: Sequence[Claim], most: int | None) -> list[str]:
    if not claims:
        return []
    counts = Counter(claim.status for claim in claims)
    summary = "claims: " + ", ".join(
        f"{counts[status]} {shown}" for status, shown in _CLAIM_STATUS.items() if counts[status]
    )
    columns = ("what", "stated", "logs give", "status", "where")
    return [_details(summary, columns, [_claim(claim) for claim in claims[:most]], len(claims))]


def _claim(claim: Claim) -> tuple[str, ...]:
    return (
        claim.subject,
        code(claim.claimed),
        ABSENT if claim.recomputed is None else code(claim.recomputed),
        _CLAIM_STATUS[claim.status],
        code(claim.where),
    )


def _runs(certificate: Certificate, most: int | None) -> list[str]:
    runs = certificate.runs
    if not runs:
        return []
    summary = f"runs: {len(certificate.counted)} of {len(runs)} counted"
    columns = (">seed", ">val_loss", ">time [s]", ">step", "counted", "log", "")
    return [_details(summary, columns, [_run(run) for run in runs[:most]], len(runs))]


def _scan(certificate: Certificate, most: int | None) -> list[str]:
    """Return the test at every validation step, where the track counts steps."""
    scan = certificate.loss.scan
    if scan is None:
        return []
    columns = (*(f">{name}" for name in SCAN_HEADER[:-1]), SCAN_HEADER[-1])
    rows = list(scan_rows(scan))
    return [_details(f"steps: {scan_summary(scan)}", columns, rows[:most], len(rows))]


def _run(run: JudgedRun) -> tuple[str, ...]:
    seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
    name = ABSENT if run.log is None else code(run.log + (f" #{run.run}" if run.run else ""))
    return (
        ABSENT if run.seed is None else str(run.seed),
        "not finite" if run.val_loss is None and run.counted else number(run.val_loss, ""),
        number(seconds, ".3f"),
        steps(run),
        "yes" if run.counted else "no",
        name,
        code(run.reason),
    )


def _details(
    summary: str, columns: Sequence[str], rows: Sequence[Sequence[str]], total: int
) -> str:
    """Return a table that is folded up; one without room for all rows says how many it lacks."""
    missing = total - len(rows)
    note = f"{missing} left out for want of room: `speedcheck verify` shows them"
    if not rows:
        return f"{summary} ({note})"
    parts = [f"<details><summary>{summary}</summary>", table(columns, rows)]
    return "\n\n".join([*parts, *([note] if missing else []), "</details>"])


def _headlines(certificates: Sequence[Certificate], max_characters: int) -> str:
    """Return as many headlines as there is room for, those of refused records first."""
    ordered = sorted(certificates, key=lambda certificate: certificate.certified)
    certified = sum(certificate.certified for certificate in certificates)
    body = f"{certified} of {len(ordered)} records are certified.\n\n"
    for shown, certificate in enumerate(ordered):
        judgement, _, why = headline(certificate).partition(": ")
        line = f"- {code(certificate.record)}: **{judgement}**: {code(why)}\n"
        rest = f"- {len(ordered) - shown} more, left out for want of room\n"
        if len(body) + len(line) + len(rest) > max_characters:
            return body + rest
        body += line
    return body
