"""Findings and the verdicts that they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["fail", "unknown", "warn", "info"]
"""What a finding does to its verdict, the gravest first."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Status = Literal["pass", "fail", "warn", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        code: stable code and name, such as "P004 incomplete-log".
        severity: what it does to its verdict.
        message: what is wrong, with the figures.
        where: the file, and the line where there is one.
        remedy: what to do about this one, with FOLDER for the record's folder; "" where it is what
            `speedcheck explain` says of the code. For reports, and no part of the JSON schema.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one question. Unknown: the evidence to judge is not there."""

    status: Status
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: tuple[Finding, ...]) -> Verdict:
        """Return the verdict that `findings` add up to: the gravest severity decides."""
        severities = {finding.severity for finding in findings}
        for status in ("fail", "unknown", "warn"):
            if status in severities:
                return cls(status, findings)
        return cls("pass", findings)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The four questions: is the loss low enough, how fast is it, by the rules, on evidence?"""

    loss: Verdict
    speed: Verdict
    rules: Verdict
    provenance: Verdict

    def by_question(self) -> dict[str, Verdict]:
        """Return the verdicts by their names, in their order."""
        return {
            "loss": self.loss,
            "speed": self.speed,
            "rules": self.rules,
            "provenance": self.provenance,
        }

    def findings(self) -> tuple[Finding, ...]:
        """Return all findings, in the order of the verdicts."""
        verdicts = self.by_question().values()
        return tuple(finding for verdict in verdicts for finding in verdict.findings)
