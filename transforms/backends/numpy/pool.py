"""Arrays that are used again, and results that share no memory with what they were made of."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from transforms.types import Array, Shape


def _unused(arrays: list[Any], references: int) -> Any:
    """Return an array of which there are only so many references, or None."""
    for array in arrays:
        if sys.getrefcount(array) <= references:
            return array
    return None


def _count_references(arrays: list[Any]) -> int:
    """Return how many references `_unused` sees of an array that is in its list and nowhere else."""
    count = 0
    while _unused(arrays, count) is None:
        count += 1
    return count


_UNUSED = _count_references([np.empty(0)])
_KEPT = 8


class Pool:
    """Gives arrays of one shape and dtype whose elements are not set."""

    __slots__ = ("arrays", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype
        self.arrays: list[Any] = []

    def __call__(self) -> Any:
        """Return an array that may be written; one that was given before if it is no longer in use."""
        array = _unused(self.arrays, _UNUSED)
        if array is not None:
            array.setflags(True)
            return array
        array = np.empty(self.shape, self.dtype)
        if len(self.arrays) < _KEPT:
            self.arrays.append(array)
        return array


def own(result: Any, *operands: Array) -> Any:
    """Return an array, or a tuple of arrays, with copies of those that share memory with operands."""
    if isinstance(result, (tuple, list)):
        return tuple([own(x, *operands) for x in result])
    if not isinstance(result, np.ndarray):
        return result
    if result.base is None and not any(result is x for x in operands):
        return result
    return result.copy() if any(np.may_share_memory(result, x) for x in operands) else result
