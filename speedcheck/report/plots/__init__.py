"""Pictures of a record or a series by matplotlib: one function a picture, no arithmetic."""

from __future__ import annotations

from speedcheck.report.plots.draw import (
    Picture,
    can_draw,
    draw_history,
    draw_pictures,
    require_matplotlib,
)
from speedcheck.report.plots.files import write_pngs

__all__ = [
    "Picture",
    "can_draw",
    "draw_history",
    "draw_pictures",
    "require_matplotlib",
    "write_pngs",
]
