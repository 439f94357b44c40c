"""What closes the gate: the one table of findings that do, and the form of every reason.

A certificate says what was found, and the gate what may not be merged. Whatever fails a verdict
closes it. Besides, `CLOSES` names the findings that are a warning to a reader and too little
evidence to be merged on, and what is unknown closes unless the base allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.rules.gate_rules import PathRules
from speedcheck.verdicts import Finding
from speedcheck.words import join_some

CLOSES = frozenset(
    {
        codes.INCOMPLETE_LOG,
        codes.HIDDEN_RUN,
        codes.ENDS_DIFFER,
        codes.TIMES_CONTRADICT,
        codes.NOT_A_BASELINE,
        codes.CRASHES_MATTER,
        codes.OPAQUE_FILE,
        codes.LEDGER_TIMES,
        codes.EXTENDED,
    }
)
"""Warnings that close the gate."""

_OF_HARDWARE = frozenset({codes.WRONG_HARDWARE, codes.HARDWARE_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a record may not be merged.

    Attributes:
        message: the reason.
        code: code and name of the finding that it comes from; "" for what only a branch shows.
        where: the file; "" where the message names it.
    """

    message: str
    code: str = ""
    where: str = ""

    def __str__(self) -> str:
        code = f"{self.code}: " if self.code else ""
        where = f" ({self.where})" if self.where else ""
        return f"{code}{self.message}{where}"


def objections(
    certificate: Certificate, rules: PathRules, aside: frozenset[str] = frozenset()
) -> tuple[Objection, ...]:
    """Return what in a record's judgement closes the gate, the gravest first.

    Args:
        certificate: the judgement.
        rules: the base's rules for the record.
        aside: codes of findings that are left to the caller.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for finding in _closing(certificate, rules):
        if finding.code not in aside:
            places.setdefault((finding.code, finding.message), []).append(finding.where)
    found = [
        Objection(message, code, join_some(dict.fromkeys(filter(None, where))))
        for (code, message), where in places.items()
    ]
    if not certificate.certified and not found:
        found.append(Objection("not certified"))
    return tuple(found)


def _closing(certificate: Certificate, rules: PathRules) -> Iterator[Finding]:
    verdicts = certificate.verdicts
    every = verdicts.findings()
    yield from (finding for finding in every if finding.severity == "fail")
    for verdict in (verdicts.loss, verdicts.provenance):
        yield from (finding for finding in verdict.findings if finding.severity == "unknown")
    for finding in verdicts.rules.findings:
        if finding.code in _OF_HARDWARE and finding.severity != "fail":
            if "hardware" not in rules.allow_unknown:
                yield finding
        elif finding.code == codes.ENVIRONMENT_UNKNOWN:
            # Published logs do not say it, so that a submission of them could never pass.
            continue
        elif finding.severity == "unknown" and "rules" not in rules.allow_unknown:
            yield finding
    warnings = (f for f in every if f.severity == "warn" and f.code in CLOSES)
    for finding in warnings:
        if finding.code != codes.OPAQUE_FILE or not rules.allows_artifact(finding.where):
            yield finding
