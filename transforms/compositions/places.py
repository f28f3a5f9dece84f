"""Positions in an array as one number or as one number for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.errors import RefusedError, message
from transforms.primitive import implements
from transforms.types import Array


@implements(np.unravel_index)
def _unravel_index(indices: Array, shape: Any, order: str = "C") -> tuple[Array, ...]:
    lengths = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    places = []
    for length in lengths if order == "F" else lengths[::-1]:
        places.append(np.remainder(indices, length))
        indices = np.floor_divide(indices, length)
    return tuple(places if order == "F" else places[::-1])


@implements(np.ravel_multi_index)
def _ravel_multi_index(
    multi_index: Sequence[Array], dims: Any, mode: Any = "raise", order: str = "C"
) -> Array:
    modes = (mode,) * len(dims) if isinstance(mode, str) else mode
    if "raise" in modes:
        raise RefusedError(
            message(
                "numpy.ravel_multi_index",
                "mode",
                "not be 'raise' with traced indices, whose values may not be known",
                repr(mode),
                "give mode='wrap' or mode='clip'",
            )
        )
    axes = list(zip(multi_index, dims, modes, strict=True))
    number: Any = 0
    for index, length, how in reversed(axes) if order == "F" else axes:
        inside = np.remainder(index, length) if how == "wrap" else np.clip(index, 0, length - 1)
        number = number * length + inside
    return number
