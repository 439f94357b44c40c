"""Pages of a record, a race or a series: each is one HTML file that loads and sends nothing."""

from __future__ import annotations

from speedcheck.report.html.page import history_page, race_page, record_page, require_jinja

__all__ = ["history_page", "race_page", "record_page", "require_jinja"]
