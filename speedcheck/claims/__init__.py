"""Figures that documents state, recomputed: confirmed at the digits that they print.

Each reader of a document (`text`, `code`, `tables`) returns `Figure`s; `lists` and `statistics`
compare them with the runs of the record, which `samples` holds. What is read and what confirmed
means is in docs/claims.md.
"""

from __future__ import annotations

from speedcheck.claims.documents import document_claims
from speedcheck.claims.model import DocumentClaims, Shortfall

__all__ = ["DocumentClaims", "Shortfall", "document_claims"]
