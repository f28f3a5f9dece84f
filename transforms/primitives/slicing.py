"""Basic indices, made of integers, slices and new axes: `getitem` reads there, `setitem` writes there."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from transforms.primitive import Joint, Primitive
from transforms.primitives.declare import linear, move_axis, promoted_dtype
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape


class Slice(NamedTuple):
    """Places ``start, start + step, ...`` of an axis, before ``stop``.

    Each set of places has one form: see `canonical_slice`.
    """

    start: int
    stop: int | None
    step: int

    @property
    def length(self) -> int:
        """The number of places."""
        return len(range(self.start, -1 if self.stop is None else self.stop, self.step))

    def __repr__(self) -> str:
        stop = "" if self.stop is None else self.stop
        return f"{self.start}:{stop}" + (f":{self.step}" if self.step != 1 else "")


Entry: TypeAlias = int | Slice | None


@functools.cache
def full_slice(length: int) -> Slice:
    """Return the places of an axis, all of them."""
    return Slice(0, length, 1)


def canonical_slice(given: slice, length: int) -> Slice:
    """Return the places of an axis that a slice names.

    >>> canonical_slice(slice(None, None, -2), 5), canonical_slice(slice(1, 100), 5)
    (4::-2, 1:5)
    """
    if given.start is None and given.stop is None and given.step is None:
        return full_slice(length)
    start, stop, step = given.indices(length)
    count = len(range(start, stop, step))
    if count < 2:
        return Slice(start, start + 1, 1) if count else Slice(0, 0, 1)
    last = start + (count - 1) * step
    if step > 0:
        return Slice(start, last + 1, step)
    return Slice(start, last - 1 if last else None, step)


class BasicIndex:
    """A basic index into an array of a known shape, with an entry for each of its axes.

    Attributes:
        entries: a place, not negative, or a `Slice` for each axis, and None for each new axis.
        key: what NumPy takes for it.
    """

    __slots__ = ("entries", "key")

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.key = tuple([slice(*entry) if isinstance(entry, Slice) else entry for entry in entries])

    @property
    def shape(self) -> Shape:
        """The shape of what it selects."""
        return tuple(
            1 if entry is None else entry.length for entry in self.entries if not isinstance(entry, int)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BasicIndex) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        return f"[{','.join(map(repr, self.entries))}]"


# --- getitem


def _batch_getitem(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], index: BasicIndex
) -> tuple[Array, int]:
    x = move_axis(operands[0], axes[0] or 0, 0)
    return bind(getitem, x, index=BasicIndex((full_slice(size), *index.entries))), 0


getitem: Primitive = linear(
    "getitem",
    lambda x, index: x[index.key],
    lambda cotangent, _out, x_type, index: bind(setitem, 0.0, cotangent, index=index, shape=x_type.shape),
    infer=lambda x, index: ArrayType(index.shape, x.dtype),
    batch=_batch_getitem,
)


# --- setitem: an array of a shape with the elements of `base`, and those of `updates` where the index
# points. Both broadcast, and promote, so that 0.0 for the base embeds the updates in zeros of their dtype.


def filled(base: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return a new array with the elements of ``base``, which broadcasts to ``shape``."""
    if base.__class__ is float and base == 0.0:
        return np.zeros(shape, dtype)
    out = np.empty(shape, dtype)
    out[...] = base
    return out


def joint_dtype(base: Any, updates: Any) -> np.dtype[Any]:
    """Return the dtype to which a base and its updates promote; there is little to do as a rule."""
    if base.__class__ is float and updates.dtype.kind in "fcV":
        return updates.dtype  # type: ignore[no-any-return]
    return promoted_dtype(base, updates)


def _evaluate_setitem(base: Array, updates: Array, index: BasicIndex, shape: Shape) -> Array:
    out = filled(base, shape, joint_dtype(base, updates))
    out[index.key] = updates
    return out


def or_zero(tangent: Array | None) -> Array:
    """Return a tangent, or the Python number that stands for a tangent of zeros."""
    return 0.0 if tangent is None else tangent


def _push_setitem(
    tangents: Sequence[Array | None], _out: Array, _base: Array, _updates: Array, **attributes: Any
) -> Array:
    base, updates = tangents
    return bind(setitem, or_zero(base), or_zero(updates), **attributes)


def batch_front(x: Array, axis: int | None, rank: int) -> Array:
    """Return an operand with its batch axis in front of ``rank`` others; as it is if it is not batched."""
    if axis is None:
        return x
    x = move_axis(x, axis, 0)
    return x.reshape(x.shape[:1] + (1,) * (rank - (x.ndim - 1)) + x.shape[1:])


def _batch_setitem(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], index: BasicIndex, shape: Shape
) -> tuple[Array, int]:
    base = batch_front(operands[0], axes[0], len(shape))
    updates = batch_front(operands[1], axes[1], len(index.shape))
    batch_index = BasicIndex((full_slice(size), *index.entries))
    return bind(setitem, base, updates, index=batch_index, shape=(size, *shape)), 0


setitem: Primitive = Primitive(
    "setitem",
    _evaluate_setitem,
    infer=lambda base, updates, index, shape: ArrayType(shape, joint_dtype(base, updates)),
    jvp=Joint(_push_setitem),
    vjp=(
        lambda cotangent, _out, _base, _updates, **attributes: bind(setitem, cotangent, 0.0, **attributes),
        lambda cotangent, _out, _base, _updates, index, shape: bind(getitem, cotangent, index=index),
    ),
    batch=_batch_setitem,
)


def weak_zero(dtype: np.dtype[Any]) -> bool | int | float:
    """Return the Python zero that promotes with no dtype of a kind to another.

    >>> weak_zero(np.dtype("float32")), weak_zero(np.dtype("int8")), weak_zero(np.dtype("bool"))
    (0.0, 0, False)
    """
    return False if dtype.kind == "b" else 0 if dtype.kind in "iu" else 0.0


def embed(updates: Array, slices: tuple[slice, ...], shape: Shape, base: Array | None = None) -> Array:
    """Return an array of a shape with ``updates`` at slices of its axes, and ``base`` or zeros elsewhere."""
    entries = tuple(canonical_slice(places, length) for places, length in zip(slices, shape, strict=True))
    if base is None:
        base = weak_zero(updates.dtype)
    return bind(setitem, base, updates, index=BasicIndex(entries), shape=shape)
