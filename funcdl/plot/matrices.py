"""Matrices of numbers in [0, 1] as shades: which classes are confused, and where attention looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from funcdl.plot.canvas import COLORS, DARK, grid_shape, new_axes, pyplot
from transforms.errors import message
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

# A cell this dark has white text.
_DARK_CELL = 0.55
_MOST_WRITTEN = 25


def confusion_matrix(counts: Array, *, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw which classes were taken for which.

    A row is a true class, a column a predicted one; the shade of a cell is its share of the row. With up to
    25 classes the counts stand in the cells.

    Args:
        counts: integers of shape [classes, classes], as `funcdl.metrics.confusion_matrix` gives them.
        names: of the classes; their numbers by default.
        ax: the axes to draw on; those of a new figure by default.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``counts`` is not a square matrix, or the names are not as many.

    >>> axes = confusion_matrix(np.array([[9, 1], [2, 8]]), names=["cat", "dog"])
    >>> [text.get_text() for text in axes.texts]
    ['9', '1', '2', '8']
    """
    where = "plot.confusion_matrix"
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(message(where, "counts", "have the shape [classes, classes]", counts.shape))
    classes = len(counts)
    labels = _labels(where, "names", names, classes) or [str(index) for index in range(classes)]
    side = min(10.0, 1.8 + 0.45 * classes)
    ax = new_axes("confusion_matrix", ax, side, side)
    shares = counts / np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    _shade(ax, shares)
    if classes <= _MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > _DARK_CELL else DARK
            ax.text(column, row, str(count), ha="center", va="center", color=color, fontsize="small")
    _label(ax, labels, labels)
    ax.set_xlabel("predicted", color=DARK)
    ax.set_ylabel("true", color=DARK)
    return ax


def attention(
    weights: Array,
    *,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Draw how much each query looks at each key, one panel for each head.

    Args:
        weights: numbers in [0, 1] of shape [length, places] or [heads, length, places], as
            `funcdl.functional.attention_weights` gives them.
        queries: texts for the rows, such as tokens; none by default.
        keys: texts for the columns; none by default.
        figure: the figure or subfigure to draw on; a new one by default.

    Returns:
        The figure.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``weights`` has another shape, or the texts are not as many as rows or columns.

    >>> figure = attention(np.tri(3)[None] / 3, queries=["the", "cat", "sat"])
    >>> len(figure.axes)
    1
    """
    where = "plot.attention"
    weights = np.asarray(weights)
    if weights.ndim not in (2, 3) or 0 in weights.shape:
        rule = "have the shape [length, places] or [heads, length, places]"
        raise ValueError(message(where, "weights", rule, weights.shape))
    heads = weights[None] if weights.ndim == 2 else weights
    rows, columns = grid_shape(len(heads))
    labels = (
        _labels(where, "queries", queries, heads.shape[1]),
        _labels(where, "keys", keys, heads.shape[2]),
    )
    module = pyplot("attention")
    if figure is None:
        figure = module.figure(figsize=(3 * columns, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, ax in enumerate(panels):
        if index >= len(heads):
            ax.set_axis_off()
            continue
        _shade(ax, heads[index])
        _label(ax, *labels)
        if len(heads) > 1:
            ax.set_title(f"head {index}", loc="left", fontsize="medium", color=DARK)
    return figure


def _shade(ax: Axes, shares: Array) -> None:
    tint = np.array([int(COLORS[0][i : i + 2], 16) / 255 for i in (1, 3, 5)])
    ax.imshow(1 - np.clip(shares, 0, 1)[..., None] * (1 - tint), aspect="equal")
    ax.spines[:].set_color(DARK)


def _label(ax: Axes, rows: Sequence[str] | None, columns: Sequence[str] | None) -> None:
    ax.tick_params(length=0, colors=DARK)
    if rows is None:
        ax.set_yticks([])
    else:
        ax.set_yticks(range(len(rows)), rows)
    if columns is None:
        ax.set_xticks([])
    else:
        upright = sum(map(len, columns)) > 3 * len(columns)
        ax.set_xticks(range(len(columns)), columns, rotation=90 if upright else 0)


def _labels(where: str, what: str, texts: Sequence[str] | None, count: int) -> list[str] | None:
    if texts is None:
        return None
    if len(texts) != count:
        raise ValueError(message(where, what, f"be {count}, one for each", len(texts)))
    return [str(text) for text in texts]
