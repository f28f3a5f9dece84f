"""Functions that give elements another shape: reshape, transpose, broadcast, and what they make up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.declare import linear, move_axis
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape


def refuse_out(function: str, out: Any) -> None:
    """Raise `TypeError` if there is an array to write into."""
    if out is not None:
        raise TypeError(
            message(
                f"numpy.{function}",
                "out=",
                "not be given with a traced operand",
                "an array to write into",
                "use the array that is returned",
            )
        )


# --- reshape


def _batch_reshape(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], shape: Shape
) -> tuple[Array, int]:
    x = move_axis(operands[0], axes[0] or 0, 0)
    return bind(reshape, x, shape=(size, *shape)), 0


reshape = linear(
    "reshape",
    lambda x, shape: x.reshape(shape),
    lambda cotangent, _out, x_type, shape: cotangent.reshape(x_type.shape),
    infer=lambda x, shape: ArrayType(shape, x.dtype),
    batch=_batch_reshape,
)


@implements(np.reshape)
def _reshape(a: Array, /, shape: Any = None, order: str = "C", *, copy: bool | None = None) -> Array:
    target = resolve_shape(a.shape, shape)
    if order == "F":
        return bind(reshape, a.T, shape=target[::-1]).T
    return a if target == a.shape else bind(reshape, a, shape=target)


def resolve_shape(old: Shape, shape: Any) -> Shape:
    """Return the shape that NumPy means by ``shape``, in which one length may be -1."""
    target: Shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    if target.count(-1) == 1:
        known = -math.prod(target)
        if known and math.prod(old) % known == 0:
            return tuple(math.prod(old) // known if n == -1 else n for n in target)
    elif math.prod(target) == math.prod(old) and min(target, default=0) >= 0:
        return target
    raise ShapeError(f"reshape: the new shape must have as many elements as {old}, got {tuple(target)}")


@implements(np.ravel)
def _ravel(a: Array, order: str = "C") -> Array:
    return _reshape(a, (-1,), order=order) if a.size else _reshape(a, (0,))


@implements(np.squeeze)
def _squeeze(a: Array, axis: Any = None) -> Array:
    if axis is None:
        return a.reshape(tuple(n for n in a.shape if n != 1))
    axes = normalize_axis_tuple(axis, a.ndim, "axis")
    if any(a.shape[i] != 1 for i in axes):
        raise ShapeError(message("squeeze", f"the axes {axes}", "have length one", f"shape {a.shape}"))
    return a.reshape(tuple(n for i, n in enumerate(a.shape) if i not in axes))


@implements(np.expand_dims)
def _expand_dims(a: Array, axis: Any) -> Array:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    rank = a.ndim + len(axes)
    added = normalize_axis_tuple(axes, rank)
    lengths = iter(a.shape)
    return a.reshape(tuple(1 if i in added else next(lengths) for i in range(rank)))


def _at_least(arrays: Sequence[Any], rank: int) -> Any:
    """Give arrays up to two axes more, where NumPy puts them."""

    def expand(x: Array) -> Array:
        if x.ndim >= rank:
            return x
        if rank < 3:
            return x.reshape((1,) * (rank - x.ndim) + x.shape)
        return x.reshape((*(1,) * (x.ndim < 2), *x.shape, *(1,) * (rank - x.ndim - (x.ndim < 2))))

    results = tuple(expand(as_array(x)) for x in arrays)
    return results[0] if len(results) == 1 else results


@implements(np.atleast_1d)
def _atleast_1d(*arys: Any) -> Any:
    return _at_least(arys, 1)


@implements(np.atleast_2d)
def _atleast_2d(*arys: Any) -> Any:
    return _at_least(arys, 2)


@implements(np.atleast_3d)
def _atleast_3d(*arys: Any) -> Any:
    return _at_least(arys, 3)


# --- transpose


def _inverse(permutation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


def _batch_transpose(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], permutation: tuple[int, ...]
) -> tuple[Array, int]:
    x = move_axis(operands[0], axes[0] or 0, 0)
    return bind(transpose, x, permutation=(0, *(axis + 1 for axis in permutation))), 0


transpose = linear(
    "transpose",
    lambda x, permutation: x.transpose(permutation),
    lambda cotangent, _out, _x, permutation: cotangent.transpose(_inverse(permutation)),
    infer=lambda x, permutation: ArrayType(tuple(x.shape[axis] for axis in permutation), x.dtype),
    batch=_batch_transpose,
)


@implements(np.transpose)
def _transpose(a: Array, axes: Any = None) -> Array:
    rank = a.ndim
    permutation = tuple(range(rank))[::-1] if axes is None else normalize_axis_tuple(axes, rank)
    if len(permutation) != rank:
        raise ShapeError(f"transpose: axes must name each of the {rank} axes once, got {axes}")
    return a if permutation == tuple(range(rank)) else bind(transpose, a, permutation=permutation)


@implements(np.matrix_transpose)
def _matrix_transpose(x: Array, /) -> Array:
    if x.ndim < 2:
        raise ShapeError(message("matrix_transpose", "the operand", "have two axes at least", x.shape))
    return _swapaxes(x, -1, -2)


@implements(np.swapaxes)
def _swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    permutation = list(range(a.ndim))
    first, second = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    permutation[first], permutation[second] = second, first
    return _transpose(a, permutation)


@implements(np.moveaxis)
def _moveaxis(a: Array, source: Any, destination: Any) -> Array:
    sources = normalize_axis_tuple(source, a.ndim, "source")
    destinations = normalize_axis_tuple(destination, a.ndim, "destination")
    if len(sources) != len(destinations):
        raise ShapeError(
            message("moveaxis", "source and destination", "name equally many axes", (source, destination))
        )
    permutation = [axis for axis in range(a.ndim) if axis not in sources]
    for target, origin in sorted(zip(destinations, sources, strict=True)):
        permutation.insert(target, origin)
    return _transpose(a, permutation)


@implements(np.rollaxis)
def _rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    axis = normalize_axis_index(axis, a.ndim)
    start = normalize_axis_index(start, a.ndim + 1)
    return _moveaxis(a, axis, start - (axis < start))


# --- broadcast


def _fill(x: Array, shape: Shape) -> Array:
    """Broadcast by copying where that is cheaper than the view that NumPy would make."""
    if math.prod(shape) > 4096:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def _batch_broadcast(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], shape: Shape
) -> tuple[Array, int]:
    x = move_axis(operands[0], axes[0] or 0, 0)
    missing = len(shape) - (x.ndim - 1)
    x = x.reshape(x.shape[:1] + (1,) * missing + x.shape[1:])
    return bind(broadcast_to, x, shape=(size, *shape)), 0


broadcast_to = linear(
    "broadcast_to",
    _fill,
    lambda cotangent, _out, _x, shape: cotangent,
    infer=lambda x, shape: ArrayType(shape, x.dtype),
    batch=_batch_broadcast,
)


@implements(np.broadcast_to)
def _broadcast_to(array: Array, shape: Any, subok: bool = False) -> Array:
    target = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not _broadcasts(array.shape, target):
        raise ShapeError(f"broadcast_to: {array.shape} must broadcast to the new shape, got {target}")
    return array if array.shape == target else bind(broadcast_to, array, shape=target)


def _broadcasts(shape: Shape, target: Shape) -> bool:
    extra = len(target) - len(shape)
    return extra >= 0 and all(n in (1, m) for n, m in zip(shape, target[extra:], strict=True))


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    arrays = [as_array(x) for x in args]
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@implements(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError(message("meshgrid", "indexing", "be 'xy' or 'ij'", repr(indexing)))
    axes = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        axes[:2] = [1, 0]
    grids = []
    for axis, x in zip(axes, xi, strict=True):
        shape = [1] * len(xi)
        shape[axis] = -1
        grids.append(as_array(x).reshape(tuple(shape)))
    return tuple(grids) if sparse else _broadcast_arrays(*grids)
