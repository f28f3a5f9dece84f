"""LAMB and LARS: steps in proportion to the norm of what they change, layer by layer."""

from __future__ import annotations

import numpy as np

from funcdl.optim.adam import scale_by_adam
from funcdl.optim.clipping import squared_norm
from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.groups import masked
from funcdl.optim.hyperparameters import non_negative, positive
from funcdl.optim.leaves import map_leaves
from funcdl.optim.masks import Mask
from funcdl.optim.optimizer import Optimizer, State, chain, no_state, require_params
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from funcdl.optim.sgd import momentum_if_any
from transforms.tree import Tree
from transforms.types import Array


def scale_by_trust_ratio(
    *, trust_coefficient: float = 1.0, eps: float = 0.0, name: str = "scale_by_trust_ratio"
) -> Optimizer:
    """Give each update the norm of its parameter: ``u = g * trust_coefficient * norm(p) / (norm(g) + eps)``.

    Where one of the norms is 0, the update passes unchanged.

    Args:
        trust_coefficient: in (0, inf).
        eps: in [0, inf); added to the norm of the update.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: You et al., 2017, arXiv:1708.03888.

    >>> scale_by_trust_ratio().update(np.array([3.0, 4.0]), (), np.array([0.0, 10.0]))[0]
    array([6., 8.])
    """
    trust_coefficient = positive(name, "trust_coefficient", trust_coefficient)
    eps = non_negative(name, "eps", eps)

    def rescale(param: Array, grad: Array, trust_coefficient: Array, eps: Array) -> Array:
        param_square, grad_square = squared_norm(param), squared_norm(grad)
        unknown = (param_square == 0) | (grad_square == 0)
        # The derivative of the root is infinite at 0, and np.where evaluates both sides.
        param_norm = np.sqrt(np.where(unknown, 1.0, param_square))
        grad_norm = np.sqrt(np.where(unknown, 1.0, grad_square))
        ratio = trust_coefficient * param_norm / (grad_norm + eps)
        return grad * np.where(unknown, 1.0, ratio)

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        where = f"{name}.update"
        require_params(where, "the trust ratio", params)
        return map_leaves(where, rescale, params, grads, scalars=(trust_coefficient, eps)), state

    return Optimizer(no_state, update)


def lamb(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
) -> Optimizer:
    """LAMB: `adamw` whose steps have the norm of the parameter, for large batches.

    ``v[t] = d[t] + weight_decay * p[t]``, ``u[t] = -learning_rate * v[t] * norm(p[t]) / norm(v[t])`` for each
    leaf, where ``d`` is Adam's direction.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: You et al., "Large Batch Optimization for Deep Learning", 2020, arXiv:1904.00962.

    >>> optimizer = lamb(0.1)
    >>> params = np.array([3.0, 4.0])
    >>> optimizer.update(np.array([5.0, 0.0]), optimizer.init(params), params)[0].round(6)
    array([-0.5, -0. ])
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, name="lamb"),
        add_decayed_weights(weight_decay, mask=mask, name="lamb"),
        scale_by_trust_ratio(name="lamb"),
        scale_by_learning_rate(learning_rate, name="lamb"),
        name="lamb",
    )


def lars(
    learning_rate: float | Schedule,
    *,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
    trust_coefficient: float = 0.001,
    eps: float = 0.0,
    trust_ratio_mask: Mask | None = None,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> Optimizer:
    """LARS: momentum whose steps are in proportion to the norm of the parameter, for large batches.

    ``h[t] = g[t] + weight_decay * p[t]``,
    ``v[t] = momentum * v[t-1] - learning_rate * trust_coefficient * h[t] * norm(p[t]) / (norm(h[t]) + eps)``,
    ``u[t] = v[t]``, for each leaf.

    Args:
        learning_rate: in [0, inf), or a schedule.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.
        trust_coefficient: in (0, inf).
        eps: in [0, inf); added to the norm of the gradient.
        trust_ratio_mask: which parameters are scaled by the ratio of norms; without it, all are.
        momentum: in [0, 1).
        nesterov: whether the momentum looks one step ahead; needs a momentum above 0.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: You et al., "Large Batch Training of Convolutional Networks", 2017, arXiv:1708.03888.

    >>> optimizer = lars(0.1, trust_coefficient=1.0)
    >>> params = np.array([3.0, 4.0])
    >>> optimizer.update(np.array([2.0, 0.0]), optimizer.init(params), params)[0]
    array([-0.5,  0. ])
    """
    ratio = scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps, name="lars")
    return chain(
        add_decayed_weights(weight_decay, mask=mask, name="lars"),
        ratio if trust_ratio_mask is None else masked(ratio, trust_ratio_mask, name="lars"),
        scale_by_learning_rate(learning_rate, name="lars"),
        *momentum_if_any("lars", momentum, nesterov),
        name="lars",
    )
