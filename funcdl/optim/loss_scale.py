"""Scaling of the loss, so that the gradients of float16 values do not vanish."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import positive, steps
from funcdl.optim.moments import select, zeros
from funcdl.optim.optimizer import Optimizer, State, increment
from funcdl.optim.precision import widened
from funcdl.optim.wrappers import all_finite
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class LossScaleState(NamedTuple):
    """State of `static_loss_scale` and `dynamic_loss_scale`.

    Attributes:
        scale: what the next loss is to be multiplied by, float32, shape ().
        good: number of finite gradients since the scale last changed, int32, shape ().
        inner: the state of the inner optimizer.
    """

    scale: Array
    good: Array
    inner: State


def scale_loss(loss: Array, state: State) -> Array:
    """Return a loss times the scale in an optimizer's state; the loss itself where that has no scale.

    The gradient of the result is what `dynamic_loss_scale` expects.

    Args:
        loss: a scalar.
        state: the state of the optimizer, whose outermost part is the scaling.

    >>> from funcdl import optim
    >>> state = optim.static_loss_scale(optim.sgd(0.1), 8.0).init(np.zeros(2))
    >>> scale_loss(np.float32(0.5), state), scale_loss(np.float32(0.5), ())
    (np.float32(4.0), np.float32(0.5))
    """
    # In float32: 2**15 is near the largest float16.
    return loss * state.scale if isinstance(state, LossScaleState) else loss


def static_loss_scale(inner: Optimizer, scale: float, *, name: str = "static_loss_scale") -> Optimizer:
    """Divide the gradients of a scaled loss by its scale, in float32.

    It has to be outermost. The loss is scaled by `scale_loss`; `funcdl.training.train_step` does so.

    Args:
        inner: the optimizer; it sees gradients and parameters of at least float32.
        scale: in (0, inf); a power of two does not round.
        name: what error messages call it.

    Source: Micikevicius et al., "Mixed Precision Training", 2018, arXiv:1710.03740.

    >>> from funcdl import optim
    >>> optimizer = static_loss_scale(optim.sgd(0.5), 8.0)
    >>> optimizer.update(np.float16([8.0]), optimizer.init(np.float16([1.0])))[0]
    array([-0.5], dtype=float32)
    """
    scale = positive(name, "the scale", scale)

    def init(params: Tree) -> LossScaleState:
        return LossScaleState(np.float32(scale), np.int32(0), inner.init(widened(params)))

    def update(grads: Tree, state: LossScaleState, params: Tree = None) -> tuple[Tree, LossScaleState]:
        updates, inner_state = inner.update(_unscaled(grads, state.scale), state.inner, widened(params))
        return updates, state._replace(inner=inner_state)

    return Optimizer(init, update)


def dynamic_loss_scale(
    inner: Optimizer,
    *,
    initial: float = 2.0**15,
    growth_interval: int = 2000,
    factor: float = 2.0,
    name: str = "dynamic_loss_scale",
) -> Optimizer:
    """Scale a loss as much as its gradients allow.

    Gradients that are not finite are left out, and the scale is divided by ``factor``, down to 1; after
    ``growth_interval`` finite ones on end it is multiplied by it. Else like `static_loss_scale`.

    An overflow is how it finds its scale, but NumPy warns of it: train under
    ``np.errstate(over="ignore", invalid="ignore")``.

    Args:
        inner: the optimizer; it sees finite gradients, of at least float32, and parameters likewise.
        initial: the first scale, at least 1.
        growth_interval: number of finite gradients after which the scale grows, at least 1.
        factor: in (1, inf).
        name: what error messages call it.

    Source: Micikevicius et al., "Mixed Precision Training", 2018, arXiv:1710.03740.

    >>> from funcdl import optim
    >>> optimizer = dynamic_loss_scale(optim.sgd(0.5), initial=8.0)
    >>> updates, state = optimizer.update(np.float16([np.inf]), optimizer.init(np.float16([1.0])))
    >>> updates, float(state.scale)
    (array([0.], dtype=float32), 4.0)
    """
    initial = positive(name, "the initial scale", initial)
    growth_interval = steps(name, "growth_interval", growth_interval, least=1)
    factor = positive(name, "the factor", factor)
    if initial < 1.0:
        raise ValueError(message(name, "the initial scale", "be at least 1", initial))
    if factor <= 1.0:
        raise ValueError(message(name, "the factor", "be above 1", factor))

    def init(params: Tree) -> LossScaleState:
        return LossScaleState(np.float32(initial), np.int32(0), inner.init(widened(params)))

    def update(grads: Tree, state: LossScaleState, params: Tree = None) -> tuple[Tree, LossScaleState]:
        grads = _unscaled(grads, state.scale)
        finite = all_finite(grads)
        # What is left out must not reach the inner optimizer either: it may warn about it.
        shown = select(finite, grads, zeros(grads))
        updates, inner_state = inner.update(shown, state.inner, widened(params))
        good = np.where(finite, increment(state.good), 0)
        due = good == growth_interval
        # Where doubling would overflow the scale stays.
        larger = np.minimum(state.scale, _LARGEST / factor) * factor
        scale = np.where(finite, np.where(due, larger, state.scale), np.maximum(state.scale / factor, 1.0))
        return select(finite, updates, zeros(updates)), LossScaleState(
            scale.astype(np.float32),
            np.where(due, 0, good).astype(np.int32),
            select(finite, inner_state, state.inner),
        )

    return Optimizer(init, update)


_LARGEST = float(np.finfo(np.float32).max)


def _unscaled(grads: Tree, scale: Array) -> Tree:
    return tree.map(lambda grad: grad / scale.astype(grad.dtype), widened(grads))
