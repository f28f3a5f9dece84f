"""Layers that add something to each place of a sequence, by its position."""

from __future__ import annotations

from funcdl import functional
from funcdl.initializers import Initializer, normal
from funcdl.nn.arguments import check_sequence, positive_integer
from funcdl.nn.layer import Layer, from_function, param_dtype
from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

_SMALL_NORMAL = normal(0.02)


def position_embedding(length: int, *, embedding_init: Initializer = _SMALL_NORMAL) -> Layer:
    """Add a learned vector for each position: ``y = x + embedding[:x.shape[1]]``.

    Params: ``embedding`` of shape ``(length, features)``.

    Args:
        length: of the longest sequence, at least 1.
        embedding_init: initializer of the vectors; normal numbers of deviation 0.02 by default.

    Returns:
        A `Layer` that keeps the shape ``(batch, positions, features)``.

    Raises:
        TypeError: ``length`` is not an integer.
        ValueError: ``length`` is below 1; from the layer, ``x`` is longer, or has another shape.

    >>> import numpy as np
    >>> from funcdl import random
    >>> layer = position_embedding(10)
    >>> params, state = layer.init(random.key(0), np.ones((8, 5, 3), np.float32))
    >>> params["embedding"].shape, layer(params, np.ones((8, 5, 3), np.float32)).shape
    ((10, 3), (8, 5, 3))
    """
    length = positive_integer("position_embedding", "length", length)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        check_sequence("position_embedding", x)
        return {"embedding": embedding_init(key, (length, type_of(x).shape[-1]), param_dtype(x))}, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        check_sequence("position_embedding", x)
        if x.shape[1] > length:
            raise ValueError(
                message("position_embedding", "x", f"be no longer than {length}", f"shape {x.shape}")
            )
        return x + params["embedding"][: x.shape[1]], state

    return Layer(init, apply, "position_embedding")


def sinusoidal_embedding(*, base: float = 10000.0) -> Layer:
    """Add sines and cosines of the positions: ``y = x + sinusoidal_positions``.

    Args:
        base: ratio of the longest wavelength to the shortest.

    Returns:
        A `Layer` without parameters that keeps the shape ``(batch, positions, features)``.

    Raises:
        ValueError: from the layer, the number of features is odd, or ``x`` has another shape.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    >>> import numpy as np
    >>> sinusoidal_embedding()((), np.zeros((1, 2, 2), np.float32)).round(3)
    array([[[0.   , 1.   ],
            [0.841, 0.54 ]]], dtype=float32)
    """

    def add(x: Array) -> Array:
        check_sequence("sinusoidal_embedding", x)
        return x + functional.sinusoidal_positions(*x.shape[-2:], base=base, dtype=x.dtype)

    return from_function("sinusoidal_embedding", add)
