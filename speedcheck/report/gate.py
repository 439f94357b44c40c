"""The gate's decisions: lines for a terminal, and Markdown for a job's summary or a comment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speedcheck.report.markdown import (
    MAX_CHARACTERS,
    certificates_markdown,
    code,
    table_within,
)
from speedcheck.report.text import headline, inert, printable

if TYPE_CHECKING:
    from speedcheck.gate.gate import Decision


def gate_lines(decisions: Sequence[Decision]) -> str:
    """Return one line a record and a last one for all; ends in a newline."""
    lines = [_line(decision) for decision in decisions]
    return inert("\n".join([*lines, summary(decisions)]) + "\n")


def summary(decisions: Sequence[Decision]) -> str:
    """Return the gate's decision in one sentence."""
    if not decisions:
        return "gate: open, no record is added, changed or removed"
    failed = sum(not decision.passed for decision in decisions)
    if failed:
        return f"gate: closed, {failed} of {len(decisions)} records may not pass"
    return f"gate: open, {len(decisions)} of {len(decisions)} records pass"


def gate_markdown(decisions: Sequence[Decision], max_characters: int = MAX_CHARACTERS) -> str:
    """Return the decisions and, below them, the judgements; ends in a newline.

    Args:
        decisions: what the gate decided.
        max_characters: rows are left out until the text is no longer than this.
    """
    text = f"## speedcheck {summary(decisions)}\n"
    certificates = [d.certificate for d in decisions if d.certificate is not None]
    if decisions:
        # What may not pass stands first, since the last rows are left out for want of room.
        rows = [_row(decision) for decision in sorted(decisions, key=lambda d: d.passed)]
        room = (max_characters // 2 if certificates else max_characters) - len(text) - 2
        text += f"\n{table_within(('record', 'gate', 'why', 'compared with'), rows, room)}\n"
    if not certificates:
        return text
    return f"{text}\n{certificates_markdown(certificates, max_characters - len(text) - 1)}"


def _line(decision: Decision) -> str:
    word = "pass" if decision.passed else "FAIL"
    return f"{word} {printable(str(decision.folder))}: {_why(decision)}"


def _row(decision: Decision) -> tuple[str, ...]:
    baseline = "" if decision.baseline is None else code(str(decision.baseline))
    word = "pass" if decision.passed else "**fail**"
    return code(str(decision.folder)), word, code(_why(decision)), baseline


def _why(decision: Decision) -> str:
    if decision.certificate is None:
        return printable(decision.reason)
    shown = headline(decision.certificate)
    certified = decision.certificate.certified
    return f"{shown}; {decision.reason}" if decision.reason and certified else shown
