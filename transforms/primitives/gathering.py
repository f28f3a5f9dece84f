"""Integer-array indices: `gather` reads at them, and the scatters write at them.

The index arrays point along the axes ``axes`` of the array and broadcast to one shape. What is read
there, or written, has that shape at ``position`` among the array's other axes. As in NumPy a
negative index counts from the end, and one out of range raises IndexError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.errors import message
from transforms.primitive import Joint, Primitive
from transforms.primitives.declare import broadcast_shape, linear, move_axis
from transforms.primitives.slicing import batch_front, filled, joint_dtype, or_zero
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape

Axes = tuple[int, ...]


def gathered_shape(shape: Shape, indices: Sequence[Any], axes: Axes, position: int) -> Shape:
    """Return the shape of what index arrays select of an array of shape ``shape``.

    Raises:
        IndexError: the index arrays do not broadcast.
    """
    rest = [length for axis, length in enumerate(shape) if axis not in axes]
    try:
        selected = broadcast_shape(*indices)
    except ValueError as error:
        shapes = " and ".join(str(index.shape) for index in indices)
        raise IndexError(message("index", "the index arrays", "broadcast", f"shapes {shapes}")) from error
    return (*rest[:position], *selected, *rest[position:])


# --- gather


def _evaluate_gather(x: Array, *indices: Array, axes: Axes, position: int) -> Array:
    if position == 0 and axes[-1] == len(axes) - 1:
        return x[indices]
    first = axes[0]
    adjacent = axes[-1] - first == len(axes) - 1
    natural = first if adjacent else 0
    key: list[Any] = [slice(None)] * (axes[-1] + 1)
    for axis, index in zip(axes, indices, strict=True):
        key[axis] = index
    out = x[tuple(key)]
    if natural == position:
        return out
    rank = len(broadcast_shape(*indices))
    return np.moveaxis(out, range(natural, natural + rank), range(position, position + rank))


def _adjoint_gather(
    cotangent: Array, _out: None, x_type: ArrayType, *indices: Array, axes: Axes, position: int
) -> Array:
    return bind(scatter_add, 0.0, cotangent, *indices, axes=axes, position=position, shape=x_type.shape)


def _batch_indices(size: int, indices: Sequence[Array], batch_axes: Sequence[int | None]) -> list[Array]:
    """Return the examples' own numbers, and index arrays that broadcast with the batch axis in front."""
    rank = max(index.ndim - (axis is not None) for index, axis in zip(indices, batch_axes, strict=True))
    examples = np.arange(size).reshape((size,) + (1,) * rank)
    return [
        examples,
        *(batch_front(index, axis, rank) for index, axis in zip(indices, batch_axes, strict=True)),
    ]


def _behind_batch(axes: Axes) -> Axes:
    return tuple(axis + 1 for axis in axes)


def _batch_gather(
    size: int, operands: Sequence[Array], batch_axes: Sequence[int | None], axes: Axes, position: int
) -> tuple[Array, int]:
    (x, *indices), (x_axis, *index_axes) = operands, batch_axes
    if all(axis is None for axis in index_axes):
        x = move_axis(x, x_axis or 0, 0)
        return bind(gather, x, *indices, axes=_behind_batch(axes), position=position + 1), 0
    examples, *indices = _batch_indices(size, indices, index_axes)
    if x_axis is None:
        return bind(gather, x, *indices, axes=axes, position=position), position
    x = move_axis(x, x_axis, 0)
    axes = (0, *_behind_batch(axes))
    return bind(gather, x, examples, *indices, axes=axes, position=position), position


gather = linear(
    "gather",
    _evaluate_gather,
    _adjoint_gather,
    infer=lambda x, *indices, axes, position: ArrayType(
        gathered_shape(x.shape, indices, axes, position), x.dtype
    ),
    batch=_batch_gather,
)


# --- scatters: an array of a shape with the elements of `base`, into which `updates` are combined one after
# the other. The base broadcasts, the updates have the shape of what is selected or (), and the two promote,
# so that 0.0 for the base adds the updates to zeros.


def _scatter(
    ufunc: np.ufunc | None,
    base: Array,
    updates: Array,
    indices: Sequence[Array],
    axes: Axes,
    shape: Shape,
    position: int,
) -> Array:
    """Combine updates into a base by a ufunc, or replace by them; the last update of a place wins."""
    if ufunc is np.add and base.__class__ is float and len(axes) == len(shape):
        # Single elements, as the labels of a loss pick them: the pullback of most classifiers.
        out = np.full(shape, base, updates.dtype) if base else np.zeros(shape, updates.dtype)
        np.add.at(out, tuple(indices), updates)
        return out
    dtype = joint_dtype(base, updates)
    lengths = tuple(shape[axis] for axis in axes)
    rest = tuple(length for axis, length in enumerate(shape) if axis not in axes)
    # With the indexed axes in front, places are rows, and NumPy is fast at those of one flat array.
    moved = axes != tuple(range(len(axes)))
    if moved and np.ndim(base):
        base = np.moveaxis(np.broadcast_to(base, shape), axes, range(len(axes)))
    out = filled(base, lengths + rest, dtype)
    rows = np.asarray(np.arange(math.prod(lengths)).reshape(lengths)[tuple(indices)])
    if position and np.ndim(updates):
        rank = rows.ndim
        updates = np.moveaxis(updates, range(position, position + rank), range(rank))
    width = math.prod(rest)
    places = rows.reshape(-1, 1) * width + np.arange(width) if width != 1 else rows
    updates = np.asarray(updates).astype(dtype, copy=False).reshape(-1)
    if ufunc is None:
        out.reshape(-1)[places.reshape(-1)] = updates
    else:
        ufunc.at(out.reshape(-1), places.reshape(-1), updates)
    return np.moveaxis(out, range(len(axes)), axes) if moved else out


def _batch_scatter(
    primitive: Primitive,
    size: int,
    operands: Sequence[Array],
    batch_axes: Sequence[int | None],
    axes: Axes,
    position: int,
    shape: Shape,
) -> tuple[Array, int]:
    base, updates, *indices = operands
    base_axis, updates_axis, *index_axes = batch_axes
    base = batch_front(base, base_axis, len(shape))
    indexed = any(axis is not None for axis in index_axes)
    target = position if indexed else 0
    if updates_axis is not None:
        updates = move_axis(updates, updates_axis, target)
    elif np.ndim(updates):
        updates = np.expand_dims(updates, target)
        updates = np.broadcast_to(updates, (*updates.shape[:target], size, *updates.shape[target + 1 :]))
    axes = _behind_batch(axes)
    if indexed:
        axes = (0, *axes)
        indices = _batch_indices(size, indices, index_axes)
    else:
        position += 1
    return bind(primitive, base, updates, *indices, axes=axes, position=position, shape=(size, *shape)), 0


def _scatter_primitive(name: str, ufunc: np.ufunc | None, jvp: Any, vjp: Any) -> Primitive:
    primitive = Primitive(
        name,
        lambda base, updates, *indices, axes, position, shape: _scatter(
            ufunc, base, updates, indices, axes, shape, position
        ),
        infer=lambda base, updates, *_indices, axes, position, shape: ArrayType(
            shape, joint_dtype(base, updates)
        ),
        jvp=jvp,
        vjp=vjp,
        batch=lambda size, operands, batch_axes, **attributes: _batch_scatter(
            primitive, size, operands, batch_axes, **attributes
        ),
    )
    return primitive


def _read(x: Array, indices: Sequence[Array], attributes: dict[str, Any]) -> Array:
    """Gather what a scatter with these attributes writes to."""
    return bind(gather, x, *indices, axes=attributes["axes"], position=attributes["position"])


def _add_to(base: Array, updates: Array, indices: Sequence[Array], attributes: dict[str, Any]) -> Array:
    return bind(scatter_add, base, updates, *indices, **attributes)


# --- set: the last update of a place wins, and so it alone has a derivative


def _push_set(
    tangents: Sequence[Array | None],
    _out: Array,
    _base: Array,
    _updates: Array,
    *indices: Array,
    **attributes: Any,
) -> Array:
    base, updates = tangents[:2]
    return bind(scatter_set, or_zero(base), or_zero(updates), *indices, **attributes)


def _pull_set_base(
    cotangent: Array, _out: None, _base: None, _updates: None, *indices: Array, **attributes: Any
) -> Array:
    return bind(scatter_set, cotangent, 0.0, *indices, **attributes)


def _pull_set_updates(
    cotangent: Array, _out: None, _base: None, _updates: None, *indices: Array, **attributes: Any
) -> Array:
    share = _read(cotangent, indices, attributes)
    index_shape = np.broadcast_shapes(*(index.shape for index in indices))
    if math.prod(index_shape) < 2:
        return share
    lengths = tuple(attributes["shape"][axis] for axis in attributes["axes"])
    plan = {"axes": tuple(range(len(lengths))), "position": 0}
    writers = np.arange(math.prod(index_shape)).reshape(index_shape)
    last = bind(scatter_set, 0, writers, *indices, shape=lengths, **plan)
    wins = bind(gather, last, *indices, **plan) == writers
    after = share.ndim - attributes["position"] - len(index_shape)
    return np.where(wins.reshape(index_shape + (1,) * after), share, 0.0)


scatter_set = _scatter_primitive("scatter_set", None, Joint(_push_set), (_pull_set_base, _pull_set_updates))


# --- add


def _push_add(
    tangents: Sequence[Array | None],
    _out: Array,
    base: Array,
    _updates: Array,
    *indices: Array,
    **attributes: Any,
) -> Array:
    pushed, updates = tangents[:2]
    if updates is None:
        return pushed
    return _add_to(or_zero(pushed), updates, indices, attributes)


scatter_add = _scatter_primitive(
    "scatter_add",
    np.add,
    Joint(_push_add),
    (
        lambda cotangent, _out, _base, _updates, *_indices, **_attributes: cotangent,
        lambda cotangent, _out, _base, _updates, *indices, **attributes: _read(
            cotangent, indices, attributes
        ),
    ),
)


# --- multiply: the derivative by a factor is the product of the others


def _product_of_updates(updates: Array, indices: Sequence[Array], attributes: dict[str, Any]) -> Array:
    return bind(scatter_multiply, 1.0, updates, *indices, **attributes)


def _other_factors(
    base: Array, updates: Array, indices: Sequence[Array], attributes: dict[str, Any]
) -> Array:
    """Return for each update the product of what else is multiplied into its place.

    To divide the whole product by the update would fail at zeros. So the product is one of the nonzero
    updates, and what the zero ones make of it stands beside it: a factor of 1 if none of the others is
    zero; their sum if one is, for that is zero and has its derivative; else 0, to first order.
    """
    zero = updates == 0
    nonzero = np.where(zero, 1.0, updates)
    product = _read(_product_of_updates(nonzero, indices, attributes) * base, indices, attributes)
    count = _read(_add_to(0, zero.astype(int), indices, attributes), indices, attributes) - zero
    zeros = np.where(zero, updates, 0.0)
    total = _read(_add_to(0.0, zeros, indices, attributes), indices, attributes) - zeros
    return product / nonzero * np.where(count == 0, 1.0, np.where(count == 1, total, 0.0))


scatter_multiply = _scatter_primitive(
    "scatter_multiply",
    np.multiply,
    (
        lambda tangent, _out, _base, updates, *indices, **attributes: (
            tangent * _product_of_updates(updates, indices, attributes)
        ),
        lambda tangent, _out, base, updates, *indices, **attributes: _add_to(
            0.0, tangent * _other_factors(base, updates, indices, attributes), indices, attributes
        ),
    ),
    (
        lambda cotangent, _out, _base, updates, *indices, **attributes: (
            cotangent * _product_of_updates(updates, indices, attributes)
        ),
        lambda cotangent, _out, base, updates, *indices, **attributes: (
            _read(cotangent, indices, attributes) * _other_factors(base, updates, indices, attributes)
        ),
    ),
)


# --- min and max: the base and the updates that are equal to the result share the derivative equally


def _shares(
    out: Array, base: Array, updates: Array, indices: Sequence[Array], attributes: dict[str, Any]
) -> tuple[Array, Array]:
    """Return the partial derivatives of the result by the base, and of its places by the updates."""
    base_ties = (base == out).astype(out.dtype)
    update_ties = (updates == _read(out, indices, attributes)).astype(out.dtype)
    ties = np.maximum(_add_to(base_ties, update_ties, indices, attributes), 1.0)
    return base_ties / ties, update_ties / _read(ties, indices, attributes)


def _extremum(name: str, ufunc: np.ufunc) -> Primitive:
    def base_rule(
        d: Array, out: Array, base: Array, updates: Array, *indices: Array, **attributes: Any
    ) -> Array:
        return d * _shares(out, base, updates, indices, attributes)[0]

    def push_updates(
        tangent: Array, out: Array, base: Array, updates: Array, *indices: Array, **attributes: Any
    ) -> Array:
        share = _shares(out, base, updates, indices, attributes)[1]
        return _add_to(0.0, tangent * share, indices, attributes)

    def pull_updates(
        cotangent: Array, out: Array, base: Array, updates: Array, *indices: Array, **attributes: Any
    ) -> Array:
        share = _shares(out, base, updates, indices, attributes)[1]
        return _read(cotangent, indices, attributes) * share

    return _scatter_primitive(name, ufunc, (base_rule, push_updates), (base_rule, pull_updates))


scatter_min = _extremum("scatter_min", np.minimum)
scatter_max = _extremum("scatter_max", np.maximum)
