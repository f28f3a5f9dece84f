"""Cells: what a recurrent network does at each step of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from funcdl import functional, random
from funcdl.initializers import Initializer, lecun_normal, orthogonal, zeros
from funcdl.nn.arguments import (
    array_type,
    check_fits_kernel,
    check_initializer,
    check_inputs,
    positive_integer,
)
from funcdl.nn.layer import as_floating, param_dtype
from transforms import eval_shape
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

LSTM_GATES = 4
_ORTHOGONAL = orthogonal()


class CellInit(Protocol):
    """Makes the parameters of a cell."""

    def __call__(self, key: Array, x: Array | ArrayType, /) -> Tree:
        """Return the parameters for inputs like ``x``, of shape ``(batch, inputs)``."""


class Cell(NamedTuple):
    """A step of a recurrent network: three pure functions.

    Attributes:
        init: ``init(key, x) -> params``, with a random key and an input of one step, or its `ArrayType`, of
            shape ``(batch, inputs)``.
        start: ``start(x) -> carry``: what the first step is given, for an input of one step or its type.
        step: ``step(params, carry, x) -> (carry, y)``.
        name: what errors call the cell.

    >>> running_sum = Cell(
    ...     init=lambda key, x: (),
    ...     start=lambda x: np.zeros(x.shape, x.dtype),
    ...     step=lambda params, total, x: (total + x, total + x),
    ...     name="running_sum",
    ... )
    >>> running_sum.step((), np.array([[1.0]]), np.array([[2.0]]))
    (array([[3.]]), array([[3.]]))
    """

    init: CellInit
    start: Callable[[Array | ArrayType], Tree]
    step: Callable[[Tree, Tree, Array], tuple[Tree, Array]]
    name: str = "cell"


def simple_rnn_cell(
    features: int,
    *,
    activation: Callable[[Array], Array] = np.tanh,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = _ORTHOGONAL,
    bias_init: Initializer = zeros,
) -> Cell:
    """Recurrent cell without gates: ``h = tanh(x @ input_kernel + h @ recurrent_kernel + bias)``.

    Params: ``input_kernel`` of shape ``(inputs, features)``, ``recurrent_kernel`` of shape
    ``(features, features)``, ``bias`` of shape ``(features,)``. Carry and output: h, 0 at the start.

    Args:
        features: length of the output, at least 1.
        activation: in the place of tanh.
        kernel_init: initializer of the kernel of the inputs.
        recurrent_init: initializer of the recurrent kernel; orthogonal by default.
        bias_init: initializer of the bias.

    Returns:
        A `Cell`.

    Raises:
        TypeError: ``features`` is not an integer.
        ValueError: ``features`` is below 1; from the cell, ``x`` does not fit.

    Source: Elman, 1990, "Finding structure in time".

    >>> cell = simple_rnn_cell(3)
    >>> x = np.ones((8, 2), np.float32)
    >>> params = cell.init(random.key(0), x)
    >>> carry, y = cell.step(params, cell.start(x), x)
    >>> y.shape
    (8, 3)
    """
    features = positive_integer("simple_rnn_cell", "features", features)
    init = _make_init("simple_rnn_cell", features, 1, kernel_init, recurrent_init, bias_init)

    def step(params: Tree, hidden: Array, x: Array) -> tuple[Array, Array]:
        hidden = activation(_inputs("simple_rnn_cell", params, x) + hidden @ params["recurrent_kernel"])
        return hidden, hidden

    return Cell(init, lambda x: _zeros(x, features), step, "simple_rnn_cell")


def lstm_cell(
    features: int,
    *,
    forget_bias: float = 1.0,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = _ORTHOGONAL,
    bias_init: Initializer = zeros,
) -> Cell:
    """Long short-term memory.

    With ``i, f, g, o = x @ input_kernel + h @ recurrent_kernel + bias``, each of length ``features``::

        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    Params: ``input_kernel`` of shape ``(inputs, 4 * features)``, ``recurrent_kernel`` of shape
    ``(features, 4 * features)``, ``bias`` of shape ``(4 * features,)``. Carry: a dict of ``hidden``, h, and
    ``memory``, c, both 0 at the start. Output: h.

    Args:
        features: length of the output, at least 1.
        forget_bias: added to what ``bias_init`` gives for f, so that at the start little is forgotten.
        kernel_init: initializer of the kernel of the inputs.
        recurrent_init: initializer of the four recurrent kernels; orthogonal by default.
        bias_init: initializer of the bias.

    Returns:
        A `Cell`.

    Raises:
        TypeError: ``features`` is not an integer.
        ValueError: ``features`` is below 1; from the cell, ``x`` does not fit.

    Source: Hochreiter and Schmidhuber, 1997, "Long short-term memory"; Gers et al., 2000, "Learning to
    forget".

    >>> cell = lstm_cell(3)
    >>> x = np.ones((8, 2), np.float32)
    >>> params = cell.init(random.key(0), x)
    >>> carry, y = cell.step(params, cell.start(x), x)
    >>> sorted(carry), y.shape
    (['hidden', 'memory'], (8, 3))
    """
    features = positive_integer("lstm_cell", "features", features)
    make = _make_init("lstm_cell", features, LSTM_GATES, kernel_init, recurrent_init, bias_init)

    def init(key: Array, x: Array | ArrayType) -> Tree:
        params = make(key, x)
        return {**params, "bias": raise_forget_bias(params["bias"], forget_bias)}

    def start(x: Array | ArrayType) -> Tree:
        return {"hidden": _zeros(x, features), "memory": _zeros(x, features)}

    def step(params: Tree, carry: Tree, x: Array) -> tuple[Tree, Array]:
        gates = _inputs("lstm_cell", params, x) + carry["hidden"] @ params["recurrent_kernel"]
        return lstm_step(gates, carry["memory"])

    return Cell(init, start, step, "lstm_cell")


def lstm_step(gates: Array, memory: Array) -> tuple[Tree, Array]:
    """Return the new carry and the output, h, of a step of long short-term memory.

    Args:
        gates: i, f, g and o of `lstm_cell`, side by side on the last axis, before their sigmoids and tanh.
        memory: c after the step before.
    """
    write, keep, new, read = _split(gates, LSTM_GATES)
    sigmoid = functional.sigmoid
    memory = sigmoid(keep) * memory + sigmoid(write) * np.tanh(new)
    hidden = sigmoid(read) * np.tanh(memory)
    return {"hidden": hidden, "memory": memory}, hidden


def raise_forget_bias(bias: Array, forget_bias: float) -> Array:
    """Return the bias of the four gates with a number added to that of f."""
    raised = np.repeat(np.array([0.0, float(forget_bias), 0.0, 0.0]), bias.shape[-1] // LSTM_GATES)
    return bias + raised.astype(bias.dtype)


def gru_cell(
    features: int,
    *,
    kernel_init: Initializer = lecun_normal(),
    recurrent_init: Initializer = _ORTHOGONAL,
    bias_init: Initializer = zeros,
) -> Cell:
    """Gated recurrent unit.

    With ``r, z, n = x @ input_kernel + bias`` and ``hr, hz, hn = h @ recurrent_kernel``, each of length
    ``features``::

        new = tanh(n + sigmoid(r + hr) * (hn + recurrent_bias))
        z = sigmoid(z + hz)
        h = z * h + (1 - z) * new

    The reset gate acts after the product, as in cuDNN and PyTorch, and not before it as in the paper.

    Params: ``input_kernel`` of shape ``(inputs, 3 * features)``, ``recurrent_kernel`` of shape
    ``(features, 3 * features)``, ``bias`` of shape ``(3 * features,)``, ``recurrent_bias`` of shape
    ``(features,)``. Carry and output: h, 0 at the start.

    Args:
        features: length of the output, at least 1.
        kernel_init: initializer of the kernel of the inputs.
        recurrent_init: initializer of the three recurrent kernels; orthogonal by default.
        bias_init: initializer of the biases.

    Returns:
        A `Cell`.

    Raises:
        TypeError: ``features`` is not an integer.
        ValueError: ``features`` is below 1; from the cell, ``x`` does not fit.

    Source: Cho et al., 2014, "Learning phrase representations using RNN encoder-decoder",
    arXiv:1406.1078.

    >>> cell = gru_cell(3)
    >>> x = np.ones((8, 2), np.float32)
    >>> params = cell.init(random.key(0), x)
    >>> carry, y = cell.step(params, cell.start(x), x)
    >>> y.shape
    (8, 3)
    """
    features = positive_integer("gru_cell", "features", features)
    make = _make_init("gru_cell", features, 3, kernel_init, recurrent_init, bias_init)

    def init(key: Array, x: Array | ArrayType) -> Tree:
        params_key, bias_key = random.split(key)
        return {**make(params_key, x), "recurrent_bias": bias_init(bias_key, (features,), param_dtype(x))}

    def step(params: Tree, hidden: Array, x: Array) -> tuple[Array, Array]:
        reset, update, new = _split(_inputs("gru_cell", params, x), 3)
        hidden_reset, hidden_update, hidden_new = _split(hidden @ params["recurrent_kernel"], 3)
        gate = functional.sigmoid(reset + hidden_reset)
        candidate = np.tanh(new + gate * (hidden_new + params["recurrent_bias"]))
        kept = functional.sigmoid(update + hidden_update)
        hidden = kept * hidden + (1 - kept) * candidate
        return hidden, hidden

    return Cell(init, lambda x: _zeros(x, features), step, "gru_cell")


def stacked_cells(*cells: Cell) -> Cell:
    """Cells one on top of the other: each is given the output of the one below.

    Params and carry: a tuple with an entry for each cell.

    Args:
        *cells: at least one.

    Returns:
        A `Cell`.

    Raises:
        TypeError: an argument is not a cell.
        ValueError: there is none.

    >>> cell = stacked_cells(lstm_cell(3), gru_cell(4))
    >>> x = np.ones((8, 2), np.float32)
    >>> params = cell.init(random.key(0), x)
    >>> carry, y = cell.step(params, cell.start(x), x)
    >>> y.shape
    (8, 4)
    """
    if not cells:
        raise ValueError(message("stacked_cells", "cells", "be at least one", "none"))
    for cell in cells:
        check_cell("stacked_cells", cell)

    def init(key: Array, x: Array | ArrayType) -> Tree:
        keys = random.split(key, len(cells))
        params = []
        for index, cell in enumerate(cells):
            params.append(cell.init(keys[index], x))
            x = _output_type(cell, params[-1], x)
        return tuple(params)

    def start(x: Array | ArrayType) -> Tree:
        carries = []
        for cell in cells:
            carries.append(cell.start(x))
            x = _output_type(cell, eval_shape(cell.init, random.key(0), x), x)
        return tuple(carries)

    def step(params: Tree, carry: Tree, x: Array) -> tuple[Tree, Array]:
        carries = []
        for cell, own, before in zip(cells, params, carry, strict=True):
            after, x = cell.step(own, before, x)
            carries.append(after)
        return tuple(carries), x

    return Cell(init, start, step, "stacked_cells")


def check_cell(where: str, cell: Any) -> None:
    """Check that an argument is a cell.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(cell, Cell):
        raise TypeError(
            message(where, "cell", "be a Cell", f"a {type(cell).__name__}", "try nn.lstm_cell(64)")
        )


def _output_type(cell: Cell, params: Tree, x: Array | ArrayType) -> ArrayType:
    output: ArrayType = eval_shape(cell.step, params, cell.start(x), x)[1]
    return output


def _make_init(
    where: str,
    features: int,
    gates: int,
    kernel_init: Initializer,
    recurrent_init: Initializer,
    bias_init: Initializer,
) -> CellInit:
    for what, made_by in (("kernel", kernel_init), ("recurrent", recurrent_init), ("bias", bias_init)):
        check_initializer(where, f"{what}_init", made_by)

    def init(key: Array, x: Array | ArrayType) -> Tree:
        x_type = array_type(where, x)
        if len(x_type.shape) != 2:
            raise ValueError(message(where, "the input of a step", "have the shape (batch, inputs)", x_type))
        return gated_params(key, x, (), features, gates, kernel_init, recurrent_init, bias_init)

    return init


def gated_params(
    key: Array,
    x: Array | ArrayType,
    window: tuple[int, ...],
    features: int,
    gates: int,
    kernel_init: Initializer,
    recurrent_init: Initializer,
    bias_init: Initializer,
) -> Tree:
    """Return the kernels and the bias of all gates, side by side; recurrent kernels are drawn one by one.

    The window is that of a convolution, and ``()`` where the kernels are matrices.
    """
    dtype = param_dtype(x)
    kernel_key, recurrent_key, bias_key = random.split(key, 3)
    keys = random.split(recurrent_key, gates)
    shape = (*window, features, features)
    recurrent = [recurrent_init(keys[gate], shape, dtype) for gate in range(gates)]
    return {
        "input_kernel": kernel_init(kernel_key, (*window, x.shape[-1], gates * features), dtype),
        "recurrent_kernel": np.concatenate(recurrent, axis=-1),
        "bias": bias_init(bias_key, (gates * features,), dtype),
    }


def _zeros(x: Array | ArrayType, features: int) -> Array:
    return np.zeros((x.shape[0], features), param_dtype(x))


def _inputs(where: str, params: Tree, x: Array) -> Array:
    check_inputs(where, params, x, ("input_kernel", "recurrent_kernel", "bias"))
    kernel = params["input_kernel"]
    check_fits_kernel(where, x, kernel)
    return as_floating(x, kernel.dtype) @ kernel + params["bias"]


def _split(x: Array, parts: int) -> list[Array]:
    width = x.shape[-1] // parts
    return [x[..., part * width : (part + 1) * width] for part in range(parts)]
