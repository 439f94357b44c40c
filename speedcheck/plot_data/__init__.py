"""What the pictures of a record show, as numbers: everything that a drawing needs, computed."""

from __future__ import annotations

from speedcheck.plot_data.collect import plot_data_of
from speedcheck.plot_data.pictures import PlotData

__all__ = ["PlotData", "plot_data_of"]
