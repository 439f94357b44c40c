"""Certificates, comparisons and plans as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from speedcheck.api import LossCertificate
from speedcheck.certificate import Certificate
from speedcheck.comparison.record_comparison import RecordComparison
from speedcheck.notebook import html_of
from speedcheck.planning.planned import Plan
from speedcheck.report.certificate_figures import statistics
from speedcheck.report.collapsed_findings import collapsed
from speedcheck.report.comparison_text import comparison_text
from speedcheck.report.headline import headline
from speedcheck.report.plan_text import plan_text
from speedcheck.report.wording import p_value, printable, rounded


@html_of.register
def _(shown: Certificate) -> str:
    rows = [*statistics(shown)]
    for question, verdict in shown.verdicts.by_question().items():
        found = "; ".join(f"{f.code}: {f.message}" for f in collapsed(verdict.findings))
        rows.append((question, f"{verdict.status}: {found}" if found else verdict.status))
    return _html(f"{shown.record}: {headline(shown)}", rows)


@html_of.register
def _(shown: LossCertificate) -> str:
    judgement = "CERTIFIED" if shown.certified else "NOT CERTIFIED"
    rows = [
        ("losses", f"n = {shown.loss.n}, mean {rounded(shown.loss.mean)}"),
        ("p", f"{p_value(shown.loss.p_value)}, one-sided; p < {shown.alpha:g} certifies"),
        *((finding.code, finding.message) for finding in shown.verdict.findings),
    ]
    return _html(f"{judgement}: target {shown.target:g}", rows)


@html_of.register
def _(shown: RecordComparison) -> str:
    return _report(comparison_text(shown))


@html_of.register
def _(shown: Plan) -> str:
    return _report(plan_text(shown))


def _html(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a title and a table of names and values; every text is escaped."""
    body = "".join(
        f'<tr><th style="text-align: left">{_text(name)}</th>'
        f'<td style="text-align: left">{_text(value)}</td></tr>'
        for name, value in rows
    )
    return f"<p><strong>{_text(title)}</strong></p><table>{body}</table>"


def _report(text: str) -> str:
    """Return the report for terminals, whose columns are aligned, with its first line in bold."""
    first, _, rest = text.partition("\n")
    return f"<p><strong>{_text(first)}</strong></p><pre>{escape(rest)}</pre>"


def _text(text: str) -> str:
    return escape(printable(text))
