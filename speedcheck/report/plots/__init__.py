"""Pictures of a record, a race or a series by matplotlib: one function a picture, no arithmetic."""

from __future__ import annotations

from speedcheck.report.plots.draw import (
    Picture,
    can_draw,
    draw_history,
    draw_pictures,
    draw_race,
    require_matplotlib,
)
from speedcheck.report.plots.png import write_pngs

__all__ = [
    "Picture",
    "can_draw",
    "draw_history",
    "draw_pictures",
    "draw_race",
    "require_matplotlib",
    "write_pngs",
]
