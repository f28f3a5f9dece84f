"""Vectors as points in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from funcdl.plot.canvas import COLORS, DARK, new_axes, palette, without_frame
from transforms.errors import message
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Tell classes apart whose colours are the same.
_MARKERS = "o^sDvP"


def embeddings(
    vectors: Array,
    classes: Array | None = None,
    *,
    names: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw vectors as points in the plane of their two principal components.

    Vectors of length two are drawn as they are.

    Args:
        vectors: of shape [points, features], with at least two features.
        classes: integers in [0, classes), shape [points]: the points' colours.
        names: of the classes, for a legend.
        texts: one for each point, written beside it.
        ax: the axes to draw on; those of a new figure by default.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``vectors``, ``classes`` or ``texts`` has another shape, or there are classes without a
            name.

    Source: Pearson, 1901, "On lines and planes of closest fit to systems of points in space".

    >>> vectors = np.array([[0.0, 0.0, 1.0], [0.0, 2.0, 1.0], [5.0, 1.0, 1.0]])
    >>> axes = embeddings(vectors, np.array([0, 0, 1]), names=["left", "right"])
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['left', 'right']
    """
    where = "plot.embeddings"
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] < 2 or not len(vectors):
        rule = "have the shape [points, features], with at least two features"
        raise ValueError(message(where, "vectors", rule, vectors.shape))
    groups = np.zeros(len(vectors), int) if classes is None else np.asarray(classes)
    if groups.shape != (len(vectors),) or groups.dtype.kind not in "iu":
        rule = f"hold integers of shape ({len(vectors)},), one for each point"
        raise ValueError(message(where, "classes", rule, f"{groups.dtype} of shape {groups.shape}"))
    if names is not None and len(names) <= np.max(groups):
        raise ValueError(message(where, "names", f"be {np.max(groups) + 1}, one for each class", len(names)))
    if texts is not None and len(texts) != len(vectors):
        raise ValueError(message(where, "texts", f"be {len(vectors)}, one for each point", len(texts)))
    ax = new_axes("embeddings", ax, 5, 5)
    points = vectors if vectors.shape[1] == 2 else _principal_components(vectors)
    colors = palette(int(np.max(groups)) + 1)
    for group in np.unique(groups):
        own = points[groups == group]
        label = None if names is None else names[group]
        marker = _MARKERS[group // len(COLORS) % len(_MARKERS)]
        look = {"color": colors[group], "marker": marker, "edgecolors": "white", "linewidths": 0.4}
        ax.scatter(own[:, 0], own[:, 1], s=18, label=label, **look)
    for text, (x, y) in zip(texts or (), points, strict=False):
        ax.annotate(str(text), (x, y), (3, 3), textcoords="offset points", fontsize="small", color=DARK)
    without_frame(ax)
    if names is not None:
        ax.legend(frameon=False, labelcolor=DARK, fontsize="small")
    return ax


def _principal_components(vectors: Array) -> Array:
    centred = vectors - np.mean(vectors, axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = axes[:2]
    if len(plane) < 2:
        plane = np.concatenate([plane, np.zeros_like(plane)])
    # The sign of an axis is no one's choice; the largest entry is made positive, so that pictures repeat.
    signs = np.sign(np.take_along_axis(plane, np.argmax(np.abs(plane), axis=1)[:, None], axis=1))
    return centred @ (plane * np.where(signs == 0, 1, signs)).T
