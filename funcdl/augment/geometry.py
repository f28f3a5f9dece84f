"""Images moved: flipped, cropped, shifted, rotated."""

from __future__ import annotations

import math

import numpy as np

from funcdl import random
from funcdl.augment.arguments import check_at_least, check_image, pair
from funcdl.augment.sampling import bilinear, resized_box
from transforms import at, type_of
from transforms.errors import message
from transforms.types import Array


def random_flip(key: Array, image: Array, *, probability: float = 0.5, axis: int = 1) -> Array:
    """Mirror an image, or leave it.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        probability: of mirroring, in [0, 1].
        axis: 1 exchanges left and right, 0 top and bottom.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or an option is out of range.

    >>> random_flip(random.key(0), np.array([[[1.0], [2.0]]]), probability=1.0)[0, :, 0]
    array([2., 1.])
    """
    check_image("augment.random_flip", image)
    if axis not in (0, 1):
        raise ValueError(message("augment.random_flip", "axis", "be 0 or 1", axis))
    if not 0 <= probability <= 1:
        raise ValueError(message("augment.random_flip", "probability", "be in [0, 1]", probability))
    return np.where(random.bernoulli(key, float(probability)), np.flip(image, axis), image)


def random_crop(key: Array, image: Array, size: int | tuple[int, int], *, padding: int = 0) -> Array:
    """Cut out a part of an image at a random place.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        size: height and width of the part; one number stands for both.
        padding: number of rows and columns of zeros that are put around the image before.

    Returns:
        Array of shape ``(*size, channels)`` and the image's dtype.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, the padding is negative, or the part is larger than the
            padded image.

    >>> random_crop(random.key(0), np.ones((28, 28, 1)), 24).shape
    (24, 24, 1)
    """
    where = "augment.random_crop"
    check_image(where, image)
    height, width = pair(where, "size", size, least=1)
    before, beside = pair(where, "padding", padding, least=0)
    if before or beside:
        image = np.pad(image, ((before, before), (beside, beside), (0, 0)))
    free = image.shape[0] - height, image.shape[1] - width
    if min(free) < 0:
        rule = f"be at most the height and width of the padded image, {tuple(image.shape[:2])}"
        raise ValueError(message(where, "size", rule, (height, width)))
    corner = random.randint(key, (2,), 0, np.array(free) + 1)
    rows = at(image)[corner[0] + np.arange(height)].get()
    return at(rows)[:, corner[1] + np.arange(width)].get()


def random_resized_crop(
    key: Array,
    image: Array,
    size: int | tuple[int, int],
    *,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
) -> Array:
    """Cut out a part of random size, shape and place, and bring it to one size.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        size: height and width of the result; one number stands for both.
        area: least and greatest share of the image's area, in (0, 1]; uniform between them.
        aspect: least and greatest ratio of the part's width to its height, positive; its logarithm is
            uniform between theirs. A part that would stick out of the image is cut at its border.

    Returns:
        Array of shape ``(*size, channels)`` and the image's dtype, interpolated as by `resize`.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or an option is out of range.

    Source: Szegedy et al., "Going deeper with convolutions", 2014, arXiv:1409.4842.

    >>> random_resized_crop(random.key(0), np.ones((28, 28, 1), np.float32), 24).shape
    (24, 24, 1)
    """
    where = "augment.random_resized_crop"
    check_image(where, image)
    size = pair(where, "size", size, least=1)
    if not 0 < area[0] <= area[1] <= 1:
        raise ValueError(message(where, "area", "be two ascending numbers in (0, 1]", area))
    if not 0 < aspect[0] <= aspect[1] < math.inf:
        raise ValueError(message(where, "aspect", "be two ascending positive numbers", aspect))
    height, width = image.shape[:2]
    area_key, aspect_key, row_key, column_key = random.split(key, 4)
    dtype = type_of(image).dtype
    pixels = height * width * random.uniform(area_key, (), dtype, area[0], area[1])
    ratio = np.exp(random.uniform(aspect_key, (), dtype, math.log(aspect[0]), math.log(aspect[1])))
    box = np.minimum(np.sqrt(pixels / ratio), height), np.minimum(np.sqrt(pixels * ratio), width)
    top = (height - box[0]) * random.uniform(row_key, (), dtype)
    left = (width - box[1]) * random.uniform(column_key, (), dtype)
    return resized_box(image, (top, left), box, size)


def shift(image: Array, offset: Array, *, fill: float = 0.0) -> Array:
    """Move an image, also by fractions of a pixel.

    Args:
        image: floating, shape (height, width, channels).
        offset: how many rows down and how many columns to the right, shape (2,).
        fill: the value of what comes in from outside.

    Returns:
        Array like the image, by bilinear interpolation. It can be differentiated by the offset.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape.

    >>> shift(np.array([[[1.0], [2.0], [3.0]]]), (0, 1))[0, :, 0]
    array([0., 1., 2.])
    """
    check_image("augment.shift", image)
    rows, columns = _grid(image)
    return bilinear(image, rows - offset[0], columns - offset[1], fill=fill)


def random_shift(key: Array, image: Array, limit: int | tuple[int, int], *, fill: float = 0.0) -> Array:
    """Move an image by whole pixels.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        limit: greatest number of rows and of columns, at least 0; one number stands for both.
        fill: the value of what comes in from outside.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or the limit is negative.

    >>> random_shift(random.key(1), np.array([[[1.0], [2.0], [3.0]]]), (0, 1))[0, :, 0]
    array([0., 1., 2.])
    """
    check_image("augment.random_shift", image)
    limits = np.array(pair("augment.random_shift", "limit", limit, least=0))
    offset = random.randint(key, (2,), -limits, limits + 1)
    return shift(image, offset.astype(type_of(image).dtype), fill=fill)


def rotate(image: Array, angle: Array, *, fill: float = 0.0) -> Array:
    """Turn an image about its centre; the corners are cut off.

    Args:
        image: floating, shape (height, width, channels).
        angle: in degrees, counter-clockwise as one looks at it with the first row on top.
        fill: the value of what comes in from outside.

    Returns:
        Array like the image, by bilinear interpolation. It can be differentiated by the angle.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape.

    >>> rotate(np.array([[[1.0], [2.0]], [[3.0], [4.0]]]), 90.0)[..., 0].round(6)
    array([[2., 4.],
           [1., 3.]])
    """
    check_image("augment.rotate", image)
    rows, columns = _grid(image)
    middle = (image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2
    down, right = rows - middle[0], columns - middle[1]
    turned = angle * (math.pi / 180)
    cosine, sine = np.cos(turned), np.sin(turned)
    source_rows = middle[0] + cosine * down + sine * right
    return bilinear(image, source_rows, middle[1] + cosine * right - sine * down, fill=fill)


def random_rotation(key: Array, image: Array, limit: float, *, fill: float = 0.0) -> Array:
    """Turn an image about its centre by a random angle.

    Args:
        key: random key.
        image: floating, shape (height, width, channels).
        limit: greatest angle in degrees, at least 0; the angle is uniform between it and its negative.
        fill: the value of what comes in from outside.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or the limit is negative.

    >>> random_rotation(random.key(0), np.ones((28, 28, 1), np.float32), 15.0).shape
    (28, 28, 1)
    """
    check_image("augment.random_rotation", image)
    check_at_least("augment.random_rotation", "limit", limit, 0)
    angle = random.uniform(key, (), type_of(image).dtype, -limit, limit)
    return rotate(image, angle, fill=fill)


def _grid(image: Array) -> tuple[Array, Array]:
    """Return the row and the column of every pixel, each of shape (height, width)."""
    height, width = image.shape[:2]
    dtype = type_of(image).dtype
    rows = np.broadcast_to(np.arange(height, dtype=dtype)[:, np.newaxis], (height, width))
    return rows, np.broadcast_to(np.arange(width, dtype=dtype), (height, width))
