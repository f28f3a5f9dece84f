"""Affine maps other than of the last axis: over several axes, by an equation, of two inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdl import random
from funcdl.initializers import Initializer, lecun_normal, zeros
from funcdl.nn.arguments import positive_integer, positive_integers
from funcdl.nn.layer import Layer, as_floating, param_dtype
from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def dense_general(
    features: Sequence[int],
    axes: Sequence[int] = (-1,),
    *,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Affine map from several axes to several: ``y = tensordot(x, kernel, axes) + bias``.

    Params: ``kernel`` of shape ``(*lengths of the axes, *features)``, which starts as the kernel of a `dense`
    layer between axes joined would, and ``bias`` of shape ``features``.

    Args:
        features: lengths of the last axes of the output, at least 1, and at least one of them.
        axes: of ``x`` that are summed over, in the order of the kernel's; negative ones count from the end.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel, called for its shape as a matrix.
        bias_init: initializer of the bias.

    Returns:
        A `Layer`, from ``x`` to its other axes followed by ``features``.

    Raises:
        TypeError: a length is not an integer.
        ValueError: a length is below 1; from the layer, ``x`` does not have the axes, or not their lengths.

    >>> layer = dense_general((2, 5), axes=(-2, -1))
    >>> params, state = layer.init(random.key(0), np.ones((8, 3, 4), np.float32))
    >>> params["kernel"].shape, layer(params, np.ones((8, 3, 4), np.float32)).shape
    ((3, 4, 2, 5), (8, 2, 5))
    """
    features = positive_integers("dense_general", "features", features)
    axes = tuple(axes)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        lengths, dtype = _lengths(x, axes), param_dtype(x)
        kernel_key, bias_key = random.split(key)
        matrix = kernel_init(kernel_key, (math.prod(lengths), math.prod(features)), dtype)
        params = {"kernel": np.reshape(matrix, (*lengths, *features))}
        if use_bias:
            params["bias"] = bias_init(bias_key, features, dtype)
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        kernel = params["kernel"]
        lengths = _lengths(x, axes)
        if lengths != kernel.shape[: len(axes)]:
            raise ValueError(
                message(
                    "dense_general",
                    f"the axes {axes} of x",
                    "have the lengths of the first of the kernel",
                    f"x of shape {x.shape} and a kernel of shape {kernel.shape}",
                )
            )
        y = np.tensordot(as_floating(x, kernel.dtype), kernel, (axes, tuple(range(len(axes)))))
        return (y + params["bias"] if use_bias else y), state

    return Layer(init, apply, "dense_general")


def _lengths(x: Array | ArrayType, axes: Sequence[int]) -> tuple[int, ...]:
    shape = type_of(x).shape
    if not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(message("dense_general", "x", f"have the axes {tuple(axes)}", f"shape {shape}"))
    return tuple(shape[axis] for axis in axes)


def einsum(
    equation: str,
    kernel_shape: Sequence[int],
    *,
    bias_shape: Sequence[int] | None = None,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Product with a kernel by an equation, such as "...i,io->...o", and then a bias.

    Params: ``kernel`` of shape ``kernel_shape``, and ``bias`` of shape ``bias_shape`` if that is given.

    Args:
        equation: in the notation of ``np.einsum``, of two operands: ``x`` and the kernel.
        kernel_shape: shape of the kernel; the default initializer takes its last two axes for those of
            inputs and features.
        bias_shape: shape of a bias, which broadcasts against the output; None for no bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer`.

    Raises:
        TypeError: a length is not an integer.
        ValueError: a length is below 1, or the equation is not one of two operands; from the layer, ``x``
            does not fit it.

    >>> layer = einsum("...hi,hio->...ho", (2, 3, 4))
    >>> params, state = layer.init(random.key(0), np.ones((8, 2, 3), np.float32))
    >>> layer(params, np.ones((8, 2, 3), np.float32)).shape
    (8, 2, 4)
    """
    shape = positive_integers("einsum", "kernel_shape", kernel_shape)
    bias = None if bias_shape is None else positive_integers("einsum", "bias_shape", bias_shape)
    if equation.partition("->")[0].count(",") != 1:
        raise ValueError(message("einsum", "equation", "be of two operands", repr(equation)))

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        dtype = param_dtype(x)
        kernel_key, bias_key = random.split(key)
        params = {"kernel": kernel_init(kernel_key, shape, dtype)}
        if bias is not None:
            params["bias"] = bias_init(bias_key, bias, dtype)
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        kernel = params["kernel"]
        y = np.einsum(equation, as_floating(x, kernel.dtype), kernel)
        return (y if bias is None else y + params["bias"]), state

    return Layer(init, apply, "einsum")


def bilinear(
    features: int,
    *,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """A product of two inputs: ``y[..., o] = sum_ij a[..., i] * kernel[i, j, o] * b[..., j] + bias[o]``.

    Params: ``kernel`` of shape ``(a.shape[-1], b.shape[-1], features)``, ``bias`` of shape ``(features,)``.

    Args:
        features: length of the last axis of the output, at least 1.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from a pair of arrays ``(a, b)`` with equal axes but the last to one array.

    Raises:
        TypeError: ``features`` is not an integer; from the layer, ``x`` is not a pair.
        ValueError: ``features`` is below 1; from the layer, the last axes do not fit the kernel.

    >>> layer = bilinear(5)
    >>> x = np.ones((8, 3), np.float32), np.ones((8, 4), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> params["kernel"].shape, layer(params, x).shape
    ((3, 4, 5), (8, 5))
    """
    features = positive_integer("bilinear", "features", features)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        first, second = map(type_of, _pair(x))
        dtype = param_dtype(first)
        kernel_key, bias_key = random.split(key)
        params = {"kernel": kernel_init(kernel_key, (first.shape[-1], second.shape[-1], features), dtype)}
        if use_bias:
            params["bias"] = bias_init(bias_key, (features,), dtype)
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        kernel = params["kernel"]
        first, second = (as_floating(part, kernel.dtype) for part in _pair(x))
        inputs = (*first.shape[-1:], *second.shape[-1:])
        if inputs != kernel.shape[:2]:
            raise ValueError(
                message("bilinear", "the last axes of x", f"have the lengths {kernel.shape[:2]}", inputs)
            )
        matrices = np.reshape(
            first @ np.reshape(kernel, (inputs[0], -1)), (*first.shape[:-1], inputs[1], features)
        )
        y = np.squeeze(np.expand_dims(second, -2) @ matrices, -2)
        return (y + params["bias"] if use_bias else y), state

    return Layer(init, apply, "bilinear")


def _pair(x: Any) -> tuple[Any, Any]:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise TypeError(message("bilinear", "x", "be a pair of arrays", f"a {type(x).__name__}"))
    return x[0], x[1]
