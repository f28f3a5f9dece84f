"""Pooling layers. Those over all of an image are plain functions, as in `funcdl.functional`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from funcdl import functional
from funcdl.functional.pooling import global_average_pool as global_average_pool
from funcdl.functional.pooling import global_max_pool as global_max_pool
from funcdl.nn.layer import Layer, from_function

Lengths = int | Sequence[int]


def max_pool(
    window: Lengths, *, strides: Lengths | None = None, padding: Any = "VALID", dilation: Lengths = 1
) -> Layer:
    """Largest element of each window of the spatial axes, for each channel.

    Args:
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: "VALID" for none, "SAME" for ``ceil(length / stride)`` windows, or for each spatial axis
            the number of elements before and after, as a pair or one number for both. What is padded is
            never the largest.
        dilation: steps between neighbouring elements of a window, positive.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *counts, channels)``.

    Raises:
        ValueError: from the layer, an option does not fit ``x``.

    >>> import numpy as np
    >>> max_pool(2)((), np.ones((8, 28, 28, 3))).shape
    (8, 14, 14, 3)
    """
    pool = functools.partial(
        functional.max_pool, window=window, strides=strides, padding=padding, dilation=dilation
    )
    return from_function("max_pool", pool)


def min_pool(
    window: Lengths, *, strides: Lengths | None = None, padding: Any = "VALID", dilation: Lengths = 1
) -> Layer:
    """Smallest element of each window of the spatial axes, for each channel.

    Args:
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: as in `max_pool`. What is padded is never the smallest.
        dilation: steps between neighbouring elements of a window, positive.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *counts, channels)``.

    Raises:
        ValueError: from the layer, an option does not fit ``x``.

    >>> import numpy as np
    >>> min_pool((1, 2))((), np.ones((8, 28, 28, 3))).shape
    (8, 28, 14, 3)
    """
    pool = functools.partial(
        functional.min_pool, window=window, strides=strides, padding=padding, dilation=dilation
    )
    return from_function("min_pool", pool)


def average_pool(
    window: Lengths,
    *,
    strides: Lengths | None = None,
    padding: Any = "VALID",
    dilation: Lengths = 1,
    count_padding: bool = False,
) -> Layer:
    """Mean of each window of the spatial axes, for each channel.

    Args:
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: as in `max_pool`.
        dilation: steps between neighbouring elements of a window, positive.
        count_padding: whether what is padded counts, as zeros.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *counts, channels)``.

    Raises:
        ValueError: from the layer, an option does not fit ``x``.

    >>> import numpy as np
    >>> average_pool(3, strides=2, padding="SAME")((), np.ones((8, 28, 28, 3))).shape
    (8, 14, 14, 3)
    """
    pool = functools.partial(
        functional.average_pool,
        window=window,
        strides=strides,
        padding=padding,
        dilation=dilation,
        count_padding=count_padding,
    )
    return from_function("average_pool", pool)


def adaptive_max_pool(lengths: Lengths) -> Layer:
    """Largest element of each of as many windows as wanted, which cover each spatial axis evenly.

    Args:
        lengths: of the spatial axes of the output, positive; one for all or one for each.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *lengths, channels)``.

    Raises:
        ValueError: from the layer, the lengths do not fit ``x``.

    >>> import numpy as np
    >>> adaptive_max_pool(7)((), np.ones((8, 30, 40, 3))).shape
    (8, 7, 7, 3)
    """
    return from_function(
        "adaptive_max_pool", functools.partial(functional.adaptive_max_pool, lengths=lengths)
    )


def adaptive_average_pool(lengths: Lengths) -> Layer:
    """Mean of each of as many windows as wanted, which cover each spatial axis evenly.

    Args:
        lengths: of the spatial axes of the output, positive; one for all or one for each.

    Returns:
        A `Layer` without parameters, from shape ``(batch, *spatial, channels)`` to
        ``(batch, *lengths, channels)``.

    Raises:
        ValueError: from the layer, the lengths do not fit ``x``.

    >>> import numpy as np
    >>> adaptive_average_pool((7, 5))((), np.ones((8, 30, 40, 3))).shape
    (8, 7, 5, 3)
    """
    return from_function(
        "adaptive_average_pool", functools.partial(functional.adaptive_average_pool, lengths=lengths)
    )
