"""Layers whose kernels are divided by a norm of theirs: spectral and weight normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdl import random
from funcdl.functional import unit_normalize
from funcdl.nn.arguments import positive_integer
from funcdl.nn.kernels import kernels, with_kernels
from funcdl.nn.layer import Layer, as_layer, within
from transforms import stop_gradient
from transforms.tree import Tree
from transforms.types import Array, ArrayType

_INITIAL_ITERATIONS = 15


def spectral_norm(layer: Layer | Callable[[Any], Any], *, iterations: int = 1) -> Layer:
    """Divide the kernels of a layer by their largest singular values: ``kernel / sigma``.

    A kernel counts as a matrix whose rows are all axes but the last. Its singular value is estimated by
    power iteration, which each step of training continues; the vectors count as constants for
    differentiation.

    Params: those of the layer. State: ``layer``, its state, and ``vectors``, for each kernel by its path
    the unit vectors ``input`` and ``output``.

    Args:
        layer: the layer whose parameters named ``kernel``, at any depth, to divide.
        iterations: of the power method at each step of training, at least 1.

    Returns:
        A `Layer` with state.

    Raises:
        TypeError: ``layer`` is not a layer, or ``iterations`` no integer.
        ValueError: ``iterations`` is below 1; from the layer, there is no kernel.

    Source: Miyato et al., 2018, "Spectral normalization for generative adversarial networks",
    arXiv:1802.05957.

    >>> from funcdl import initializers, nn
    >>> layer = spectral_norm(nn.dense(2, kernel_init=initializers.constant(np.diag([3.0, 1.0]))))
    >>> x = np.eye(2, dtype=np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer.apply(params, state, x)[0].round(3)
    array([[1.   , 0.   ],
           [0.   , 0.333]], dtype=float32)
    """
    inner = as_layer("spectral_norm", layer)
    iterations = positive_integer("spectral_norm", "iterations", iterations)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        inner_key, vector_key = random.split(key)
        params, state = within("spectral_norm/layer", inner, inner.init, inner_key, x)
        found = kernels("spectral_norm", inner, params)
        keys = random.split(vector_key, len(found))
        vectors = {}
        for index, (path, kernel) in enumerate(found.items()):
            start = random.normal(keys[index], kernel.shape[-1:], kernel.dtype)
            vectors[path] = _power_method(kernel, start, _INITIAL_ITERATIONS)
        return params, {"layer": state, "vectors": vectors}

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        found = kernels("spectral_norm", inner, params)
        vectors = state["vectors"]
        if training:
            vectors = {
                path: _power_method(kernel, vectors[path]["output"], iterations)
                for path, kernel in found.items()
            }
        divided = {path: kernel / _singular_value(kernel, vectors[path]) for path, kernel in found.items()}
        own = with_kernels(params, divided)
        y, inner_state = within(
            "spectral_norm/layer", inner, inner.apply, own, state["layer"], x, key=key, training=training
        )
        return y, {"layer": inner_state, "vectors": vectors}

    return Layer(init, apply, "spectral_norm", has_state=True)


def _as_matrix(kernel: Array) -> Array:
    return np.reshape(kernel, (-1, kernel.shape[-1]))


def _power_method(kernel: Array, output: Array, iterations: int) -> dict[str, Array]:
    matrix = stop_gradient(_as_matrix(kernel))
    for _ in range(iterations):
        into = unit_normalize(matrix @ output)
        output = unit_normalize(into @ matrix)
    return {"input": into, "output": output}


def _singular_value(kernel: Array, vectors: dict[str, Array]) -> Array:
    return vectors["input"] @ _as_matrix(kernel) @ vectors["output"]


def weight_norm(layer: Layer | Callable[[Any], Any]) -> Layer:
    """Learn the lengths of a layer's kernels apart from their directions: ``scale * kernel / |kernel|``.

    The length is taken for each output feature, over all axes but the last.

    Params: ``layer``, the parameters of the layer, and ``scale``, for each kernel by its path the lengths,
    of shape ``(features,)``; at the start those that the kernel has.

    Args:
        layer: the layer whose parameters named ``kernel``, at any depth, to divide.

    Returns:
        A `Layer` with the state of the one given.

    Raises:
        TypeError: ``layer`` is not a layer.
        ValueError: from the layer, there is no kernel.

    Source: Salimans and Kingma, 2016, "Weight normalization", arXiv:1602.07868.

    >>> from funcdl import nn
    >>> layer = weight_norm(nn.dense(3))
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> params["scale"]["kernel"].shape
    (3,)
    """
    inner = as_layer("weight_norm", layer)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        params, state = within("weight_norm/layer", inner, inner.init, key, x)
        found = kernels("weight_norm", inner, params)
        scale = {path: np.sqrt(np.sum(np.square(_as_matrix(k)), axis=0)) for path, k in found.items()}
        return {"layer": params, "scale": scale}, state

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        found = kernels("weight_norm", inner, params["layer"])
        scaled = {
            path: unit_normalize(kernel, tuple(range(kernel.ndim - 1))) * params["scale"][path]
            for path, kernel in found.items()
        }
        own = with_kernels(params["layer"], scaled)
        return within("weight_norm/layer", inner, inner.apply, own, state, x, key=key, training=training)

    return Layer(init, apply, "weight_norm", inner.has_state)
