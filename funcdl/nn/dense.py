"""Affine maps of the last axis."""

from __future__ import annotations

from funcdl import random
from funcdl.initializers import Initializer, lecun_normal, zeros
from funcdl.nn.arguments import (
    array_type,
    check_fits_kernel,
    check_initializer,
    check_inputs,
    positive_integer,
)
from funcdl.nn.layer import Layer, as_floating, param_dtype
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def dense(
    features: int,
    *,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Affine map of the last axis: ``y = x @ kernel + bias``.

    Params: ``kernel`` of shape ``(x.shape[-1], features)``, ``bias`` of shape ``(features,)``, of the dtype
    of ``x``, float32 where that holds integers.

    Args:
        features: length of the last axis of the output, at least 1.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from shape ``(..., inputs)`` to ``(..., features)``.

    Raises:
        TypeError: ``features`` is not an integer, or an initializer is no function; from the layer, ``x`` is
            no array.
        ValueError: ``features`` is below 1; from the layer, the last axis of ``x`` does not fit the kernel,
            or a parameter is missing.

    >>> import numpy as np
    >>> layer = dense(3)
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> params["kernel"].shape, layer(params, np.ones((8, 2), np.float32)).shape
    ((2, 3), (8, 3))
    """
    features = positive_integer("dense", "features", features)
    check_initializer("dense", "kernel_init", kernel_init)
    check_initializer("dense", "bias_init", bias_init)
    entries = ("kernel", "bias") if use_bias else ("kernel",)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        x_type = array_type("dense", x)
        if not x_type.shape:
            raise ValueError(message("dense", "x", "have at least one axis", x_type, "add one with x[None]"))
        dtype = param_dtype(x)
        kernel_key, bias_key = random.split(key)
        params = {"kernel": kernel_init(kernel_key, (x_type.shape[-1], features), dtype)}
        if use_bias:
            params["bias"] = bias_init(bias_key, (features,), dtype)
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        check_inputs("dense", params, x, entries)
        kernel = params["kernel"]
        check_fits_kernel("dense", x, kernel)
        y = as_floating(x, kernel.dtype) @ kernel
        return (y + params["bias"] if use_bias else y), state

    return Layer(init, apply, "dense")
