"""Arrays for results, used again once nobody refers to them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from transforms.types import Shape

# What `sys.getrefcount` says of an array that only a pool's list, the loop and the call refer to.
_UNUSED = 3


class Pool:
    """Gives arrays of one shape and dtype whose elements are not set."""

    __slots__ = ("arrays", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype
        self.arrays: list[Any] = []

    def __call__(self) -> Any:
        """Return an array that may be written; one that was given before if it is no longer in use."""
        for array in self.arrays:
            if sys.getrefcount(array) == _UNUSED:
                array.flags.writeable = True
                return array
        array = np.empty(self.shape, self.dtype)
        if len(self.arrays) < 8:
            self.arrays.append(array)
        return array
