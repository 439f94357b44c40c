"""Figures that somebody printed, recomputed: confirmed at the digits that they print.

`published_claims` looks at record.toml, `document_claims` at README.md and statistics.md. What is
read and what confirmed means is in docs/claims.md.
"""

from __future__ import annotations

from speedcheck.claims.compare import Comparison, Shortfall
from speedcheck.claims.documents import DocumentClaims, document_claims
from speedcheck.claims.numbers import agrees
from speedcheck.claims.published import published_claims
from speedcheck.claims.recompute import Question

__all__ = [
    "Comparison",
    "DocumentClaims",
    "Question",
    "Shortfall",
    "agrees",
    "document_claims",
    "published_claims",
]
