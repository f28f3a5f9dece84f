"""Low-rank adaptation: a layer that is trained by small changes of its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdl import random
from funcdl.initializers import Initializer, lecun_normal
from funcdl.nn.arguments import positive_integer
from funcdl.nn.kernels import kernels, with_kernels
from funcdl.nn.layer import Layer, as_layer, within
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def lora(
    layer: Layer | Callable[[Any], Any],
    rank: int,
    *,
    alpha: float | None = None,
    targets: Callable[[str], bool] | None = None,
    down_init: Initializer = lecun_normal(),
) -> Layer:
    """Add to the kernels of a layer products of two thin matrices: ``kernel + alpha / rank * down @ up``.

    A kernel counts as a matrix whose rows are all axes but the last. ``up`` is 0 at the start, so that the
    layer begins as the one given. To train the thin matrices alone, freeze the rest:
    ``optim.partition({"**/adapters/**": optim.adam(1e-3), "**": optim.set_to_zero()})``.

    Params: ``layer``, the parameters of the layer, and ``adapters``, for each kernel by its path ``down`` of
    shape ``(rows, rank)`` and ``up`` of shape ``(rank, features)``.

    Args:
        layer: the layer whose parameters named ``kernel``, at any depth, to change.
        rank: of the changes, at least 1.
        alpha: strength of the changes; ``rank`` by default, for a factor of 1.
        targets: says of a kernel's path, such as ``"query/kernel"``, whether the kernel is changed; by
            default all are.
        down_init: initializer of ``down``.

    Returns:
        A `Layer` with the state of the one given. `merge_lora` gives the parameters of the layer itself.

    Raises:
        TypeError: ``layer`` is not a layer, or ``rank`` is not an integer.
        ValueError: ``rank`` is below 1; from the layer, there is no kernel.

    Source: Hu et al., 2022, "LoRA: low-rank adaptation of large language models", arXiv:2106.09685.

    >>> from funcdl import nn
    >>> layer = lora(nn.dense(3), rank=1)
    >>> x = np.ones((8, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> params["adapters"]["kernel"]["down"].shape, params["adapters"]["kernel"]["up"].shape
    ((2, 1), (1, 3))
    >>> bool(np.all(layer(params, x) == nn.dense(3)(params["layer"], x)))
    True
    """
    inner = as_layer("lora", layer)
    rank = positive_integer("lora", "rank", rank)
    strength = float(rank if alpha is None else alpha)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        layer_key, adapter_key = random.split(key)
        params, state = within("lora/layer", inner, inner.init, layer_key, x)
        found = {path: kernel for path, kernel in kernels("lora", inner, params).items() if chosen(path)}
        if not found:
            paths = list(kernels("lora", inner, params))
            raise ValueError(message("lora", "targets", f"choose one of the kernels {paths}", "none"))
        keys = random.split(adapter_key, len(found))
        adapters = {}
        for index, (path, kernel) in enumerate(found.items()):
            rows, features = int(np.prod(kernel.shape[:-1])), kernel.shape[-1]
            down = down_init(keys[index], (rows, rank), kernel.dtype)
            adapters[path] = {"down": down, "up": np.zeros((rank, features), kernel.dtype)}
        return {"layer": params, "adapters": adapters}, state

    def chosen(path: str) -> bool:
        return targets is None or targets(path)

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        changed = merge_lora(params, alpha=strength)
        return within("lora/layer", inner, inner.apply, changed, state, x, key=key, training=training)

    return Layer(init, apply, "lora", inner.has_state)


def merge_lora(params: Tree, *, alpha: float | None = None) -> Tree:
    """Return the parameters of the layer itself, with the changes of `lora` added to its kernels.

    Args:
        params: of a layer made by `lora`.
        alpha: as was given to `lora`.

    Raises:
        TypeError: the parameters are not those of `lora`.

    >>> from funcdl import nn
    >>> x = np.ones((8, 2), np.float32)
    >>> params, state = lora(nn.dense(3), rank=1).init(random.key(0), x)
    >>> sorted(merge_lora(params))
    ['bias', 'kernel']
    """
    if not isinstance(params, dict) or params.keys() != {"layer", "adapters"}:
        got = sorted(params) if isinstance(params, dict) else f"a {type(params).__name__}"
        raise TypeError(message("merge_lora", "params", "have the entries layer and adapters", got))
    changed = {}
    for path, kernel in kernels("merge_lora", None, params["layer"]).items():
        adapter = params["adapters"].get(path)
        if adapter is not None:
            down, up = adapter["down"], adapter["up"]
            factor = 1.0 if alpha is None else float(alpha) / down.shape[-1]
            changed[path] = kernel + np.reshape(factor * (down @ up), kernel.shape)
    return with_kernels(params["layer"], changed)
