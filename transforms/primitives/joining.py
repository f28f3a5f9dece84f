"""Functions that join arrays along an axis, and those that cut them apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import Joint, Primitive, implements
from transforms.primitives.declare import move_axis, promoted_dtype
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array, ArrayType

# --- concatenate


def along(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """Return the index of the places from ``start`` to ``stop`` of an axis."""
    return (slice(None),) * axis + (slice(start, stop),)


def _infer_concatenate(*operands: Any, axis: int) -> ArrayType:
    shape = list(operands[0].shape)
    shape[axis] = sum(x.shape[axis] for x in operands)
    return ArrayType(tuple(shape), promoted_dtype(*operands))


def _push_concatenate(tangents: Sequence[Array | None], _out: Array, *operands: Array, axis: int) -> Array:
    shares = [
        np.zeros(x.shape, x.dtype) if tangent is None else tangent
        for tangent, x in zip(tangents, operands, strict=True)
    ]
    return bind(concatenate, *shares, axis=axis)


def _pull_concatenate(
    cotangent: Array, _out: None, *operand_types: ArrayType, wanted: tuple[int, ...], axis: int
) -> list[Array | None]:
    ends = list(itertools.accumulate(x.shape[axis] for x in operand_types))
    shares: list[Array | None] = [None] * len(operand_types)
    for position in wanted:
        end = ends[position]
        shares[position] = cotangent[along(axis, end - operand_types[position].shape[axis], end)]
    return shares


def _batch_concatenate(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], axis: int
) -> tuple[Array, int]:
    batches = [
        np.broadcast_to(x, (size, *x.shape)) if batch_axis is None else move_axis(x, batch_axis, 0)
        for x, batch_axis in zip(operands, axes, strict=True)
    ]
    return bind(concatenate, *batches, axis=axis + 1), 0


concatenate = Primitive(
    "concatenate",
    lambda *operands, axis: np.concatenate(operands, axis),
    infer=_infer_concatenate,
    jvp=Joint(_push_concatenate),
    vjp=Joint(_pull_concatenate),
    batch=_batch_concatenate,
)


def _arrays(function: str, arrays: Any, out: Any, dtype: Any) -> list[Array]:
    """Read the arguments that the functions which join arrays have in common."""
    refuse_out(function, out)
    arrays = [as_array(x) for x in arrays]
    if not arrays:
        raise ValueError(message(function, "the arrays", "be one at least", "none"))
    return arrays if dtype is None else [x.astype(dtype) for x in arrays]


@implements(np.concatenate)
def _concatenate(
    arrays: Any, /, axis: int | None = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Array:
    arrays = _arrays("concatenate", arrays, out, dtype)
    if axis is None:
        arrays, axis = [x.ravel() for x in arrays], 0
    first = arrays[0].shape
    axis = normalize_axis_index(axis, len(first))
    for x in arrays:
        if x.shape[:axis] != first[:axis] or x.shape[axis + 1 :] != first[axis + 1 :]:
            raise ShapeError(
                message(
                    "concatenate",
                    "the arrays' shapes",
                    f"be equal but for axis {axis}",
                    " and ".join(str(x.shape) for x in arrays),
                )
            )
    return bind(concatenate, *arrays, axis=axis)


@implements(np.stack)
def _stack(
    arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Array:
    arrays = _arrays("stack", arrays, out, dtype)
    shape = arrays[0].shape
    if any(x.shape != shape for x in arrays):
        raise ShapeError(
            message("stack", "the arrays' shapes", "be equal", " and ".join(str(x.shape) for x in arrays))
        )
    axis = normalize_axis_index(axis, len(shape) + 1)
    expanded = (*shape[:axis], 1, *shape[axis:])
    return bind(concatenate, *(x.reshape(expanded) for x in arrays), axis=axis)


@implements(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    return np.concatenate([np.atleast_2d(x) for x in _arrays("vstack", tup, None, dtype)], 0)


@implements(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    arrays = [np.atleast_1d(x) for x in _arrays("hstack", tup, None, dtype)]
    return np.concatenate(arrays, 0 if arrays[0].ndim == 1 else 1)


@implements(np.dstack)
def _dstack(tup: Any) -> Array:
    return np.concatenate([np.atleast_3d(x) for x in _arrays("dstack", tup, None, None)], 2)


@implements(np.column_stack)
def _column_stack(tup: Any) -> Array:
    arrays = _arrays("column_stack", tup, None, None)
    return np.concatenate([x if x.ndim > 1 else x.reshape((-1, 1)) for x in arrays], 1)


@implements(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Array:
    return np.concatenate([as_array(arr), as_array(values)], axis)


@implements(np.block)
def _block(arrays: Any) -> Array:
    depths = set(_depths(arrays))
    if len(depths) != 1:
        raise ValueError(message("block", "the lists", "be nested equally deep", f"depths {sorted(depths)}"))
    depth = depths.pop()
    rank = max(depth, *(as_array(x).ndim for x in _leaves(arrays)))

    def join(part: Any, axis: int) -> Array:
        if isinstance(part, list):
            return np.concatenate([join(x, axis + 1) for x in part], axis)
        x = as_array(part)
        return x.reshape((1,) * (rank - x.ndim) + x.shape)

    return join(arrays, rank - depth)


def _depths(arrays: Any) -> list[int]:
    if not isinstance(arrays, list):
        return [0]
    if not arrays:
        raise ValueError(message("block", "a list", "hold one array at least", "an empty list"))
    return [depth + 1 for part in arrays for depth in _depths(part)]


def _leaves(arrays: Any) -> list[Any]:
    return [leaf for part in arrays for leaf in _leaves(part)] if isinstance(arrays, list) else [arrays]


# --- split


@implements(np.array_split)
def _array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if sections < 1:
            raise ValueError(message("split", "the number of sections", "be positive", sections))
        small, larger = divmod(length, sections)
        cuts = [i * small + min(i, larger) for i in range(sections + 1)]
    else:
        cuts = [0, *(int(cut) for cut in indices_or_sections), length]
    return [ary[along(axis, start, stop)] for start, stop in itertools.pairwise(cuts)]


@implements(np.split)
def _split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if isinstance(indices_or_sections, (int, np.integer)):
        length = ary.shape[normalize_axis_index(axis, ary.ndim)]
        if indices_or_sections < 1 or length % indices_or_sections:
            raise ValueError(
                message(
                    "split",
                    "the number of sections",
                    f"divide the length {length} of axis {axis}",
                    indices_or_sections,
                    "use np.array_split for unequal parts",
                )
            )
    parts: list[Array] = _array_split(ary, indices_or_sections, axis)
    return parts


def _split_with_rank(
    function: str, ary: Array, indices_or_sections: Any, axis: int, rank: int
) -> list[Array]:
    if ary.ndim < rank:
        raise ShapeError(message(function, "the array", f"have {rank} axes at least", f"shape {ary.shape}"))
    parts: list[Array] = _split(ary, indices_or_sections, axis)
    return parts


@implements(np.hsplit)
def _hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return _split_with_rank("hsplit", ary, indices_or_sections, int(ary.ndim > 1), 1)


@implements(np.vsplit)
def _vsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return _split_with_rank("vsplit", ary, indices_or_sections, 0, 2)


@implements(np.dsplit)
def _dsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return _split_with_rank("dsplit", ary, indices_or_sections, 2, 3)


def _unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    if not x.ndim:
        raise ShapeError(message("unstack", "the array", "have one axis at least", "shape ()"))
    return tuple(np.moveaxis(x, axis, 0))


if hasattr(np, "unstack"):  # since NumPy 2.1
    implements(np.unstack)(_unstack)
