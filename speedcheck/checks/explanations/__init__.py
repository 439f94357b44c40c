"""What each finding means and what to do about it: the words behind `speedcheck explain`."""

from __future__ import annotations

from speedcheck.checks.explanations.loss import LOSS
from speedcheck.checks.explanations.model import Explanation
from speedcheck.checks.explanations.provenance import PROVENANCE
from speedcheck.checks.explanations.rules import RULES
from speedcheck.checks.explanations.speed import SPEED

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS = LOSS | SPEED | RULES | PROVENANCE
"""Every code's explanation."""
