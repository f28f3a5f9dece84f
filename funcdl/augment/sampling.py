"""Values of an image between its pixels."""

from __future__ import annotations

import numpy as np

from funcdl.augment.arguments import check_image, pair
from transforms import at, type_of
from transforms.types import Array


def bilinear(image: Array, rows: Array, columns: Array, *, fill: float = 0.0) -> Array:
    """Return values of an image at places between its pixels.

    The value is linear along both axes between the centres of four pixels. Outside of the image all
    pixels have the value ``fill``.

    Args:
        image: floating, shape (height, width, channels).
        rows: places along the height, 0 for the centre of the first row, floating.
        columns: places along the width, of the same shape.
        fill: the value outside.

    Returns:
        Array of shape ``(*rows.shape, channels)`` and the image's dtype. It can be differentiated by the
        image and by the places.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    >>> bilinear(np.arange(6.0).reshape(2, 3, 1), np.array([0.0, 0.5]), np.array([1.0, 1.5]))
    array([[1.],
           [3.]])
    """
    check_image("augment.bilinear", image)
    top, left = np.floor(rows), np.floor(columns)
    down, right = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    upper = _pixel(image, top, left, fill) * (1 - right) + _pixel(image, top, left + 1, fill) * right
    lower = _pixel(image, top + 1, left, fill) * (1 - right) + _pixel(image, top + 1, left + 1, fill) * right
    return (upper * (1 - down) + lower * down).astype(type_of(image).dtype)


def _pixel(image: Array, row: Array, column: Array, fill: float) -> Array:
    height, width, channels = image.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    index = np.clip(row, 0, height - 1) * width + np.clip(column, 0, width - 1)
    pixels = at(image.reshape(-1, channels))[index.astype(np.intp)].get()
    return np.where(inside[..., np.newaxis], pixels, np.asarray(fill, type_of(image).dtype))


def resize(image: Array, size: int | tuple[int, int]) -> Array:
    """Return an image of another size, by bilinear interpolation.

    The outermost pixels are continued over the border. There is no smoothing before an image is made
    smaller.

    Args:
        image: floating, shape (height, width, channels).
        size: the new height and width, each at least 1; one number stands for both.

    Returns:
        Array of shape ``(*size, channels)`` and the image's dtype.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or the size is below 1.

    >>> resize(np.array([[[0.0], [4.0]]]), (1, 4))[0, :, 0]
    array([0., 1., 3., 4.])
    """
    check_image("augment.resize", image)
    size = pair("augment.resize", "size", size, least=1)
    return resized_box(image, (0.0, 0.0), image.shape[:2], size)


def resized_box(image: Array, corner: Array, box: Array, size: tuple[int, int]) -> Array:
    """Return the part of an image in a box, brought to a size.

    Args:
        image: floating, shape (height, width, channels).
        corner: the box's upper and left edge, in pixels from the image's corner.
        box: its height and width in pixels.
        size: the height and width of the result.
    """
    dtype = type_of(image).dtype
    places = []
    for axis in range(2):
        centres = (np.arange(size[axis], dtype=dtype) + 0.5) / size[axis]
        places.append(np.clip(corner[axis] + box[axis] * centres - 0.5, 0, image.shape[axis] - 1))
    shape = (size[0], size[1])
    rows = np.broadcast_to(places[0][:, np.newaxis], shape)
    return bilinear(image, rows, np.broadcast_to(places[1][np.newaxis], shape))
