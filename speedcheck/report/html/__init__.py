"""The page of a record: one HTML file that loads nothing and sends nothing."""

from __future__ import annotations

from speedcheck.report.html.page import record_page, require_jinja

__all__ = ["record_page", "require_jinja"]
