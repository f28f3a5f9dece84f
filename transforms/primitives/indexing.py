"""What ``x[index]`` means on a tracer: a basic index first, and then index arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.errors import ConcreteValueError, message
from transforms.primitive import method
from transforms.primitives.gathering import gather, gathered_shape
from transforms.primitives.slicing import BasicIndex, Entry, canonical_slice, full_slice, getitem
from transforms.tracer import Tracer, bind
from transforms.types import Array, Shape


class Index(NamedTuple):
    """An index in two steps: ``x[basic]``, and of that what the index arrays point to.

    Attributes:
        basic: None if it selects all of ``x`` as it is.
        arrays: of integers; one, or none, for each axis of ``x[basic]``.
        axes: the axes along which the arrays point.
        position: where the arrays' own axes stand among the other ones of the result.
    """

    basic: BasicIndex | None
    arrays: tuple[Array, ...]
    axes: tuple[int, ...]
    position: int

    def selected_shape(self, shape: Shape) -> Shape:
        """Return the shape of ``x[index]`` for ``x`` of a shape.

        Raises:
            IndexError: the index arrays do not broadcast.
        """
        if self.basic is not None:
            shape = self.basic.shape
        if not self.arrays:
            return shape
        return gathered_shape(shape, self.arrays, self.axes, self.position)


def parse_index(index: Any, shape: Shape) -> Index:
    """Return what an index of an array of a given shape means, by NumPy's rules.

    Raises:
        IndexError: there are too many entries, one that is no index, or a place that does not exist.
        ConcreteValueError: there is a boolean mask that has no values while the function is traced.
    """
    expanded = _expand(index, shape)
    entries: list[Entry] = []
    arrays: list[Array] = []
    axes: list[int] = []
    trivial = True
    axis = result_axis = 0
    for entry in expanded:
        kind = entry.__class__
        if entry is Ellipsis:
            continue
        if kind is int:
            entries.append(_place(entry, axis, shape))
            trivial = False
            axis += 1
            continue
        if not (kind is slice or entry is None):
            arrays.append(entry.places if kind is _NewAxis else entry)
            axes.append(result_axis)
        result_axis += 1
        if entry is None or kind is _NewAxis:
            entries.append(None)
            trivial = False
            continue
        everything = full_slice(shape[axis])
        selected = canonical_slice(entry, shape[axis]) if kind is slice else everything
        entries.append(selected)
        trivial = trivial and selected == everything
        axis += 1
    position = _position(expanded) if arrays else 0
    return Index(None if trivial else BasicIndex(tuple(entries)), tuple(arrays), tuple(axes), position)


def _points_at_elements(index: tuple[Any, ...], rank: int) -> bool:
    """Say whether an index is an array of integers for each axis: the pick of labels in a loss."""
    if len(index) != rank:
        return False
    for entry in index:
        if entry.__class__ is not np.ndarray or not entry.ndim or entry.dtype.kind not in "iu":
            return False
    return rank > 0


def _position(expanded: Sequence[Any]) -> int:
    """Return where the axes of index arrays stand in the result.

    NumPy lets them stand where the arrays stand if these, and integers, which count as arrays beside
    arrays, are neighbours; it moves them to the front if anything is between.
    """
    position = before = runs = 0
    in_run = False
    for entry in expanded:
        points = not (entry.__class__ is slice or entry is None or entry is Ellipsis)
        if points and not in_run:
            position = before
            runs += 1
        in_run = points
        before += not points and entry is not Ellipsis
    return position if runs == 1 else 0


class _NewAxis(NamedTuple):
    """A mask without axes, ``x[True]``: it selects all or nothing along a new axis."""

    places: Array


_ALL = slice(None)


def _each_names_an_axis(given: Sequence[Any]) -> bool:
    """Say whether these are the entries of an index that needs no further reading."""
    for entry in given:
        kind = entry.__class__
        if kind is np.ndarray:
            if not entry.ndim or entry.dtype.kind not in "iu":
                return False
        elif not (kind is int or kind is slice):
            return False
    return True


def _expand(index: Any, shape: Shape) -> Sequence[Any]:
    """Return an entry for each axis: an int, a slice, None, an index array; Ellipsis stays as a separator."""
    given: Sequence[Any] = index if isinstance(index, tuple) else (index,)
    missing = len(shape) - len(given)
    if missing >= 0 and _each_names_an_axis(given):
        return [*given, *[_ALL] * missing] if missing else given
    read_entries = [_entry(entry) for entry in given]
    named = sum(_named_axes(entry) for entry in read_entries)
    if named > len(shape):
        raise IndexError(
            message("index", "the entries", f"name at most {len(shape)} axes of shape {shape}", named)
        )
    ellipses = sum(entry is Ellipsis for entry in read_entries)
    if ellipses > 1:
        raise IndexError(message("index", "the entries", "have one ... at most", ellipses))
    if not ellipses:
        read_entries.append(Ellipsis)
    expanded: list[Any] = []
    axis = 0
    for entry in read_entries:
        if entry is Ellipsis:
            expanded += [Ellipsis, *[_ALL] * (len(shape) - named)]
            axis += len(shape) - named
        elif _is_mask(entry):
            expanded += _mask_places(entry, shape[axis : axis + entry.ndim], axis)
            axis += entry.ndim
        else:
            expanded.append(entry)
            axis += entry is not None
    return expanded


def _entry(entry: Any) -> Any:
    """Return an index's entry as an int, a slice, None, Ellipsis, or an array of integers or booleans."""
    if entry is None or entry is Ellipsis or isinstance(entry, slice):
        return entry
    if entry.__class__ is int:
        return entry
    if not isinstance(entry, (np.ndarray, Tracer)):
        entry = np.asarray(entry)
        if entry.size == 0 and entry.dtype.kind == "f":
            entry = entry.astype(np.intp)
    if entry.dtype.kind not in "iub":
        raise IndexError(
            message(
                "index",
                "an entry",
                "be an integer, a slice, None, ..., or an array of integers or booleans",
                f"{entry.dtype}[{','.join(map(str, entry.shape))}]",
            )
        )
    if entry.ndim == 0 and entry.dtype.kind in "iu" and not isinstance(entry, Tracer):
        return operator.index(entry)
    return entry


def _is_mask(entry: Any) -> bool:
    return isinstance(entry, (np.ndarray, Tracer)) and entry.dtype.kind == "b"


def _named_axes(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if _is_mask(entry) else 1


def plain_mask(function: str, mask: Any) -> Array:
    """Return which elements of an array are true, as a plain array.

    Raises:
        ConcreteValueError: that is not known while the function is traced.
    """
    if isinstance(mask, Tracer) and mask.dtype.kind != "b":
        mask = mask != 0
    if isinstance(mask, Tracer):
        raise ConcreteValueError(
            message(
                function,
                "a boolean mask",
                "be a plain array, because the shape of the result depends on its values",
                f"one of type {mask.type} traced by {mask.level.transform}",
                "write np.where(mask, x, otherwise), which keeps the shape",
            )
        )
    return np.asarray(mask)


def _mask_places(mask: Array, lengths: Shape, axis: int) -> Sequence[Any]:
    mask = plain_mask("index", mask)
    if mask.shape != lengths:
        raise IndexError(
            message("index", f"a boolean mask at axis {axis}", f"have shape {lengths}", mask.shape)
        )
    if not mask.ndim:
        return [_NewAxis(np.zeros(int(mask), np.intp))]
    places: tuple[Array, ...] = mask.nonzero()
    return places


def _place(place: int, axis: int, shape: Shape) -> int:
    length = shape[axis]
    if not -length <= place < length:
        raise IndexError(
            message(
                "index", f"a place of axis {axis} of shape {shape}", f"be in [{-length}, {length})", place
            )
        )
    return place % length


def read(x: Array, index: Index) -> Array:
    """Return ``x[index]``."""
    if index.basic is not None:
        x = bind(getitem, x, index=index.basic)
    if index.arrays:
        x = bind(gather, x, *index.arrays, axes=index.axes, position=index.position)
    return x


@method("getitem")
def _getitem(x: Array, index: Any) -> Array:
    if index.__class__ is tuple and _points_at_elements(index, x.ndim):
        return bind(gather, x, *index, axes=tuple(range(len(index))), position=0)
    return read(x, parse_index(index, x.shape))
