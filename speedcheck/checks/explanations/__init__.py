"""What each finding means and what to do about it: the words behind `speedcheck explain`."""

from __future__ import annotations

from speedcheck.checks.explanations.explanation import Explanation
from speedcheck.checks.explanations.loss_findings import LOSS
from speedcheck.checks.explanations.provenance_findings import PROVENANCE
from speedcheck.checks.explanations.rules_findings import RULES
from speedcheck.checks.explanations.speed_findings import SPEED

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS = LOSS | SPEED | RULES | PROVENANCE
"""Every code's explanation."""
