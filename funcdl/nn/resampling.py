"""Layers that make spatial axes longer or shorter."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from funcdl import functional
from funcdl.nn.layer import Layer, from_function


def upsample(factors: int | Sequence[int], *, method: str = "nearest") -> Layer:
    """Make spatial axes longer by whole factors.

    Args:
        factors: positive; one for all spatial axes or one for each.
        method: "nearest" repeats elements; "linear" (bilinear for images) interpolates between them.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *(length * factor), channels)``.

    Raises:
        ValueError: from the layer, an option does not fit ``x``.

    >>> import numpy as np
    >>> upsample(2)((), np.ones((8, 7, 7, 3))).shape
    (8, 14, 14, 3)
    """
    return from_function("upsample", functools.partial(functional.upsample, factors=factors, method=method))


def zero_pad(padding: Any) -> Layer:
    """Put zeros around the spatial axes.

    Args:
        padding: how many: one number for all ends, or for each spatial axis a number for both ends or a
            pair (before, after), none negative.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *(before + length + after), channels)``.

    Raises:
        ValueError: from the layer, the padding does not fit ``x``.

    >>> import numpy as np
    >>> zero_pad(((1, 0), 2))((), np.ones((8, 7, 7, 3))).shape
    (8, 8, 11, 3)
    """
    return from_function("zero_pad", functools.partial(functional.zero_pad, padding=padding))


def crop(cropping: Any) -> Layer:
    """Cut elements off the ends of the spatial axes.

    Args:
        cropping: how many: one number for all ends, or for each spatial axis a number for both ends or a
            pair (before, after), none negative.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *(length - before - after), channels)``.

    Raises:
        ValueError: from the layer, the cropping does not fit ``x``.

    >>> import numpy as np
    >>> crop(((1, 0), 2))((), np.ones((8, 7, 7, 3))).shape
    (8, 6, 3, 3)
    """
    return from_function("crop", functools.partial(functional.crop, cropping=cropping))
