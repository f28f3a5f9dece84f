"""Images in other colours. Values lie in [0, 1], and channels are red, green and blue."""

from __future__ import annotations

import numpy as np

from funcdl import random
from funcdl.augment.arguments import check_at_least, check_image
from transforms import type_of
from transforms.errors import message
from transforms.types import Array

# The share of each colour in the brightness that is seen (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


def grayscale(image: Array) -> Array:
    """Return the brightness of each pixel, ``0.299 * red + 0.587 * green + 0.114 * blue``.

    Args:
        image: floating, shape (height, width, 3), or (height, width, 1), which stays as it is.

    Returns:
        Array of shape (height, width, 1) and the image's dtype.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    Source: ITU-R BT.601.

    >>> grayscale(np.array([[[1.0, 0.0, 0.0]]]))
    array([[[0.299]]])
    """
    check_image("augment.grayscale", image)
    if image.shape[2] == 1:
        return image
    check_image("augment.grayscale", image, channels=3)
    return image @ np.array(LUMA, type_of(image).dtype)[:, np.newaxis]


def adjust_brightness(image: Array, factor: Array) -> Array:
    """Make an image brighter or darker: ``clip(factor * image, 0, 1)``.

    Args:
        image: floating, values in [0, 1], shape (height, width, channels).
        factor: at least 0; 1 changes nothing.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    >>> adjust_brightness(np.array([[[0.25], [0.75]]]), 2.0)[0, :, 0]
    array([0.5, 1. ])
    """
    check_image("augment.adjust_brightness", image)
    return np.clip(factor * image, 0, 1)


def adjust_contrast(image: Array, factor: Array) -> Array:
    """Pull all pixels towards the mean brightness, or away from it.

    ``clip(mean + factor * (image - mean), 0, 1)``, where ``mean`` is that of the `grayscale` image.

    Args:
        image: floating, values in [0, 1], shape (height, width, 1 or 3).
        factor: at least 0; 1 changes nothing, 0 makes everything equal.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    >>> adjust_contrast(np.array([[[0.25], [0.75]]]), 0.5)[0, :, 0]
    array([0.375, 0.625])
    """
    check_image("augment.adjust_contrast", image)
    return _blend(np.mean(grayscale(image)), image, factor)


def adjust_saturation(image: Array, factor: Array) -> Array:
    """Pull the colour of every pixel towards its brightness, or away from it.

    ``clip(gray + factor * (image - gray), 0, 1)``, where ``gray`` is the `grayscale` image.

    Args:
        image: floating, values in [0, 1], shape (height, width, 3).
        factor: at least 0; 1 changes nothing, 0 takes all colour away.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    >>> adjust_saturation(np.array([[[1.0, 0.0, 0.0]]]), 0.0)
    array([[[0.299, 0.299, 0.299]]])
    """
    check_image("augment.adjust_saturation", image, channels=3)
    return _blend(grayscale(image), image, factor)


def adjust_hue(image: Array, turn: Array) -> Array:
    """Turn the circle of colours: red becomes yellow, green, cyan, blue, magenta, red.

    Args:
        image: floating, values in [0, 1], shape (height, width, 3).
        turn: in whole turns: 1/3 makes red green, and 1 changes nothing.

    Returns:
        Array like the image. Brightest and darkest channel of each pixel keep their values.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has another shape.

    >>> adjust_hue(np.array([[[1.0, 0.0, 0.0]]]), 1 / 2)
    array([[[0., 1., 1.]]])
    """
    check_image("augment.adjust_hue", image, channels=3)
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    high = np.max(image, axis=-1)
    chroma = high - np.min(image, axis=-1)
    divisor = np.where(chroma == 0, np.ones_like(chroma), chroma)
    after_green = np.where(high == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    hue = np.where(high == red, (green - blue) / divisor, after_green) + 6 * turn
    # Seen along the circle, a channel is high for a third of it, low for a third, and linear between.
    distances = [np.mod(hue + offset, 6) for offset in (5, 3, 1)]
    channels = [high - chroma * np.clip(np.minimum(away, 4 - away), 0, 1) for away in distances]
    return np.stack(channels, axis=-1).astype(type_of(image).dtype)


def color_jitter(
    key: Array,
    image: Array,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Array:
    """Change brightness, contrast, saturation and hue at random, one after the other.

    Args:
        key: random key.
        image: floating, values in [0, 1], shape (height, width, channels).
        brightness: its factor is uniform in ``[max(0, 1 - brightness), 1 + brightness]``; 0 leaves it out.
        contrast: the same for contrast.
        saturation: the same for saturation, which needs three channels.
        hue: the turn is uniform in ``[-hue, hue]``, in [0, 0.5]; it needs three channels.

    Returns:
        Array like the image.

    Raises:
        TypeError: the image is not floating.
        ValueError: the image has another shape, or an option is out of range.

    >>> image = np.full((2, 2, 3), 0.5, np.float32)
    >>> color_jitter(random.key(0), image, brightness=0.2, hue=0.1).shape
    (2, 2, 3)
    """
    where = "augment.color_jitter"
    check_image(where, image)
    adjustments = {
        "brightness": (adjust_brightness, brightness),
        "contrast": (adjust_contrast, contrast),
        "saturation": (adjust_saturation, saturation),
    }
    *factor_keys, hue_key = random.split(key, 4)
    dtype = type_of(image).dtype
    for factor_key, (name, (adjust, strength)) in zip(factor_keys, adjustments.items(), strict=True):
        check_at_least(where, name, strength, 0)
        if strength:
            low, high = max(0.0, 1.0 - strength), 1.0 + strength
            image = adjust(image, random.uniform(factor_key, (), dtype, low, high))
    if not 0 <= hue <= 0.5:
        raise ValueError(message(where, "hue", "be in [0, 0.5]", hue))
    return adjust_hue(image, random.uniform(hue_key, (), dtype, -hue, hue)) if hue else image


def _blend(base: Array, image: Array, factor: Array) -> Array:
    return np.clip(base + factor * (image - base), 0, 1)
