"""The gate's decisions: lines for a terminal, Markdown for a comment, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from speedcheck.report.certificate_markdown import MAX_CHARACTERS, certificates_markdown
from speedcheck.report.markdown_text import code, table_within
from speedcheck.report.wording import number, printable, without_commands
from speedcheck.rules.tracks import NO_TRACK
from speedcheck.words import count

if TYPE_CHECKING:
    from speedcheck.gate.decision import Decision

SCHEMA = "speedcheck.gate/1"

# Of the reasons for one record, so many are on its line.
_SHOWN = 3


def gate_lines(decisions: Sequence[Decision], remarks: Sequence[str] = ()) -> str:
    """Return a line for each record, what is said beside them, and the decision last.

    Args:
        decisions: what the gate decided.
        remarks: what is said of the branch as a whole.
    """
    lines = [line for decision in decisions for line in _lines(decision)]
    lines += [f"note: {printable(remark)}" for remark in remarks]
    return without_commands("\n".join([*lines, summary(decisions)]) + "\n")


def summary(decisions: Sequence[Decision]) -> str:
    """Return the gate's decision in one sentence."""
    if not decisions:
        return "gate: pass (no record is added, changed or removed)"
    rejected = sum(not decision.passed for decision in decisions)
    if rejected:
        return f"gate: fail ({rejected} of {count(len(decisions), 'record')} rejected)"
    return f"gate: pass ({count(len(decisions), 'record')})"


def gate_markdown(
    decisions: Sequence[Decision],
    remarks: Sequence[str] = (),
    max_characters: int = MAX_CHARACTERS,
) -> str:
    """Return the decisions and, below them, the judgements; ends in a newline.

    Args:
        decisions: what the gate decided.
        remarks: what is said of the branch as a whole.
        max_characters: rows are left out until the text is no longer than this.
    """
    text = f"## speedcheck {summary(decisions)}\n"
    for remark in remarks:
        text += f"\nNote: {code(printable(remark))}\n"
    certificates = [d.certificate for d in decisions if d.certificate is not None]
    if decisions:
        # What is rejected stands first, since the last rows are left out for want of room.
        rows = [_row(decision) for decision in sorted(decisions, key=lambda d: d.passed)]
        room = (max_characters // 2 if certificates else max_characters) - len(text) - 2
        head = ("record", "gate", "figures", "why not", "compared with", "notes")
        text += f"\n{table_within(head, rows, room)}\n"
    if not certificates:
        return text
    return f"{text}\n{certificates_markdown(certificates, max_characters - len(text) - 1)}"


def gate_json(decisions: Sequence[Decision]) -> str:
    """Return the decisions as JSON of schema "speedcheck.gate/1"; ends in a newline."""
    records = [_dict(decision) for decision in decisions]
    passed = all(decision.passed for decision in decisions)
    found = {"schema": SCHEMA, "passed": passed, "records": records}
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def _dict(decision: Decision) -> dict[str, Any]:
    certificate = decision.certificate
    return {
        "folder": str(decision.folder),
        "passed": decision.passed,
        "objections": [
            {"code": objection.code, "message": objection.message}
            for objection in decision.objections
        ],
        "baseline": None if decision.baseline is None else str(decision.baseline),
        "remarks": list(decision.remarks),
        "certificate": None if certificate is None else certificate.to_dict(),
    }


def _lines(decision: Decision) -> list[str]:
    word = "pass" if decision.passed else "fail"
    parts = [part for part in (_figures(decision), *_reasons(decision)) if part]
    line = f"{word} {printable(str(decision.folder))}: {'; '.join(parts)}"
    return [line, *(f"     {printable(remark)}" for remark in decision.remarks)]


def _row(decision: Decision) -> tuple[str, ...]:
    word = "pass" if decision.passed else "**fail**"
    baseline = "" if decision.baseline is None else code(str(decision.baseline))
    reasons, said = "; ".join(_reasons(decision)), "; ".join(map(printable, decision.remarks))
    figures = _figures(decision)
    return (
        code(str(decision.folder)),
        word,
        code(figures) if figures else "",
        code(reasons) if reasons else "",
        baseline,
        code(said) if said else "",
    )


def _figures(decision: Decision) -> str:
    """Return track, number of runs, mean and p."""
    certificate = decision.certificate
    if certificate is None:
        return ""
    loss = certificate.loss
    track = "no track" if certificate.track == NO_TRACK else certificate.track
    figures = f"{track}, {count(loss.n, 'run')}"
    if loss.n:
        figures += f", mean {number(loss.mean, '.6g')}, p = {number(loss.p_value, '.2g')}"
    return printable(figures)


def _reasons(decision: Decision) -> list[str]:
    """Return the reasons, of one code the first with their number."""
    by_code: dict[str, list[str]] = {}
    for objection in decision.objections:
        by_code.setdefault(objection.code or objection.message, []).append(str(objection))
    reasons = [
        printable(same[0] if len(same) == 1 else f"{same[0]} (the first of {len(same)})")
        for same in by_code.values()
    ]
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], *([count(more, "more reason")] if more > 0 else [])]
