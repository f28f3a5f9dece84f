"""Pictures of what was learned. They need matplotlib: ``pip install "funcdl[plot]"``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from funcdl import functional
from transforms.errors import message
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

# Okabe and Ito's colours, which people with any colour vision tell apart; they repeat after the seventh.
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_FAINT = "#d8d8d8"
_DARK = "#404040"


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
    pyplot = _pyplot("decision_boundary")
    _check_points(x, y)
    if ax is None:
        ax = pyplot.figure(figsize=(5, 5), layout="constrained").add_subplot()
    low, high = _padded_limits(x)
    sides = np.linspace(low, high, resolution, dtype=x.dtype).T
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    probabilities = _probabilities(predict, grid)
    classes = probabilities.shape[-1]
    palette = _palette(classes)

    certainty = (np.max(probabilities, axis=-1, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    strength = 0.12 + 0.33 * certainty
    colors = 1 - strength * (1 - palette[np.argmax(probabilities, axis=-1)])
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(colors, extent=extent, origin="lower", interpolation="bilinear")
    for index in range(classes):
        others = np.max(np.delete(probabilities, index, axis=-1), axis=-1)
        lead = probabilities[..., index] - others
        ax.contour(*sides, lead, levels=[0], colors="white", linewidths=1.2)
    ax.scatter(x[:, 0], x[:, 1], c=palette[y], s=20, edgecolors="white", linewidths=0.5, zorder=3)
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=extent[:2], ylim=extent[2:])
    ax.spines[:].set_visible(False)
    return ax


def learning_curves(
    history: Mapping[str, Sequence[float]], *, figure: FigureBase | None = None
) -> FigureBase:
    """Draw how the measured values changed from epoch to epoch, one panel for each.

    A value and its ``val_`` twin share a panel.

    Args:
        history: a value per epoch, by name, as `funcdl.training.fit` returns it.
        figure: the figure or subfigure to draw on; a new one by default.

    Returns:
        The figure.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the history is empty.

    >>> figure = learning_curves({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "accuracy": [0.5, 0.9]})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['loss', 'accuracy']
    """
    pyplot = _pyplot("learning_curves")
    titles = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    if not titles:
        raise ValueError(message("plot.learning_curves", "the history", "have an entry", "none"))
    if figure is None:
        figure = pyplot.figure(figsize=(6, 2.5 * len(titles)), layout="constrained")
    panels = figure.subplots(len(titles), sharex=True, squeeze=False)[:, 0]
    for title, ax in zip(titles, panels, strict=True):
        _draw_curves(ax, title, history)
    panels[-1].set_xlabel("epoch", color=_DARK)
    return figure


def _draw_curves(ax: Axes, title: str, history: Mapping[str, Sequence[float]]) -> None:
    for name, label, color in ((title, "training", _COLORS[0]), (f"val_{title}", "validation", _COLORS[5])):
        if name in history:
            epochs = range(1, len(history[name]) + 1)
            ax.plot(epochs, history[name], color=color, label=label, linewidth=1.5)
    ax.set_title(title, loc="left", fontsize="medium", color=_DARK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(_DARK)
    ax.tick_params(colors=_DARK)
    ax.grid(axis="y", color=_FAINT, linewidth=0.6)
    if f"val_{title}" in history:
        ax.legend(frameon=False)


def _pyplot(caller: str) -> Any:
    try:
        return importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        remedy = 'install it with pip install "funcdl[plot]"'
        raise ImportError(message(f"plot.{caller}", "matplotlib", "be installed", error, remedy)) from error


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


def _palette(classes: int) -> Array:
    channels = [[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in _COLORS]
    return np.resize(channels, (classes, 3))
