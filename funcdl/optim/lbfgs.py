"""L-BFGS: curvature from the last steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import steps
from funcdl.optim.leaves import matching_leaves
from funcdl.optim.optimizer import Optimizer, increment, require_params
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class ScaleByLbfgsState(NamedTuple):
    """State of `scale_by_lbfgs`; trees are vectors here, as `transforms.tree.ravel` makes them.

    Attributes:
        count: number of updates so far, int32, shape ().
        params: those of the last update, shape [elements].
        grads: those of the last update, shape [elements].
        param_steps: the last differences of parameters, the newest last, shape [memory_size, elements].
        grad_steps: the last differences of gradients, likewise.
        weights: for each pair of differences one over their inner product, 0 where there is none yet; shape
            [memory_size].
    """

    count: Array
    params: Array
    grads: Array
    param_steps: Array
    grad_steps: Array
    weights: Array


def scale_by_lbfgs(
    memory_size: int = 10, *, scale_start: bool = True, name: str = "scale_by_lbfgs"
) -> Optimizer:
    """Multiply gradients by an estimate of the inverse Hessian, made of the last steps.

    With differences ``s`` of parameters and ``y`` of gradients, and ``w = 1 / <s, y>``, each step turns the
    estimate H into ``(1 - w s y') H (1 - w y s') + w s s'``. It is applied without being formed, and starts
    from a multiple of the identity.

    What follows in a `chain` must take a step that suits the direction; `lbfgs` looks for one.

    Args:
        memory_size: how many steps are remembered, at least 1.
        scale_start: whether the identity is multiplied by ``<s, y> / <y, y>`` of the last step, and in the
            first step by one over the norm of the gradient, at most 1.
        name: what error messages call it.

    ``update`` needs the parameters, which are real: ``update(grads, state, params)``.

    Source: Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980,
    doi:10.1090/S0025-5718-1980-0572855-7.

    >>> optimizer = scale_by_lbfgs()
    >>> params = np.array([4.0, 1.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(8):  # gradients of 5 * x[0]**2 + x[1]**2 / 2
    ...     updates, state = optimizer.update(np.array([10.0, 1.0]) * params, state, params)
    ...     params = params - updates
    >>> bool(np.all(np.abs(params) < 1e-6))
    True
    """
    memory_size = steps(name, "memory_size", memory_size, least=1)

    def init(params: Tree) -> ScaleByLbfgsState:
        zeros = np.zeros_like(tree.ravel(params)[0])
        memory = np.zeros((memory_size, *zeros.shape), zeros.dtype)
        return ScaleByLbfgsState(
            np.int32(0), zeros, zeros, memory, memory, np.zeros(memory_size, zeros.dtype)
        )

    def update(grads: Tree, state: ScaleByLbfgsState, params: Tree = None) -> tuple[Tree, ScaleByLbfgsState]:
        where = f"{name}.update"
        require_params(where, "the differences between steps", params)
        matching_leaves(where, params, grads)
        gradient, unravel = tree.ravel(grads)
        direction, after = precondition(gradient, state, tree.ravel(params)[0], scale_start=scale_start)
        return unravel(direction), after

    return Optimizer(init, update)


def precondition(
    gradient: Array, state: ScaleByLbfgsState, params: Array, *, scale_start: bool = True
) -> tuple[Array, ScaleByLbfgsState]:
    """Return the gradient times the estimate of the inverse Hessian, and the state that remembers it.

    Args:
        gradient: a vector.
        state: with vectors as long.
        params: a vector.
        scale_start: as in `scale_by_lbfgs`.
    """
    has_past = state.count > 0
    param_step = np.where(has_past, params - state.params, 0)
    grad_step = np.where(has_past, gradient - state.grads, 0)
    product = param_step @ grad_step
    after = ScaleByLbfgsState(
        increment(state.count),
        params,
        gradient,
        _remember(param_step, state.param_steps),
        _remember(grad_step, state.grad_steps),
        _remember(_reciprocal(product), state.weights),
    )
    if not scale_start:
        return _multiply(gradient, after, 1.0), after
    square = grad_step @ grad_step
    later = np.where(square > 0, product * _reciprocal(square), 1)
    first = np.minimum(1, _reciprocal(np.sqrt(gradient @ gradient)))
    return _multiply(gradient, after, np.where(has_past, later, first)), after


def _remember(new: Array, memory: Array) -> Array:
    return np.concatenate([memory[1:], np.reshape(new, (1, *memory.shape[1:]))]).astype(memory.dtype)


def _reciprocal(x: Array) -> Array:
    """Return one over a number, and 0 for 0."""
    return np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))


def _multiply(vector: Array, state: ScaleByLbfgsState, scale: Array | float) -> Array:
    """Apply the estimate that starts from a multiple of the identity: through the steps and back."""
    memory = range(state.weights.shape[0])
    shares = {}
    for index in reversed(memory):
        shares[index] = state.weights[index] * (state.param_steps[index] @ vector)
        vector = vector - shares[index] * state.grad_steps[index]
    vector = scale * vector
    for index in memory:
        back = state.weights[index] * (state.grad_steps[index] @ vector)
        vector = vector + (shares[index] - back) * state.param_steps[index]
    return vector
