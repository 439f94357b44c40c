"""The findings in words: as text for terminals, and as the page docs/findings.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from speedcheck.checks.explanations import EXPLANATIONS, Explanation

_WIDTH = 80
_INDENT = 10

# By the letter that their codes begin with.
_QUESTIONS = {
    "L": ("Loss", "Is the mean loss below the target?"),
    "S": ("Speed", "How fast is it?"),
    "R": ("Rules", "Was it run by the rules of its track?"),
    "P": ("Provenance", "Can the evidence be trusted?"),
}

_PREFACE = """\
# Findings

What `speedcheck verify` can find, by the four questions that it answers. A finding's severity
decides its verdict: `fail` and `unknown` (the evidence to judge is not there) are worse than
`warn`, and `info` is a remark. Codes are stable: one never changes its meaning.

This page is printed by `speedcheck explain --markdown`; `make docs` writes it.
"""


def findings_list() -> str:
    """Return every code with its severities, one a line."""
    width = max(map(len, EXPLANATIONS))
    lines = [f"{code:{width}}  {_severities(e)}" for code, e in EXPLANATIONS.items()]
    return "\n".join([*lines, "", "`speedcheck explain CODE` says what one means.", ""])


def findings_text(codes: Iterable[str]) -> str:
    """Return what each of `codes` means and what to do, for a terminal of 80 columns."""
    return "\n".join(_text(code, EXPLANATIONS[code]) for code in codes)


def findings_page() -> str:
    """Return the page of all findings as Markdown."""
    parts = [_PREFACE]
    for letter, (title, question) in _QUESTIONS.items():
        parts.append(f"## {title}\n\n{question}\n")
        parts += [_entry(code, e) for code, e in EXPLANATIONS.items() if code.startswith(letter)]
    return "\n".join(parts)


def _text(code: str, explanation: Explanation) -> str:
    rows = {
        "severity": _severities(explanation),
        "means": explanation.meaning,
        "do": explanation.remedy,
    }
    return f"{code}\n" + "".join(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=f"{name:>{_INDENT - 2}}  ",
            subsequent_indent=" " * _INDENT,
            break_on_hyphens=False,
        )
        + "\n"
        for name, text in rows.items()
    )


def _entry(code: str, explanation: Explanation) -> str:
    severities = f"Severity: {_severities(explanation)}."
    paragraphs = (severities, explanation.meaning, f"What to do: {explanation.remedy}")
    wrapped = (textwrap.fill(text, 100, break_on_hyphens=False) for text in paragraphs)
    return "\n\n".join([f"### {code}", *wrapped]) + "\n"


def _severities(explanation: Explanation) -> str:
    return ", ".join(explanation.severities)
