"""RMSProp: gradients divided by their recent root mean square."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, non_negative, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from funcdl.optim.sgd import momentum_if_any
from transforms.tree import Tree
from transforms.types import Array


class ScaleByRmsState(NamedTuple):
    """State of `scale_by_rms`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean_square: moving average of the squared gradients, a tree like the parameters.
    """

    count: Array
    mean_square: Tree


def scale_by_rms(
    *,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    name: str = "scale_by_rms",
) -> Optimizer:
    """Divide gradients by the root of a moving average of their squares.

    ``s[t] = decay * s[t-1] + (1 - decay) * g[t]**2``, ``u[t] = g[t] / sqrt(s[t] + eps)``

    Args:
        decay: what is kept of the average in each step, in [0, 1).
        eps: in (0, inf); keeps the quotient finite.
        initial_scale: the average before the first step, in [0, inf).
        eps_in_sqrt: whether ``eps`` is added under the root, or to the root.
        bias_correction: whether ``s[t]`` is divided by ``1 - decay**t`` (t = 1 at the first update),
            which takes the share of the initial zeros out of the average.
        name: what error messages call it.

    Source: see `rmsprop`.

    >>> optimizer = scale_by_rms(decay=0.75)
    >>> optimizer.update({"w": np.array([3.0])}, optimizer.init({"w": np.zeros(1)}))[0]
    {'w': array([2.])}
    """
    decay = fraction(name, "the decay", decay)
    eps = positive(name, "eps", eps)
    initial_scale = non_negative(name, "initial_scale", initial_scale)

    def divide(
        mean_square: Array, grad: Array, decay: Array, eps: Array, correction: Array
    ) -> tuple[Array, Array]:
        mean_square = average(mean_square, squared_magnitude(grad), decay)
        unbiased = mean_square / correction if bias_correction else mean_square
        return grad / _root(unbiased, eps, eps_in_sqrt), mean_square

    def init(params: Tree) -> ScaleByRmsState:
        return ScaleByRmsState(np.int32(0), full_of_squares(params, initial_scale))

    def update(grads: Tree, state: ScaleByRmsState, params: Tree = None) -> tuple[Tree, ScaleByRmsState]:
        count = increment(state.count)
        scalars = (decay, eps, bias_correction_at(count, decay))
        updates, mean_square = map_and_unzip(
            f"{name}.update", divide, 2, state.mean_square, grads, scalars=scalars
        )
        return updates, ScaleByRmsState(count, mean_square)

    return Optimizer(init, update)


class ScaleByStddevState(NamedTuple):
    """State of `scale_by_stddev`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the gradients, a tree like the parameters.
        mean_square: moving average of their squares, likewise.
    """

    count: Array
    mean: Tree
    mean_square: Tree


def scale_by_stddev(
    *,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
    name: str = "scale_by_stddev",
) -> Optimizer:
    """Divide gradients by their moving standard deviation.

    ``m[t] = decay * m[t-1] + (1 - decay) * g[t]``, ``s[t] = decay * s[t-1] + (1 - decay) * g[t]**2``,
    ``u[t] = g[t] / sqrt(max(s[t] - m[t]**2, 0) + eps)``

    The variance is kept at 0 or above: for gradients that hardly change, rounding makes the difference
    negative, and optax's and PyTorch's updates NaN.

    Args:
        decay: what is kept of both averages in each step, in [0, 1).
        eps: in (0, inf); keeps the quotient finite.
        initial_scale: the average of squares before the first step, in [0, inf).
        eps_in_sqrt: whether ``eps`` is added under the root, or to the root.
        bias_correction: whether both averages are divided by ``1 - decay**t``.
        name: what error messages call it.

    Source: see `rmsprop`.

    >>> optimizer = scale_by_stddev(decay=0.5)
    >>> optimizer.update({"w": np.array([3.0])}, optimizer.init({"w": np.zeros(1)}))[0]
    {'w': array([2.])}
    """
    decay = fraction(name, "the decay", decay)
    eps = positive(name, "eps", eps)
    initial_scale = non_negative(name, "initial_scale", initial_scale)

    def divide(
        mean: Array, mean_square: Array, grad: Array, decay: Array, eps: Array, correction: Array
    ) -> tuple[Array, Array, Array]:
        mean = average(mean, grad, decay)
        mean_square = average(mean_square, squared_magnitude(grad), decay)
        if bias_correction:
            variance = mean_square / correction - squared_magnitude(mean / correction)
        else:
            variance = mean_square - squared_magnitude(mean)
        return grad / _root(np.maximum(variance, 0.0), eps, eps_in_sqrt), mean, mean_square

    def init(params: Tree) -> ScaleByStddevState:
        return ScaleByStddevState(np.int32(0), zeros(params), full_of_squares(params, initial_scale))

    def update(
        grads: Tree, state: ScaleByStddevState, params: Tree = None
    ) -> tuple[Tree, ScaleByStddevState]:
        count = increment(state.count)
        scalars = (decay, eps, bias_correction_at(count, decay))
        updates, mean, mean_square = map_and_unzip(
            f"{name}.update", divide, 3, state.mean, state.mean_square, grads, scalars=scalars
        )
        return updates, ScaleByStddevState(count, mean, mean_square)

    return Optimizer(init, update)


def rmsprop(
    learning_rate: float | Schedule,
    *,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: float = 0.0,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Optimizer:
    """RMSProp: divide gradients by the root of a moving average of their squares.

    ``s[t] = decay * s[t-1] + (1 - decay) * g[t]**2``, ``u[t] = -learning_rate * g[t] / sqrt(s[t] + eps)``

    The defaults are optax's; Keras and PyTorch start with ``eps=1e-7`` and ``eps=1e-8`` outside the root
    and a decay of 0.9 and 0.99. The momentum accumulates the steps, the learning rate in them, as in
    optax (PyTorch multiplies by the rate after it).

    Args:
        learning_rate: in [0, inf), or a schedule.
        decay: what is kept of the average in each step, in [0, 1).
        eps: in (0, inf); keeps the quotient finite.
        initial_scale: the average before the first step, in [0, inf).
        eps_in_sqrt: whether ``eps`` is added under the root, or to the root.
        centered: whether to divide by the standard deviation, as in `scale_by_stddev`.
        momentum: decay of the sum of past steps, in [0, 1); with 0 there is no such sum.
        nesterov: whether the momentum looks one step ahead; needs a momentum above 0.
        bias_correction: whether the averages are divided by ``1 - decay**t``.

    Source: Tieleman & Hinton, "Lecture 6.5: RMSProp", Neural Networks for Machine Learning, 2012; centered:
    Graves, "Generating Sequences With Recurrent Neural Networks", 2013, arXiv:1308.0850.

    >>> optimizer = rmsprop(0.1, decay=0.75)
    >>> optimizer.update({"w": np.array([3.0])}, optimizer.init({"w": np.zeros(1)}))[0]
    {'w': array([-0.2])}
    """
    scale_by = scale_by_stddev if centered else scale_by_rms
    return chain(
        scale_by(
            decay=decay,
            eps=eps,
            initial_scale=initial_scale,
            eps_in_sqrt=eps_in_sqrt,
            bias_correction=bias_correction,
            name="rmsprop",
        ),
        scale_by_learning_rate(learning_rate, name="rmsprop"),
        *momentum_if_any("rmsprop", momentum, nesterov),
        name="rmsprop",
    )


def _root(square: Array, eps: Array, eps_in_sqrt: bool) -> Array:
    return np.sqrt(square + eps) if eps_in_sqrt else np.sqrt(square) + eps
