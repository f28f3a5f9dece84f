"""Normalization of each example by itself."""

from __future__ import annotations

import functools
from collections.abc import Callable

from funcdl import functional, random
from funcdl.initializers import Initializer, ones, zeros
from funcdl.nn.arguments import check_features, check_inputs, positive_integer
from funcdl.nn.layer import Layer, as_floating, from_function, param_dtype
from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def layer_norm(*, epsilon: float = 1e-5, use_scale: bool = True, use_bias: bool = True) -> Layer:
    """Mean 0 and variance 1 over the last axis, and then a learned scale and bias for each feature.

    ``y = scale * (x - mean(x)) / sqrt(var(x) + epsilon) + bias``

    Params: ``scale`` and ``bias`` of shape ``(features,)``, 1 and 0 at the start.

    Args:
        epsilon: added to the variance, greater than 0.
        use_scale: whether there is a scale.
        use_bias: whether there is a bias.

    Returns:
        A `Layer` that keeps the shape ``(..., features)``.

    Raises:
        ValueError: from the layer, the last axis of ``x`` does not fit.

    Source: Ba et al., 2016, "Layer normalization", arXiv:1607.06450.

    >>> import numpy as np
    >>> layer = layer_norm()
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> layer(params, np.array([[1.0, 3.0]], np.float32)).round(3)
    array([[-1.,  1.]], dtype=float32)
    """
    normalize = functools.partial(functional.standardize, epsilon=epsilon)
    return _normalization("layer_norm", normalize, use_scale, use_bias)


def rms_norm(*, epsilon: float = 1e-6, use_scale: bool = True) -> Layer:
    """Root mean square 1 over the last axis, and then a learned scale for each feature.

    ``y = scale * x / sqrt(mean(x ** 2) + epsilon)``

    Params: ``scale`` of shape ``(features,)``, 1 at the start.

    Args:
        epsilon: added to the mean square, greater than 0.
        use_scale: whether there is a scale.

    Returns:
        A `Layer` that keeps the shape ``(..., features)``.

    Raises:
        ValueError: from the layer, the last axis of ``x`` does not fit.

    Source: Zhang and Sennrich, 2019, "Root mean square layer normalization", arXiv:1910.07467.

    >>> import numpy as np
    >>> layer = rms_norm()
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> layer(params, np.array([[3.0, -3.0]], np.float32)).round(3)
    array([[ 1., -1.]], dtype=float32)
    """
    normalize = functools.partial(functional.rms_normalize, epsilon=epsilon)
    return _normalization("rms_norm", normalize, use_scale, use_bias=False)


def group_norm(groups: int, *, epsilon: float = 1e-5, use_scale: bool = True, use_bias: bool = True) -> Layer:
    """Mean 0 and variance 1 over all spatial axes and each group of channels, then a scale and a bias.

    Params: ``scale`` and ``bias`` of shape ``(channels,)``, 1 and 0 at the start.

    Args:
        groups: into how many groups the channels are divided, at least 1.
        epsilon: added to the variance, greater than 0.
        use_scale: whether there is a scale for each channel.
        use_bias: whether there is a bias for each channel.

    Returns:
        A `Layer` that keeps the shape ``(batch, *spatial, channels)``.

    Raises:
        TypeError: ``groups`` is not an integer.
        ValueError: ``groups`` is below 1; from the layer, the channels of ``x`` do not fit.

    Source: Wu and He, 2018, "Group normalization", arXiv:1803.08494.

    >>> import numpy as np
    >>> layer = group_norm(2)
    >>> params, state = layer.init(random.key(0), np.ones((8, 4), np.float32))
    >>> layer(params, np.array([[1.0, 3.0, 0.0, 8.0]], np.float32)).round(3)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    groups = positive_integer("group_norm", "groups", groups)
    normalize = functools.partial(functional.group_standardize, groups=groups, epsilon=epsilon)
    return _normalization("group_norm", normalize, use_scale, use_bias)


def instance_norm(*, epsilon: float = 1e-5, use_scale: bool = True, use_bias: bool = True) -> Layer:
    """Mean 0 and variance 1 over all spatial axes for each channel, and then a scale and a bias.

    Params: ``scale`` and ``bias`` of shape ``(channels,)``, 1 and 0 at the start.

    Args:
        epsilon: added to the variance, greater than 0.
        use_scale: whether there is a scale for each channel.
        use_bias: whether there is a bias for each channel.

    Returns:
        A `Layer` that keeps the shape ``(batch, *spatial, channels)``.

    Raises:
        ValueError: from the layer, the channels of ``x`` do not fit.

    Source: Ulyanov et al., 2016, "Instance normalization", arXiv:1607.08022.

    >>> import numpy as np
    >>> layer = instance_norm()
    >>> params, state = layer.init(random.key(0), np.ones((8, 2, 1), np.float32))
    >>> layer(params, np.array([[[1.0], [3.0]]], np.float32)).round(3)[0, :, 0]
    array([-1.,  1.], dtype=float32)
    """

    def normalize(x: Array) -> Array:
        return functional.group_standardize(x, x.shape[-1], epsilon=epsilon)

    return _normalization("instance_norm", normalize, use_scale, use_bias)


def unit_norm(*, epsilon: float = 1e-12) -> Layer:
    """Length 1 along the last axis: ``y = x / max(sqrt(sum(x ** 2)), epsilon)``.

    Args:
        epsilon: what shorter vectors are divided by, greater than 0.

    Returns:
        A `Layer` without parameters that keeps the shape.

    >>> import numpy as np
    >>> unit_norm()((), np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    return from_function("unit_norm", functools.partial(functional.unit_normalize, epsilon=epsilon))


def init_scale_and_bias(name: str, key: Array, x: Array | ArrayType, use_scale: bool, use_bias: bool) -> Tree:
    """Return ``scale`` and ``bias`` for the last axis of ``x``, as far as they are used.

    Raises:
        ValueError: ``x`` has no axis besides the batch.
    """
    x_type = type_of(x)
    if len(x_type.shape) < 2:
        raise ValueError(message(name, "x", "have the shape (batch, ..., features)", x_type))
    used: list[tuple[str, Initializer]] = [("scale", ones)] * use_scale + [("bias", zeros)] * use_bias
    keys = random.split(key)
    shape, dtype = x_type.shape[-1:], param_dtype(x)
    return {name: init(keys[i], shape, dtype) for i, (name, init) in enumerate(used)} or ()


def scale_and_bias(name: str, params: Tree, x: Array, use_scale: bool, use_bias: bool) -> Array:
    """Return ``scale * x + bias``, as far as they are used.

    Raises:
        ValueError: one of them is used and missing.
    """
    if use_scale or use_bias:
        check_inputs(name, params, x, ("scale",) * use_scale + ("bias",) * use_bias)
    if use_scale:
        x = x * params["scale"]
    return x + params["bias"] if use_bias else x


def _normalization(name: str, normalize: Callable[[Array], Array], use_scale: bool, use_bias: bool) -> Layer:
    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        return init_scale_and_bias(name, key, x, use_scale, use_bias), ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        for param in params.values() if params else ():
            check_features(name, x, param.shape[0])
            x = as_floating(x, param.dtype)
        return scale_and_bias(name, params, normalize(x), use_scale, use_bias), state

    return Layer(init, apply, name)
