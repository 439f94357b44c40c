"""Figures that somebody printed, recomputed: confirmed at the digits that they print.

`published_claims` looks at record.toml, `document_claims` at the Markdown files of the folder.
"""

from __future__ import annotations

from speedcheck.claims.numbers import agrees
from speedcheck.claims.published import published_claims

__all__ = ["agrees", "published_claims"]
