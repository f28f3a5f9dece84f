"""Functional updates: ``at(x)[index].set(values)`` is a new array, and ``x`` stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import Primitive
from transforms.primitives.gathering import (
    scatter_add,
    scatter_max,
    scatter_min,
    scatter_multiply,
    scatter_set,
)
from transforms.primitives.indexing import Index, parse_index, read
from transforms.primitives.slicing import getitem, setitem
from transforms.tracer import Tracer, bind
from transforms.types import Array


class Place:
    """The elements of an array that an index names; made by ``at(x)[index]``.

    The methods take values that broadcast to the shape of ``x[index]`` and are cast to the dtype of
    ``x``, and return a new array like ``x``. The updates are made one after the other where index
    arrays name a place more than once. The derivatives are in ``x`` and in the values.

    Each raises `ShapeError` for values that do not broadcast, and IndexError for a place that does
    not exist.
    """

    __slots__ = ("_array", "_given")

    def __init__(self, array: Array, index: Any) -> None:
        self._array = array
        self._given = index

    def get(self) -> Array:
        """Return ``x[index]``, also where ``x`` is a plain array and an index array is traced.

        >>> at(np.array([1.0, 2.0, 3.0]))[1:].get()
        array([2., 3.])
        """
        return read(self._array, self._index())

    def set(self, values: Array) -> Array:
        """Replace the elements; of several values for one place the last wins, and its derivative alone.

        A boolean mask of the shape of ``x`` that is traced, and so has no values yet, is possible
        with values that broadcast to ``x``.

        >>> at(np.zeros(3))[np.array([0, 0, 2])].set(np.array([1.0, 2.0, 3.0]))
        array([2., 0., 3.])
        """
        mask = self._given
        if isinstance(mask, Tracer) and mask.dtype == bool and mask.shape == self._array.shape:
            return np.where(mask, as_array(values).astype(self._array.dtype), self._array)
        return self._update("set", scatter_set, None, values)

    def add(self, values: Array) -> Array:
        """Add to the elements.

        >>> at(np.zeros(3))[np.array([0, 0, 2])].add(1.0)
        array([2., 0., 1.])
        """
        return self._update("add", scatter_add, np.add, values)

    def multiply(self, values: Array) -> Array:
        """Multiply the elements.

        Derivatives are right to second order also where factors are zero.

        >>> at(np.ones(3))[np.array([0, 0, 2])].multiply(3.0)
        array([9., 1., 3.])
        """
        return self._update("multiply", scatter_multiply, np.multiply, values)

    def min(self, values: Array) -> Array:
        """Replace the elements by the smaller of them and the values; ties share the derivative equally.

        >>> at(np.ones(3))[np.array([0, 0, 2])].min(np.array([0.5, 0.2, 2.0]))
        array([0.2, 1. , 1. ])
        """
        return self._update("min", scatter_min, np.minimum, values)

    def max(self, values: Array) -> Array:
        """Replace the elements by the larger of them and the values; ties share the derivative equally.

        >>> at(np.ones(3))[np.array([0, 0, 2])].max(np.array([0.5, 2.0, 3.0]))
        array([2., 1., 3.])
        """
        return self._update("max", scatter_max, np.maximum, values)

    def _index(self) -> Index:
        return parse_index(self._given, self._array.shape)

    def _update(self, name: str, scatter: Primitive, combine: Any, values: Array) -> Array:
        """Update by a scatter primitive, or, what a basic index names, by a function of old and new."""
        x, index = self._array, self._index()
        target = index.selected_shape(x.shape)
        values = as_array(values).astype(x.dtype)
        try:
            values = np.broadcast_to(values, target)
        except ValueError as error:
            raise ShapeError(
                message(
                    f"at(x)[index].{name}",
                    "the values",
                    f"broadcast to the shape {target} of x[index]",
                    values.shape,
                )
            ) from error
        if combine is None and not index.arrays:
            part = values
        else:
            part = x if index.basic is None else bind(getitem, x, index=index.basic)
        if index.arrays:
            part = bind(
                scatter,
                part,
                values,
                *index.arrays,
                axes=index.axes,
                position=index.position,
                shape=part.shape,
            )
        elif combine is not None:
            part = combine(part, values)
        return part if index.basic is None else bind(setitem, x, part, index=index.basic, shape=x.shape)


class At:
    """An array that waits for an index; made by `at`."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Place:
        return Place(self._array, index)


def at(x: Array) -> At:
    """Name places of an array in order to read or update them: ``at(x)[index].set(values)``.

    It stands for ``x[index] = values``, ``x[index] += values`` and the like, which a traced array refuses.

    Args:
        x: an array of any shape and dtype. It is not changed.

    Returns:
        What an index turns into a `Place`, which has the methods ``get``, ``set``, ``add``,
        ``multiply``, ``min`` and ``max``. The index is any that NumPy takes; ``x``, the values and
        integer index arrays may be traced.

    >>> at(np.zeros((2, 2)))[:, 0].set(np.array([1.0, 2.0]))
    array([[1., 0.],
           [2., 0.]])
    """
    return At(as_array(x))
