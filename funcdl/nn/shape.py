"""Layers that change the shape of their input and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from funcdl.nn.arguments import positive_integer
from funcdl.nn.layer import Layer, from_function
from transforms.errors import message
from transforms.types import Array


def flatten(x: Array) -> Array:
    """Join all axes but the first: from shape ``(batch, ...)`` to ``(batch, size)``.

    It has no options: it is itself a layer, as `relu` is.

    Args:
        x: array of shape ``(batch, ...)``.

    Returns:
        An array of shape ``(batch, size)``.

    >>> flatten(np.zeros((8, 4, 4, 3))).shape
    (8, 48)
    """
    return np.reshape(x, (*x.shape[:1], math.prod(x.shape[1:])))


def reshape(shape: Sequence[int]) -> Layer:
    """Give each example a shape: from ``(batch, ...)`` to ``(batch, *shape)``.

    Args:
        shape: positive lengths of the axes after the first.

    Returns:
        A `Layer` without parameters.

    Raises:
        TypeError: a length is not an integer.
        ValueError: a length is below 1; from the layer, the sizes differ.

    >>> reshape((4, 2))((), np.zeros((8, 2, 4))).shape
    (8, 4, 2)
    """
    lengths = tuple(positive_integer("reshape", "each length of shape", length) for length in shape)

    def reshape_examples(x: Array) -> Array:
        if math.prod(x.shape[1:]) != math.prod(lengths):
            raise ValueError(
                message("reshape", "x", f"have {math.prod(lengths)} elements per example", f"shape {x.shape}")
            )
        return np.reshape(x, (*x.shape[:1], *lengths))

    return from_function("reshape", reshape_examples)
