"""Adam and AdamW: steps from moving averages of the gradient and of its square."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.hyperparameters import fraction, is_zero, non_negative, positive
from funcdl.optim.leaves import Scalar, map_and_unzip
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


class ScaleByAdamState(NamedTuple):
    """State of `scale_by_adam`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the gradients, a tree like the parameters.
        mean_square: moving average of their squares, likewise.
    """

    count: Array
    mean: Tree
    mean_square: Tree


def scale_by_adam(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    nesterov: bool = False,
    name: str = "scale_by_adam",
) -> Optimizer:
    """Replace gradients by Adam's direction, the equation of `adam` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root. Above 0 it keeps the update differentiable where
            gradients are 0.
        nesterov: whether the average of gradients looks one step ahead.
        name: what error messages call it.

    Source: see `adam`.

    >>> optimizer = scale_by_adam()
    >>> updates, state = optimizer.update({"w": np.array([3.0, -5.0])}, optimizer.init({"w": np.zeros(2)}))
    >>> updates["w"].round(6)
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)
    without_root = is_zero(eps_root)

    def direction(
        mean: Array,
        mean_square: Array,
        grad: Array,
        b1: Array,
        b2: Array,
        mean_weight: Array,
        grad_weight: Array,
        eps: Array,
        eps_root: Array,
    ) -> tuple[Array, Array, Array]:
        mean = average(mean, grad, b1)
        mean_square = average(mean_square, squared_magnitude(grad), b2)
        ascent = mean * mean_weight + grad * grad_weight if nesterov else mean * mean_weight
        shifted = mean_square if without_root else mean_square + eps_root
        return ascent / (np.sqrt(shifted) + eps), mean, mean_square

    def scalars(count: Array) -> tuple[Scalar, ...]:
        # m / c1 / (sqrt(s / c2 + eps_root) + eps), with its numerator and denominator multiplied by
        # sqrt(c2): the bias corrections are then paid once per step instead of once per element.
        c1 = bias_correction_at(count, b1)
        c2 = bias_correction_at(count, b2)
        root = c2**0.5
        mean_weight = b1 / bias_correction_at(increment(count), b1) if nesterov else 1.0 / c1
        grad_weight = (1.0 - b1) / c1
        return b1, b2, root * mean_weight, root * grad_weight, root * eps, c2 * eps_root

    def init(params: Tree) -> ScaleByAdamState:
        return ScaleByAdamState(np.int32(0), zeros(params), full_of_squares(params, 0.0))

    def update(grads: Tree, state: ScaleByAdamState, params: Tree = None) -> tuple[Tree, ScaleByAdamState]:
        count = increment(state.count)
        updates, mean, mean_square = map_and_unzip(
            f"{name}.update", direction, 3, state.mean, state.mean_square, grads, scalars=scalars(count)
        )
        return updates, ScaleByAdamState(count, mean, mean_square)

    return Optimizer(init, update)


def adam(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Adam: steps from bias-corrected moving averages of the gradient and of its square.

    ``m[t] = b1 * m[t-1] + (1 - b1) * g[t]``, ``s[t] = b2 * s[t-1] + (1 - b2) * g[t]**2``,
    ``u[t] = -learning_rate * (m[t] / (1 - b1**t)) / (sqrt(s[t] / (1 - b2**t) + eps_root) + eps)``;
    with ``nesterov``, ``b1 * m[t] / (1 - b1**(t+1)) + (1 - b1) * g[t] / (1 - b1**t)`` takes the place of
    ``m[t] / (1 - b1**t)``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root (the ``epsilon-hat`` of the paper's last variant is another one).
        eps_root: in [0, inf); added under the root. Above 0 it keeps the update differentiable where
            gradients are 0.
        nesterov: whether the average of gradients looks one step ahead (NAdam; without its schedule of
            ``b1``, as in optax).

    Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980; Nesterov:
    Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    >>> from funcdl import optim
    >>> optimizer = optim.adam(0.1)
    >>> params = {"w": np.array([1.0, 1.0])}
    >>> updates, state = optimizer.update({"w": np.array([3.0, -5.0])}, optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)["w"].round(6)
    array([0.9, 1.1])
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov, name="adam"),
        scale_by_learning_rate(learning_rate, name="adam"),
        name="adam",
    )


def adamw(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
    mask: Mask | None = None,
    nesterov: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay.

    ``u[t] = -learning_rate * (d[t] + weight_decay * p[t])``, where ``-learning_rate * d[t]`` is the update
    of `adam`: the decay is not divided by the root of the average of squares, as an L2 penalty in the
    loss would be. It is multiplied by the learning rate, as in optax and PyTorch; in the paper, only by
    the schedule's multiplier.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        weight_decay: in [0, inf). The default is optax's; PyTorch's is 1e-2.
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.
        nesterov: whether the average of gradients looks one step ahead.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.

    >>> optimizer = adamw(0.1, weight_decay=0.5)
    >>> params = {"w": np.array([2.0])}
    >>> updates, state = optimizer.update({"w": np.array([3.0])}, optimizer.init(params), params)
    >>> updates["w"].round(6)
    array([-0.2])
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov, name="adamw"),
        add_decayed_weights(weight_decay, mask=mask, name="adamw"),
        scale_by_learning_rate(learning_rate, name="adamw"),
        name="adamw",
    )
