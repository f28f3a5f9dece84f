"""The long short-term memory of images: a cell whose products are convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdl import functional
from funcdl.initializers import Initializer, lecun_normal, orthogonal, zeros
from funcdl.nn.arguments import positive_integer, positive_integers
from funcdl.nn.cells import LSTM_GATES, Cell, gated_params, lstm_step, raise_forget_bias
from funcdl.nn.layer import as_floating, param_dtype
from transforms import eval_shape, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

_ORTHOGONAL = orthogonal()


def conv_lstm_cell(
    features: int,
    window: Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = _ORTHOGONAL,
    bias_init: Initializer = zeros,
) -> Cell:
    """Long short-term memory of sequences of images, of volumes, or of sequences themselves.

    As `lstm_cell`, with convolutions in the places of the products: with
    ``i, f, g, o = conv(x, input_kernel) + conv(h, recurrent_kernel) + bias``, each of ``features`` channels::

        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    The convolution of h has no strides and keeps the lengths. There are no peepholes from c to the gates.

    Params: ``input_kernel`` of shape ``(*window, channels, 4 * features)``, ``recurrent_kernel`` of shape
    ``(*window, features, 4 * features)``, ``bias`` of shape ``(4 * features,)``. Carry: a dict of
    ``hidden``, h, and ``memory``, c, both 0 at the start. Output: h.

    Args:
        features: number of output channels, at least 1.
        window: lengths of both windows, one for each spatial axis: one, two, three or more.
        strides: steps between neighbouring windows of x, positive; one for all axes or one for each.
        padding: of x, as in `conv`.
        dilation: steps between neighbouring elements of a window of x, positive.
        forget_bias: added to what ``bias_init`` gives for f, so that at the start little is forgotten.
        kernel_init: initializer of the kernel of the inputs.
        recurrent_init: initializer of the four recurrent kernels; orthogonal by default.
        bias_init: initializer of the bias.

    Returns:
        A `Cell` whose steps have inputs of shape ``(batch, *spatial, channels)`` and outputs of shape
        ``(batch, *counts, features)``.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is out of range; from the cell, ``x`` does not fit.

    Source: Shi et al., 2015, "Convolutional LSTM network", arXiv:1506.04214.

    >>> from funcdl import nn, random
    >>> layer = nn.recurrent(conv_lstm_cell(4, (3, 3)))
    >>> x = np.ones((2, 5, 8, 8, 3), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (2, 5, 8, 8, 4)
    """
    name = "conv_lstm_cell"
    features = positive_integer(name, "features", features)
    window = positive_integers(name, "window", window)

    def from_input(x: Array, kernel: Array) -> Array:
        x = as_floating(x, kernel.dtype)
        return functional.conv(x, kernel, strides=strides, padding=padding, dilation=dilation)

    def init(key: Array, x: Array | ArrayType) -> Tree:
        _check_axes(name, window, x)
        params = gated_params(key, x, window, features, LSTM_GATES, kernel_init, recurrent_init, bias_init)
        return {**params, "bias": raise_forget_bias(params["bias"], forget_bias)}

    def start(x: Array | ArrayType) -> Tree:
        _check_axes(name, window, x)
        kernel = ArrayType((*window, x.shape[-1], features), param_dtype(x))
        output = eval_shape(from_input, type_of(x), kernel)
        return {part: np.zeros(output.shape, output.dtype) for part in ("hidden", "memory")}

    def step(params: Tree, carry: Tree, x: Array) -> tuple[Tree, Array]:
        recurrent = functional.conv(carry["hidden"], params["recurrent_kernel"], padding="SAME")
        gates = from_input(x, params["input_kernel"]) + recurrent + params["bias"]
        return lstm_step(gates, carry["memory"])

    return Cell(init, start, step, name)


def _check_axes(name: str, window: tuple[int, ...], x: Array | ArrayType) -> None:
    if len(x.shape) != len(window) + 2:
        raise ValueError(
            message(
                name,
                "the input of a step",
                f"have {len(window)} spatial axes, as many as the window {window}, between the batch and the "
                "channels",
                f"shape {x.shape}",
            )
        )
