"""What a convolution looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funcdl.plot.canvas import grid_shape, pyplot, without_frame
from transforms.errors import message
from transforms.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

_RED_GREEN_BLUE = 3


def filters(kernel: Array, *, figure: FigureBase | None = None) -> FigureBase:
    """Draw the windows of a convolution of images, a panel for each feature.

    With three channels a panel is in colour, and grey is 0. With one channel red is positive, blue negative
    and white 0. With another number there is a row of panels for each feature, with one for each channel. All
    panels have the same scale.

    Args:
        kernel: of shape [height, width, channels, features], as `funcdl.nn.conv` has it.
        figure: the figure or subfigure to draw on; a new one by default.

    Returns:
        The figure.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: ``kernel`` has another shape.

    >>> figure = filters(np.random.default_rng(0).normal(size=(3, 3, 1, 8)))
    >>> sum(len(axes.images) for axes in figure.axes)
    8
    """
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        rule = "have the shape [height, width, channels, features]"
        raise ValueError(message("plot.filters", "kernel", rule, kernel.shape))
    module = pyplot("filters")
    channels, features = kernel.shape[2:]
    # NaN, as a diverged network has it, is drawn as 0.
    scaled = np.nan_to_num(kernel / max(float(np.nanmax(np.abs(kernel))), 1e-30))
    if channels in (1, _RED_GREEN_BLUE):
        rows, columns = grid_shape(features)
        pictures = [scaled[..., feature] for feature in range(features)]
    else:
        rows, columns = features, channels
        pictures = [scaled[:, :, c : c + 1, f] for f in range(features) for c in range(channels)]
    if figure is None:
        size = max(0.35, min(0.9, 10 / columns))
        figure = module.figure(figsize=(size * columns, size * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels:
        without_frame(ax)
    for ax, picture in zip(panels, pictures, strict=False):
        if channels == _RED_GREEN_BLUE:
            ax.imshow((1 + picture) / 2)
        else:
            ax.imshow(picture[..., 0], cmap="RdBu_r", vmin=-1, vmax=1)
    return figure
