"""A vector for each of finitely many things."""

from __future__ import annotations

import numpy as np

from funcdl.initializers import Initializer, normal
from funcdl.nn.arguments import positive_integer
from funcdl.nn.layer import Layer
from transforms import at, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

_SMALL_NORMAL = normal(0.02)


def embedding(vocabulary: int, features: int, *, embedding_init: Initializer = _SMALL_NORMAL) -> Layer:
    """A learned vector for each index: ``y = embedding[x]``.

    Params: ``embedding`` of shape ``(vocabulary, features)``, float32. To use it for an output layer as
    well, multiply by its transpose.

    Args:
        vocabulary: how many indices there are, at least 1.
        features: length of the vectors, at least 1.
        embedding_init: initializer of the vectors; normal numbers of deviation 0.02 by default.

    Returns:
        A `Layer` from integers in [0, vocabulary) of any shape to shape ``(*x.shape, features)``.

    Raises:
        TypeError: a size is not an integer; from the layer, ``x`` does not hold integers.
        ValueError: a size is below 1; from the layer, an index is out of range (where ``x`` has values:
            not while it is traced).

    >>> from funcdl import random
    >>> layer = embedding(10, 3)
    >>> params, state = layer.init(random.key(0), np.zeros((8, 5), int))
    >>> layer(params, np.zeros((8, 5), int)).shape
    (8, 5, 3)
    """
    shape = (
        positive_integer("embedding", "vocabulary", vocabulary),
        positive_integer("embedding", "features", features),
    )

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        _check_integers(x)
        return {"embedding": embedding_init(key, shape, np.float32)}, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        _check_integers(x)
        if isinstance(x, np.ndarray) and x.size and not 0 <= x.min() <= x.max() < shape[0]:
            raise ValueError(
                message("embedding", "x", f"hold indices in [0, {shape[0]})", f"[{x.min()}, {x.max()}]")
            )
        return at(params["embedding"])[x].get(), state

    return Layer(init, apply, "embedding")


def _check_integers(x: Array | ArrayType) -> None:
    x_type = type_of(x)
    if x_type.dtype.kind not in "iu":
        raise TypeError(message("embedding", "x", "hold integers", x_type, "convert it with x.astype(int)"))
