"""What the pictures of a record show, as numbers: everything that a drawing needs, computed."""

from __future__ import annotations

from speedcheck.figures.gather import figures_of
from speedcheck.figures.model import RecordFigures

__all__ = ["RecordFigures", "figures_of"]
