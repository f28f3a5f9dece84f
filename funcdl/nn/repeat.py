"""A deep network as one block that is applied again and again, each time with its own parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcdl import random
from funcdl.nn.arguments import positive_integer
from funcdl.nn.layer import Layer, apply_part, as_layer, within
from transforms import scan, vmap
from transforms.tree import Tree
from transforms.types import Array


def repeat(layer: Layer | Callable[[Any], Any], times: int) -> Layer:
    """A layer several times in a row, each time with parameters of its own.

    It computes what ``serial(layer, layer, ...)`` does, as a `scan` over stacked parameters: however deep,
    the net is traced and compiled like one layer.

    Params and state: those of the layer, with a first axis of length ``times`` in each array.

    Args:
        layer: a layer whose output has the type of its input.
        times: how often, at least 1.

    Returns:
        A `Layer` that keeps the type of its input.

    Raises:
        TypeError: ``layer`` is not a layer, or ``times`` not an integer; from the layer, a step changes the
            type of the input.
        ValueError: ``times`` is below 1; from the layer, as the layer that is repeated.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> model = repeat(nn.serial(nn.dense(3), nn.relu), 50)
    >>> x = np.ones((8, 3), np.float32)
    >>> params, state = model.init(random.key(0), x)
    >>> params[0]["kernel"].shape, model(params, x).shape
    ((50, 3, 3), (8, 3))
    """
    inner = as_layer("repeat", layer)
    times = positive_integer("repeat", "times", times)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        one = vmap(lambda key: inner.init(key, x))
        made: tuple[Tree, Tree] = within("repeat/layer", inner, one, random.split(key, times))
        return made

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        keys = None if key is None else random.split(key, times)

        def step(x: Any, own: tuple[Tree, Tree, Array | None]) -> tuple[Any, Tree]:
            own_params, own_state, own_key = own
            return apply_part("repeat/layer", inner, own_params, own_state, x, key=own_key, training=training)

        return within("repeat/layer", inner, scan, step, x, (params, state, keys), times)

    return Layer(init, apply, "repeat", inner.has_state)
