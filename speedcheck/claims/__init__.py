"""Figures that somebody printed, recomputed: confirmed at the digits that they print.

`published_claims` looks at record.toml, `document_claims` at README.md and statistics.md. Each
reader of a document (`text`, `code`, `data`) returns `Figure`s, `evidence` is what the logs give,
and `judge` compares the two. What is read and what confirmed means is in docs/claims.md.
"""

from __future__ import annotations

from speedcheck.claims.documents import document_claims
from speedcheck.claims.model import DocumentClaims, Shortfall
from speedcheck.claims.published import published_claims

__all__ = ["DocumentClaims", "Shortfall", "document_claims", "published_claims"]
