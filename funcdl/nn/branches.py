"""Layers side by side, around each other, and shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from funcdl import random
from funcdl.nn.arguments import check_entries, check_params
from funcdl.nn.layer import Layer, as_layer, from_function, within
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

Part = Layer | Callable[[Any], Any]


def parallel(*layers: Part) -> Layer:
    """Each of several layers applied to its own input: ``y[i] = layers[i](x[i])``.

    Params are a tuple with an entry for each layer; so is the state, unless no layer has one.

    Args:
        *layers: layers, or functions of one array.

    Returns:
        A `Layer` from a tuple of inputs to a tuple of outputs.

    Raises:
        TypeError: an argument is neither a layer nor a function; from the layer, the input is no tuple.
        ValueError: from the layer, there are more or fewer inputs than layers.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = parallel(nn.dense(3), nn.relu)
    >>> x = np.ones((8, 2), np.float32), np.ones((8, 5), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> [y.shape for y in layer(params, x)]
    [(8, 3), (8, 5)]
    """

    def inputs(x: Any) -> Sequence[Any]:
        return _tuple_of("parallel", x, len(layers))

    return _side_by_side("parallel", layers, inputs)


def branch(*layers: Part) -> Layer:
    """Several layers applied to the same input: ``y[i] = layers[i](x)``.

    Params are a tuple with an entry for each layer; so is the state, unless no layer has one. What joins
    the branches is the next layer, such as ``functools.partial(np.concatenate, axis=-1)``.

    Args:
        *layers: layers, or functions of one array.

    Returns:
        A `Layer` from one input to a tuple of outputs.

    Raises:
        TypeError: an argument is neither a layer nor a function.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = branch(nn.dense(3), nn.relu)
    >>> x = np.ones((8, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> [y.shape for y in layer(params, x)]
    [(8, 3), (8, 2)]
    """
    return _side_by_side("branch", layers, lambda x: (x,) * len(layers))


def residual(layer: Part, shortcut: Part | None = None) -> Layer:
    """Add to what a layer gives its input: ``y = layer(x) + shortcut(x)``.

    Params: ``layer`` and ``shortcut``; the state has the same parts, unless neither has one.

    Args:
        layer: the layer.
        shortcut: a layer that gives what has the shape of the layer's output, such as a convolution of
            window 1; the identity by default.

    Returns:
        A `Layer`.

    Raises:
        TypeError: an argument is neither a layer nor a function.
        ValueError: from the layer, the shapes differ.

    Source: He et al., 2016, "Deep residual learning for image recognition", arXiv:1512.03385.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = residual(nn.serial(nn.dense(9), nn.relu, nn.dense(2)))
    >>> x = np.ones((8, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 2)
    """
    around = from_function("identity", lambda x: x) if shortcut is None else shortcut
    both = _side_by_side("residual", (layer, around), lambda x: (x, x), names=("layer", "shortcut"))

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        (y, passed), state = both.apply(params, state, x, key=key, training=training)
        if y.shape != passed.shape:
            raise ValueError(
                message(
                    "residual",
                    "what the layer gives",
                    f"have the shape of the shortcut, {passed.shape}",
                    y.shape,
                    "give a shortcut that changes the shape alike",
                )
            )
        return y + passed, state

    return Layer(both.init, apply, "residual", both.has_state)


def shared(layer: Part) -> Layer:
    """One layer, with one set of parameters, applied to each of several inputs: ``y[i] = layer(x[i])``.

    Params and state: those of the layer. The state goes through the applications in order; each has a key
    of its own.

    Args:
        layer: a layer, or a function of one array.

    Returns:
        A `Layer` from a tuple of inputs, of which all fit the same parameters, to a tuple of outputs.

    Raises:
        TypeError: the argument is neither a layer nor a function; from the layer, the input is no tuple.

    Source: Bromley et al., 1993, "Signature verification using a siamese time delay neural network".

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = shared(nn.dense(3))
    >>> x = np.ones((8, 2), np.float32), np.ones((4, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> [y.shape for y in layer(params, x)]
    [(8, 3), (4, 3)]
    """
    inner = as_layer("shared", layer)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        return within("shared/layer", inner, inner.init, key, _tuple_of("shared", x)[0])

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[tuple[Any, ...], Tree]:
        inputs = _tuple_of("shared", x)
        keys = None if key is None else random.split(key, len(inputs))
        outputs = []
        for index, one in enumerate(inputs):
            own_key = None if keys is None else keys[index]
            y, state = within(
                "shared/layer", inner, inner.apply, params, state, one, key=own_key, training=training
            )
            outputs.append(y)
        return tuple(outputs), state

    return Layer(init, apply, "shared", inner.has_state)


def _tuple_of(where: str, x: Any, count: int | None = None) -> Sequence[Any]:
    if not isinstance(x, (tuple, list)):
        raise TypeError(message(where, "the input", "be a tuple of arrays", f"a {type(x).__name__}"))
    if not x or count not in (None, len(x)):
        needed = "one entry or more" if count is None else f"{count} entries, one for each layer"
        raise ValueError(message(where, "the input", f"have {needed}", len(x)))
    return x


def _side_by_side(
    name: str, layers: Sequence[Part], inputs: Callable[[Any], Sequence[Any]], names: Sequence[str] = ()
) -> Layer:
    """Return a layer that gives a tuple; its params are a dict by the names given, or else a tuple."""
    labels = names or [str(index) for index in range(len(layers))]
    parts = [as_layer(f"{name}/{label}", layer) for label, layer in zip(labels, layers, strict=True)]
    places = [(f"{name}/{label}", part) for label, part in zip(labels, parts, strict=True)]
    has_state = any(part.has_state for part in parts)

    def together(entries: list[Tree]) -> Tree:
        return dict(zip(names, entries, strict=True)) if names else tuple(entries)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        keys = random.split(key, len(parts))
        made = [
            within(place, part, part.init, keys[index], own)
            for index, ((place, part), own) in enumerate(zip(places, inputs(x), strict=True))
        ]
        states = together([state for _, state in made]) if has_state else ()
        return together([params for params, _ in made]), states

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        if names:
            check_params(name, params, names)
        else:
            check_entries(name, "params", params, len(parts))
        keys = None if key is None else random.split(key, len(parts))
        outputs, states = [], []
        for index, ((place, part), own) in enumerate(zip(places, inputs(x), strict=True)):
            entry = names[index] if names else index
            y, part_state = within(
                place,
                part,
                part.apply,
                params[entry],
                state[entry] if has_state else (),
                own,
                key=None if keys is None else keys[index],
                training=training,
            )
            outputs.append(y)
            states.append(part_state)
        return tuple(outputs), together(states) if has_state else state

    return Layer(init, apply, name, has_state)
