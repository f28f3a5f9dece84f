"""How measured values changed while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from funcdl.plot.canvas import COLORS, DARK, FAINT, pyplot
from transforms.errors import message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase


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
    module = pyplot("learning_curves")
    titles = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    if not titles:
        raise ValueError(message("plot.learning_curves", "the history", "have an entry", "none"))
    if figure is None:
        figure = module.figure(figsize=(6, 2.5 * len(titles)), layout="constrained")
    panels = figure.subplots(len(titles), sharex=True, squeeze=False)[:, 0]
    for title, ax in zip(titles, panels, strict=True):
        _draw_curves(ax, title, history)
    panels[-1].set_xlabel("epoch", color=DARK)
    return figure


def _draw_curves(ax: Axes, title: str, history: Mapping[str, Sequence[float]]) -> None:
    for name, label, color in ((title, "training", COLORS[0]), (f"val_{title}", "validation", COLORS[5])):
        if name in history:
            epochs = range(1, len(history[name]) + 1)
            ax.plot(epochs, history[name], color=color, label=label, linewidth=1.5)
    ax.set_title(title, loc="left", fontsize="medium", color=DARK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(DARK)
    ax.tick_params(colors=DARK)
    ax.grid(axis="y", color=FAINT, linewidth=0.6)
    if f"val_{title}" in history:
        ax.legend(frameon=False)
