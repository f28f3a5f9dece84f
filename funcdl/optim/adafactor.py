"""Adafactor: second moments of a matrix kept as those of its rows and of its columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.clipping import clip_by_block_rms, squared_norm
from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.ema import ema
from funcdl.optim.hyperparameters import positive, steps, unpromoting
from funcdl.optim.leaves import like, map_leaves, matching_leaves
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, squared_magnitude
from funcdl.optim.optimizer import Optimizer, State, chain, increment, no_state, require_params
from funcdl.optim.scaling import as_schedule, scale, scale_by_schedule
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array, Shape


class FactoredSquares(NamedTuple):
    """Averages of a parameter's squared gradients along its two longest axes.

    Attributes:
        rows: their means along the longest axis, which it lacks.
        columns: their means along the second longest axis, likewise.
    """

    rows: Array
    columns: Array


class ScaleByFactoredRmsState(NamedTuple):
    """State of `scale_by_factored_rms`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean_square: for each parameter `FactoredSquares`, or an array like the parameter.
    """

    count: Array
    mean_square: Tree


def scale_by_factored_rms(
    *,
    decay_rate: float = 0.8,
    min_dim_size_to_factor: int = 128,
    eps: float = 1e-30,
    name: str = "scale_by_factored_rms",
) -> Optimizer:
    """Divide gradients by the root of a factored average of their squares.

    With ``d[t] = 1 - t**-decay_rate`` and ``q[t] = g[t]**2 + eps``:
    ``r[t] = d[t] * r[t-1] + (1 - d[t]) * mean(q[t], longest axis)``, ``c[t]`` likewise along the second
    longest, ``u[t] = g[t] / sqrt(r[t] * c[t] / mean(r[t]))``. A parameter with fewer than two axes of enough
    length keeps the average of ``q`` itself.

    Args:
        decay_rate: how fast the average comes to reach far back, in (0, inf).
        min_dim_size_to_factor: how long the second longest axis must be, at least 1.
        eps: in (0, inf); added to the squares.
        name: what error messages call it.

    Source: see `adafactor`.

    >>> optimizer = scale_by_factored_rms(min_dim_size_to_factor=2)
    >>> params = np.zeros((2, 3))
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update(np.full((2, 3), -4.0), state, params)
    >>> updates[0], state.mean_square.rows.shape, state.mean_square.columns.shape
    (array([-1., -1., -1.]), (2,), (3,))
    """
    decay_rate = positive(name, "decay_rate", decay_rate)
    least = steps(name, "min_dim_size_to_factor", min_dim_size_to_factor, least=1)
    eps = positive(name, "eps", eps)

    def squares(param: Array) -> Array | FactoredSquares:
        axes = _factored_axes(param.shape, least)
        if axes is None:
            return np.zeros_like(param.real)
        second, longest = axes
        return FactoredSquares(
            np.zeros_like(param.real, shape=_without(param.shape, longest)),
            np.zeros_like(param.real, shape=_without(param.shape, second)),
        )

    def init(params: Tree) -> ScaleByFactoredRmsState:
        return ScaleByFactoredRmsState(np.int32(0), tree.map(squares, params))

    def update(
        grads: Tree, state: ScaleByFactoredRmsState, params: Tree = None
    ) -> tuple[Tree, ScaleByFactoredRmsState]:
        where = f"{name}.update"
        require_params(where, "the shapes of the averages", params)
        (_, grad_leaves), structure = matching_leaves(where, params, grads)
        olds = tree.flatten_up_to(structure, state.mean_square, where)
        count = increment(state.count)
        decay = 1.0 - unpromoting(count) ** -decay_rate
        updates, news = [], []
        for grad, old in zip(grad_leaves, olds, strict=True):
            square = squared_magnitude(grad) + like(eps, grad)
            rate = like(decay, grad)
            if isinstance(old, FactoredSquares):
                update, new = _factored_step(grad, square, old, rate)
            else:
                new = average(old, square, rate)
                update = grad / np.sqrt(new)
            updates.append(update)
            news.append(new)
        return (
            tree.unflatten(structure, updates),
            ScaleByFactoredRmsState(count, tree.unflatten(structure, news)),
        )

    return Optimizer(init, update)


def scale_by_param_block_rms(*, min_scale: float = 1e-3, name: str = "scale_by_param_block_rms") -> Optimizer:
    """Multiply updates by the size of their parameter: ``u = g * max(sqrt(mean(p**2)), min_scale)``.

    Args:
        min_scale: in (0, inf).
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    >>> scale_by_param_block_rms().update(np.array([1.0, 2.0]), (), np.array([3.0, -3.0]))[0]
    array([3., 6.])
    """
    min_scale = positive(name, "min_scale", min_scale)

    def rescale(param: Array, grad: Array, least: Array) -> Array:
        mean_square = squared_norm(param) / max(param.size, 1)
        return grad * np.sqrt(np.maximum(mean_square, least * least))

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        where = f"{name}.update"
        require_params(where, "their root mean square", params)
        return map_leaves(where, rescale, params, grads, scalars=(min_scale,)), state

    return Optimizer(no_state, update)


def adafactor(
    learning_rate: float | Schedule | None = None,
    *,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: float | None = 1.0,
    momentum: float | None = None,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
    eps: float = 1e-30,
) -> Optimizer:
    """Adafactor: adaptive steps in the memory of a row and a column for each matrix.

    The direction of `scale_by_factored_rms`, its root mean square limited by `clip_by_block_rms`, times the
    learning rate, times the size of the parameter (`scale_by_param_block_rms`), averaged with ``momentum``,
    plus ``weight_decay * p`` (not multiplied by the learning rate, as in optax).

    Args:
        learning_rate: in [0, inf), relative to the size of the parameter; or a schedule; 1 if left out.
        min_dim_size_to_factor: how long the second longest axis must be, at least 1.
        decay_rate: how fast the average of squares comes to reach far back, in (0, inf).
        multiply_by_parameter_scale: whether the learning rate is relative to the size of the parameter.
        clipping_threshold: limit of a leaf's root mean square, in (0, inf); without it there is none.
        momentum: what is kept of an average of the steps, in [0, 1); without it there is none.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.
        eps: in (0, inf); added to the squares.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018,
    arXiv:1804.04235.

    >>> optimizer = adafactor(0.1)
    >>> params = np.array([3.0, -3.0])
    >>> optimizer.update(np.array([7.0, -5.0]), optimizer.init(params), params)[0].round(6)
    array([-0.3,  0.3])
    """
    name = "adafactor"
    parts = [
        scale_by_factored_rms(
            decay_rate=decay_rate, min_dim_size_to_factor=min_dim_size_to_factor, eps=eps, name=name
        )
    ]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold, name=name))
    if learning_rate is not None:
        parts.append(scale_by_schedule(as_schedule(name, learning_rate), name=name))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms(name=name))
    if momentum is not None:
        parts.append(ema(momentum, debias=False, name=name))
    parts.append(add_decayed_weights(weight_decay, mask=mask, name=name))
    return chain(*parts, scale(-1.0, name=name), name=name)


def _factored_step(
    grad: Array, square: Array, old: FactoredSquares, decay: Array
) -> tuple[Array, FactoredSquares]:
    second, longest = _longest_axes(grad.shape)
    rows = average(old.rows, np.mean(square, axis=longest), decay)
    columns = average(old.columns, np.mean(square, axis=second), decay)
    along = second - 1 if second > longest else second
    row_factor = 1.0 / np.sqrt(rows / np.mean(rows, axis=along, keepdims=True))
    column_factor = 1.0 / np.sqrt(columns)
    update = grad * np.expand_dims(row_factor, longest) * np.expand_dims(column_factor, second)
    return update, FactoredSquares(rows, columns)


def _factored_axes(shape: Shape, least: int) -> tuple[int, int] | None:
    if len(shape) < 2:
        return None
    second, longest = _longest_axes(shape)
    return (second, longest) if shape[second] >= least else None


def _longest_axes(shape: Shape) -> tuple[int, int]:
    """Return the second longest axis and the longest one; of equal ones the later counts as longer."""
    *_, second, longest = sorted(range(len(shape)), key=lambda axis: shape[axis])
    return second, longest


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]
