"""Positions in a sequence, for networks that do not see its order."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.errors import message
from transforms.types import Array


def sinusoidal_positions(
    length: int, features: int, *, base: float = 10000.0, dtype: Any = np.float32
) -> Array:
    """Sines and cosines of positions, of wavelengths from ``2 pi`` to ``2 pi * base``.

    ``y[p, 2 i] = sin(p / base ** (2 i / features))``, and ``y[p, 2 i + 1]`` the cosine.

    Args:
        length: number of positions.
        features: number of features, even.
        base: ratio of the longest wavelength to the shortest.
        dtype: of the result.

    Returns:
        An array of shape ``(length, features)``.

    Raises:
        ValueError: ``features`` is odd.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    >>> sinusoidal_positions(2, 2).round(3)
    array([[0.   , 1.   ],
           [0.841, 0.54 ]], dtype=float32)
    """
    angles = _angles("sinusoidal_positions", np.arange(length), features, base)
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return np.reshape(pairs, (length, features)).astype(dtype)


def rotary(x: Array, positions: Array | None = None, *, base: float = 10000.0) -> Array:
    """Rotate pairs of features by angles that grow with the position.

    Products of two rotated vectors depend on the difference of their positions alone. Feature i is paired
    with feature ``i + features / 2``, and turns by ``position / base ** (2 i / features)``.

    Args:
        x: array of shape ``(..., length, features)``, with an even number of features.
        positions: numbers of shape ``(length,)``; from 0 by default.
        base: ratio of the longest wavelength to the shortest.

    Returns:
        An array like ``x``.

    Raises:
        ValueError: the number of features is odd.

    Source: Su et al., 2021, "RoFormer: enhanced transformer with rotary position embedding",
    arXiv:2104.09864.

    >>> rotary(np.array([[1.0, 0.0], [1.0, 0.0]])).round(3)
    array([[1.   , 0.   ],
           [0.54 , 0.841]])
    """
    positions = np.arange(x.shape[-2]) if positions is None else positions
    angles = _angles("rotary", positions, x.shape[-1], base)
    cosine, sine = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _angles(where: str, positions: Array, features: int, base: float) -> Array:
    if features % 2:
        raise ValueError(message(where, "the number of features", "be even", features))
    return positions[:, None] * base ** (-np.arange(0, features, 2) / features)
