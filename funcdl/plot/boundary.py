"""The regions of a classifier in the plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from funcdl import functional
from funcdl.plot.canvas import new_axes, palette, without_frame
from transforms.errors import message
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decision_boundary(
    predict: Callable[[Array], Array], x: Array, y: Array, *, ax: Axes | None = None, resolution: int = 300
) -> Axes:
    """Draw the regions of a classifier in the plane, and the points that it learned from.

    A region has the colour of its class, the paler the less certain the classifier is there.

    Args:
        predict: maps points of shape [n, 2] to logits of shape [n, classes].
        x: points, shape [points, 2].
        y: their classes, integers in [0, classes), shape [points].
        ax: the axes to draw on; those of a new figure by default.
        resolution: number of points along each side at which the classifier is asked, at least 2.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``x``, ``y`` or the logits have another shape.

    >>> points, classes = np.array([[-1.0, 0.0], [1.0, 0.5]]), np.array([0, 1])
    >>> axes = decision_boundary(lambda x: x, points, classes, resolution=50)
    >>> len(axes.images), len(axes.collections)
    (1, 3)
    """
    ax = new_axes("decision_boundary", ax, 5, 5)
    _check_points(x, y)
    low, high = _padded_limits(x)
    sides = np.linspace(low, high, resolution, dtype=x.dtype).T
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    probabilities = _probabilities(predict, grid)
    classes = probabilities.shape[-1]
    colors = palette(classes)

    certainty = (np.max(probabilities, axis=-1, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    strength = 0.12 + 0.33 * certainty
    shades = 1 - strength * (1 - colors[np.argmax(probabilities, axis=-1)])
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(shades, extent=extent, origin="lower", interpolation="bilinear")
    for index in range(classes):
        others = np.max(np.delete(probabilities, index, axis=-1), axis=-1)
        lead = probabilities[..., index] - others
        ax.contour(*sides, lead, levels=[0], colors="white", linewidths=1.2)
    ax.scatter(x[:, 0], x[:, 1], c=colors[y], s=20, edgecolors="white", linewidths=0.5, zorder=3)
    ax.set(aspect="equal", xlim=extent[:2], ylim=extent[2:])
    without_frame(ax)
    return ax


def _check_points(x: Array, y: Array) -> None:
    if np.ndim(x) != 2 or np.shape(x)[1] != 2:
        raise ValueError(message("plot.decision_boundary", "x", "have shape [points, 2]", np.shape(x)))
    if np.shape(y) != np.shape(x)[:1]:
        rule = f"have shape {np.shape(x)[:1]}, one class for each point"
        raise ValueError(message("plot.decision_boundary", "y", rule, np.shape(y)))


def _padded_limits(x: Array) -> tuple[Array, Array]:
    low, high = np.min(x, axis=0), np.max(x, axis=0)
    padding = 0.08 * np.max(high - low)
    return low - padding, high + padding


def _probabilities(predict: Callable[[Array], Array], grid: Array) -> Array:
    logits = predict(grid.reshape(-1, 2))
    if np.ndim(logits) != 2 or np.shape(logits)[1] < 2:
        rule = "return logits of shape [points, classes]"
        raise ValueError(message("plot.decision_boundary", "predict", rule, np.shape(logits)))
    return functional.softmax(logits).reshape(*grid.shape[:-1], -1)
