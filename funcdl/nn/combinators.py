"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcdl import random
from funcdl.nn.arguments import check_entries
from funcdl.nn.layer import Layer, as_layer, from_function, within
from transforms import eval_shape
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def serial(*layers: Layer | Callable[[Any], Any]) -> Layer:
    """Layers one after the other: ``y = last(...(second(first(x))))``.

    Params are a tuple with an entry for each layer, in order, ``()`` for those without, so that the path
    of a parameter reads "0/kernel"; so is the state, unless no layer has one. Keys are split, one for
    each layer. An error inside a layer names its path: "serial/2 (dense): ...".

    Args:
        *layers: layers, or functions of one array such as `relu`; none gives the identity.

    Returns:
        A `Layer`.

    Raises:
        TypeError: an argument is neither a layer nor a function.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> from transforms import tree
    >>> model = serial(nn.flatten, nn.dense(16), nn.relu, nn.dense(3))
    >>> params, state = model.init(random.key(0), np.zeros((8, 4, 4), np.float32))
    >>> tree.paths(params)
    ['1/bias', '1/kernel', '3/bias', '3/kernel']
    >>> model(params, np.zeros((2, 4, 4), np.float32)).shape
    (2, 3)
    """
    parts = [as_layer(f"serial/{index}", layer) for index, layer in enumerate(layers)]
    places = [(f"serial/{index}", part) for index, part in enumerate(parts)]
    has_state = any(part.has_state for part in parts)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        params, states = [], []
        keys = random.split(key, len(parts))
        for index, (place, part) in enumerate(places):
            part_params, part_state = within(place, part, part.init, keys[index], x)
            params.append(part_params)
            states.append(part_state)
            if index + 1 < len(parts):
                x = within(place, part, _output_type, part, part_params, part_state, x)
        return tuple(params), tuple(states) if has_state else ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        check_entries("serial", "params", params, len(parts))
        if has_state:
            check_entries("serial", "state", state, len(parts))
        keys = None if key is None else random.split(key, len(parts))
        states = []
        for index, (place, part) in enumerate(places):
            x, part_state = within(
                place,
                part,
                part.apply,
                params[index],
                state[index] if has_state else (),
                x,
                key=None if keys is None else keys[index],
                training=training,
            )
            states.append(part_state)
        return x, tuple(states) if has_state else state

    return Layer(init, apply, "serial", has_state)


def lambda_(function: Callable[[Any], Any], *, name: str | None = None) -> Layer:
    """A function as a layer without parameters, by a name of its own.

    A function stands for a layer as it is; this gives it a name for errors.

    Args:
        function: of one array, or of one tree of arrays.
        name: what errors call the layer; by default the function's own.

    Returns:
        A `Layer` without parameters.

    Raises:
        TypeError: ``function`` is not a function of an array.

    >>> import numpy as np
    >>> layer = lambda_(lambda x: x[..., ::-1], name="reverse")
    >>> layer.name, layer((), np.array([1, 2, 3]))
    ('reverse', array([3, 2, 1]))
    """
    if isinstance(function, Layer):
        raise TypeError(
            message("lambda_", "function", "be a function of an array", f"the layer {function.name}")
        )
    layer = as_layer("lambda_", function)
    return layer if name is None else from_function(name, function)


def _output_type(layer: Layer, params: Tree, state: Tree, x: Array | ArrayType) -> Tree:
    return eval_shape(lambda *arguments: layer.apply(*arguments)[0], params, state, x)
