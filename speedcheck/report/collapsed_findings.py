"""Findings as a report lists them: those that say the same of several files made one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from speedcheck.checks import codes
from speedcheck.words import join_some

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate
    from speedcheck.verdicts import Finding, Severity


# Of the files that a finding is about, so many are named.
_NAMED = 3


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
