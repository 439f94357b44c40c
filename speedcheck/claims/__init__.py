"""Figures that somebody printed, recomputed: confirmed at the digits that they print.

`published_claims` looks at record.toml, `document_claims` at README.md and statistics.md. What is
read and what confirmed means is in docs/claims.md.
"""

from __future__ import annotations

from speedcheck.claims.documents import DocumentClaims, Unread, document_claims
from speedcheck.claims.lists import SeedDifference, Shortfall
from speedcheck.claims.model import Question
from speedcheck.claims.numbers import agrees
from speedcheck.claims.published import published_claims

__all__ = [
    "DocumentClaims",
    "Question",
    "SeedDifference",
    "Shortfall",
    "Unread",
    "agrees",
    "document_claims",
    "published_claims",
]
