"""Convolutions over one, two, three or more spatial axes, channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from funcdl import functional, random
from funcdl.initializers import Initializer, lecun_normal, zeros
from funcdl.nn.arguments import (
    array_type,
    check_initializer,
    check_inputs,
    positive_integer,
    positive_integers,
)
from funcdl.nn.layer import Layer, as_floating, param_dtype
from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def conv(
    features: int,
    window: Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Convolution: ``y[n, i, o] = bias[o] + sum_{w, c} x[n, s i + d w, c] * kernel[w, c, o]``.

    With strides s and dilation d. The kernel is not mirrored.

    Params: ``kernel`` of shape ``(*window, channels // groups, features)``, ``bias`` of shape
    ``(features,)``.

    Args:
        features: number of output channels, at least 1 and a multiple of ``groups``.
        window: lengths of the window, one for each spatial axis.
        strides: steps between neighbouring windows, positive; one for all axes or one for each.
        padding: "SAME" for ``ceil(length / stride)`` windows, "VALID" for none, "CAUSAL" (one spatial axis
            only) for windows that end where they stand, or for each axis the number of zeros before and
            after, as a pair or one number for both.
        dilation: steps between neighbouring elements of a window, positive.
        groups: into how many groups channels and features are divided; a feature sees only its group.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from shape ``(batch, *spatial, channels)`` to ``(batch, *counts, features)``.

    Raises:
        TypeError: an option is not an integer.
        ValueError: an option is out of range; from the layer, ``x`` does not fit.

    Source: LeCun et al., 1989, "Backpropagation applied to handwritten zip code recognition".

    >>> import numpy as np
    >>> layer = conv(16, (3, 3), strides=2)
    >>> x = np.ones((8, 28, 28, 3), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> params["kernel"].shape, layer(params, x).shape
    ((3, 3, 3, 16), (8, 14, 14, 16))
    """
    groups = positive_integer("conv", "groups", groups)
    features = positive_integer("conv", "features", features)
    if features % groups:
        raise ValueError(message("conv", "features", f"be a multiple of {groups} groups", features))

    def convolve(x: Array, kernel: Array) -> Array:
        return functional.conv(x, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups)

    def shapes(channels: int) -> tuple[int, int]:
        if channels % groups:
            raise ValueError(message("conv", "the channels of x", f"divide into {groups} groups", channels))
        return channels // groups, features

    return _convolution("conv", window, shapes, convolve, use_bias, kernel_init, bias_init)


def conv_transpose(
    features: int,
    window: Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Convolution of an input whose elements are spread apart by the strides: a learned up-sampling.

    Params: ``kernel`` of shape ``(*window, channels, features)``, ``bias`` of shape ``(features,)``.

    Args:
        features: number of output channels, at least 1.
        window: lengths of the window, one for each spatial axis.
        strides: factors by which the axes grow, positive; one for all axes or one for each.
        padding: "SAME" for lengths ``length * stride``, "VALID" for lengths
            ``length * stride + max(window - stride, 0)``, or for each axis the number of zeros before and
            after the spread input.
        dilation: steps between neighbouring elements of a window, positive.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from shape ``(batch, *spatial, channels)`` to ``(batch, *lengths, features)``.

    Raises:
        TypeError: an option is not an integer.
        ValueError: an option is out of range; from the layer, ``x`` does not fit.

    Source: Dumoulin and Visin, 2016, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285.

    >>> import numpy as np
    >>> layer = conv_transpose(4, (3, 3), strides=2)
    >>> x = np.ones((8, 7, 7, 16), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 14, 14, 4)
    """
    features = positive_integer("conv_transpose", "features", features)

    def convolve(x: Array, kernel: Array) -> Array:
        return functional.conv_transpose(x, kernel, strides=strides, padding=padding, dilation=dilation)

    return _convolution(
        "conv_transpose",
        window,
        lambda channels: (channels, features),
        convolve,
        use_bias,
        kernel_init,
        bias_init,
    )


def depthwise_conv(
    window: Sequence[int],
    *,
    multiplier: int = 1,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Convolution of each channel by itself: `conv` with as many groups as channels.

    Params: ``kernel`` of shape ``(*window, 1, channels * multiplier)``, ``bias`` of shape
    ``(channels * multiplier,)``. The features of a channel stand next to each other.

    Args:
        window: lengths of the window, one for each spatial axis.
        multiplier: number of features for each channel, at least 1.
        strides: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        use_bias: whether there is a bias.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from shape ``(batch, *spatial, channels)`` to ``(batch, *counts, channels * multiplier)``.

    Raises:
        TypeError: an option is not an integer.
        ValueError: an option is out of range; from the layer, ``x`` does not fit.

    Source: Chollet, 2017, "Xception: deep learning with depthwise separable convolutions",
    arXiv:1610.02357.

    >>> import numpy as np
    >>> layer = depthwise_conv((3, 3))
    >>> x = np.ones((8, 7, 7, 16), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> params["kernel"].shape, layer(params, x).shape
    ((3, 3, 1, 16), (8, 7, 7, 16))
    """
    multiplier = positive_integer("depthwise_conv", "multiplier", multiplier)

    def convolve(x: Array, kernel: Array) -> Array:
        return functional.conv(
            x, kernel, strides=strides, padding=padding, dilation=dilation, groups=x.shape[-1]
        )

    return _convolution(
        "depthwise_conv",
        window,
        lambda channels: (1, channels * multiplier),
        convolve,
        use_bias,
        kernel_init,
        bias_init,
    )


def separable_conv(
    features: int,
    window: Sequence[int],
    *,
    multiplier: int = 1,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """`depthwise_conv` without a bias, and then a linear map of the channels.

    Params: ``depthwise`` with a ``kernel`` of shape ``(*window, 1, channels * multiplier)``; ``pointwise``
    with a ``kernel`` of shape ``(*ones, channels * multiplier, features)`` and a ``bias`` of shape
    ``(features,)``.

    Args:
        features: number of output channels, at least 1.
        window: lengths of the window, one for each spatial axis.
        multiplier: number of intermediate features for each channel, at least 1.
        strides: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        use_bias: whether there is a bias.
        kernel_init: initializer of both kernels.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from shape ``(batch, *spatial, channels)`` to ``(batch, *counts, features)``.

    Raises:
        TypeError: an option is not an integer.
        ValueError: an option is out of range; from the layer, ``x`` does not fit.

    Source: Chollet, 2017, "Xception: deep learning with depthwise separable convolutions",
    arXiv:1610.02357.

    >>> import numpy as np
    >>> layer = separable_conv(32, (3, 3))
    >>> x = np.ones((8, 7, 7, 16), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 7, 7, 32)
    """
    window = positive_integers("separable_conv", "window", window)
    depthwise = depthwise_conv(
        window,
        multiplier=multiplier,
        strides=strides,
        padding=padding,
        dilation=dilation,
        use_bias=False,
        kernel_init=kernel_init,
    )
    pointwise = conv(
        features, (1,) * len(window), use_bias=use_bias, kernel_init=kernel_init, bias_init=bias_init
    )

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        depthwise_key, pointwise_key = random.split(key)
        params = depthwise.init(depthwise_key, x)[0]
        x_type = type_of(x)
        between = ArrayType((*x_type.shape[:-1], params["kernel"].shape[-1]), x_type.dtype)
        return {"depthwise": params, "pointwise": pointwise.init(pointwise_key, between)[0]}, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return pointwise(params["pointwise"], depthwise(params["depthwise"], x)), state

    return Layer(init, apply, "separable_conv")


def _convolution(
    name: str,
    window: Sequence[int],
    channels_of_kernel: Callable[[int], tuple[int, int]],
    convolve: Callable[[Array, Array], Array],
    use_bias: bool,
    kernel_init: Initializer,
    bias_init: Initializer,
) -> Layer:
    """Return the layer that convolves with a kernel and adds a bias.

    ``channels_of_kernel`` gives the last two lengths of the kernel, from the number of channels.
    """
    window = positive_integers(name, "window", window)
    check_initializer(name, "kernel_init", kernel_init)
    check_initializer(name, "bias_init", bias_init)
    entries = ("kernel", "bias") if use_bias else ("kernel",)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        x_type = array_type(name, x)
        check_axes(x_type)
        dtype = param_dtype(x)
        kernel_key, bias_key = random.split(key)
        shape = (*window, *channels_of_kernel(x_type.shape[-1]))
        params = {"kernel": kernel_init(kernel_key, shape, dtype)}
        if use_bias:
            params["bias"] = bias_init(bias_key, shape[-1:], dtype)
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        check_inputs(name, params, x, entries)
        check_axes(x)
        kernel = params["kernel"]
        y = convolve(as_floating(x, kernel.dtype), kernel)
        return (y + params["bias"] if use_bias else y), state

    def check_axes(x: Array | ArrayType) -> None:
        if len(x.shape) != len(window) + 2:
            raise ValueError(
                message(
                    name,
                    "x",
                    f"have {len(window)} spatial axes, as many as the window {window}, between the batch and "
                    "the channels",
                    f"shape {x.shape}",
                )
            )

    return Layer(init, apply, name)
