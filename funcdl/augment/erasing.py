"""Images with a part covered."""

from __future__ import annotations

import numpy as np

from funcdl import random
from funcdl.augment.arguments import check_image, pair
from transforms import type_of
from transforms.types import Array


def cutout(key: Array, image: Array, size: int | tuple[int, int], *, fill: float = 0.0) -> Array:
    """Cover a rectangle at a random place.

    Its centre is any pixel with the same probability, so that part of it may lie outside of the image.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        size: height and width of the rectangle, at least 1; one number stands for both.
        fill: the value that covers.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or the size is below 1.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017, arXiv:1708.04552.

    >>> cutout(random.key(1), np.ones((1, 5, 1)), (1, 2))[0, :, 0]
    array([1., 0., 0., 1., 1.])
    """
    check_image("augment.cutout", image)
    size = pair("augment.cutout", "size", size, least=1)
    height, width = image.shape[:2]
    corner = random.randint(key, (2,), 0, np.array([height, width])) - np.array(size) // 2
    inside = in_box(corner, corner + np.array(size), height, width)
    return np.where(inside[..., np.newaxis], np.asarray(fill, type_of(image).dtype), image)


def in_box(first: Array, last: Array, height: int, width: int) -> Array:
    """Return which pixels have ``first <= (row, column) < last``, boolean of shape (height, width)."""
    rows, columns = np.arange(height)[:, np.newaxis], np.arange(width)
    return (rows >= first[0]) & (rows < last[0]) & (columns >= first[1]) & (columns < last[1])
