"""The form of an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedcheck.verdicts import Severity


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code in words.

    Attributes:
        severities: what a finding with this code can do to its verdict, the gravest first.
        meaning: what was found, and why it matters.
        remedy: what a submitter or a reviewer does about it.
    """

    severities: tuple[Severity, ...]
    meaning: str
    remedy: str
