"""What all pictures share: matplotlib, imported when it is needed, colours, and bare axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from funcdl._extras import load
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision tell apart; they repeat after the seventh.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
FAINT = "#d8d8d8"
DARK = "#404040"


def pyplot(caller: str) -> Any:
    """Return ``matplotlib.pyplot``.

    Raises:
        ImportError: matplotlib is not installed; names the caller and the extra.
    """
    return load("matplotlib.pyplot", "plot", f"plot.{caller}")


def new_axes(caller: str, ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or those of a new figure of this size in inches."""
    module = pyplot(caller)
    if ax is not None:
        return ax
    axes: Axes = module.figure(figsize=(width, height), layout="constrained").add_subplot()
    return axes


def palette(classes: int) -> Array:
    """Return a colour for each class, as numbers in [0, 1], shape [classes, 3]."""
    channels = [[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in COLORS]
    return np.resize(channels, (classes, 3))


def without_frame(ax: Axes) -> None:
    """Take the ticks and the frame off axes."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def grid_shape(panels: int) -> tuple[int, int]:
    """Return the rows and columns of a grid that is about square, and no taller than wide.

    >>> grid_shape(7)
    (2, 4)
    """
    columns = math.ceil(math.sqrt(panels))
    if panels > columns and panels % columns:
        columns = math.ceil(panels / math.ceil(panels / (columns + 1)))
    return math.ceil(panels / columns), columns
