"""How every picture looks: size, type, and the few colours, which a page maps to its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# In inches of 72 points. At 360 pixels the letters of the page's pictures are 10 pixels high.
WIDTH: Final = 4.3
HEIGHT: Final = 3.1
TALL: Final = 4.6
TEXT: Final = 10.5

# On a light ground. A page replaces each by the variable of its name, so that a dark one can
# have its own; no other colours are drawn.
INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
BLUE, ORANGE, RED, SHADE = "#0a5fc2", "#a14b00", "#c4161c", "#dbe9fb"
COLOURS: Final = {
    "ink": INK,
    "faint": FAINT,
    "grid": GRID,
    "paper": PAPER,
    "blue": BLUE,
    "orange": ORANGE,
    "red": RED,
    "shade": SHADE,
}

_SETTINGS: Final[Any] = {  # of any version of matplotlib
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "axes.titlesize": TEXT + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": TEXT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-5, 7),
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": PAPER,
    "legend.fontsize": TEXT - 1,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.solid_capstyle": "round",
    "text.color": INK,
    # A name with two dollar signs is a name.
    "text.parse_math": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": TEXT - 1,
    "ytick.labelsize": TEXT - 1,
    "svg.fonttype": "none",
    # Ids come from this word and not from chance: equal pictures are equal files.
    "svg.hashsalt": "speedcheck",
}


def styled() -> AbstractContextManager[None]:
    """Return the context in which pictures are drawn and saved."""
    return rc_context(_SETTINGS)


def new_figure(title: str, height: float = HEIGHT) -> Figure:
    """Return an empty picture with its title."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(title, x=0.015, ha="left", fontsize=TEXT + 1, fontweight="bold", color=INK)
    return figure


def new_axes(title: str, x: str, y: str, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return a picture of one plot.

    Args:
        title: what it shows.
        x: what the horizontal axis shows, with the unit.
        y: the same for the vertical one; "" for an axis without numbers.
        height: of the picture, in inches.
    """
    figure = new_figure(title, height)
    axes = figure.subplots()
    label(axes, x, y)
    return figure, axes


def label(axes: Axes, x: str, y: str) -> None:
    """Name the axes; a vertical axis without a name has no numbers."""
    axes.set_xlabel(x)
    axes.locator_params(axis="x", nbins=6)
    if y:
        axes.set_ylabel(y)
        axes.locator_params(axis="y", nbins=6)
    else:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)


def legend(axes: Axes, columns: int = 2) -> None:
    """Put the legend below the plot, where it hides nothing."""
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.22),
        ncols=columns,
        borderaxespad=0,
        handlelength=1.4,
        columnspacing=1.2,
    )
