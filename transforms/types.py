"""The type of an array: its shape and its dtype, and how they combine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

# A NumPy array, a NumPy or Python scalar, or a tracer that stands for one. NumPy's stubs cannot say
# this: their functions accept tracers at run time, through the two protocols, but not by type.
Array: TypeAlias = Any

Shape: TypeAlias = tuple[int, ...]


class ArrayType:
    """The shape and dtype of an array, without its values.

    Args:
        shape: lengths of the axes.
        dtype: anything that NumPy takes for a dtype.

    >>> ArrayType((2, 3), "float32")
    float32[2,3]
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes of all elements."""
        return self.size * self.dtype.itemsize

    def __iter__(self) -> Iterator[Any]:
        return iter((self.shape, self.dtype))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayType) and self.shape == other.shape and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


_new = object.__new__


def type_of(x: Array) -> ArrayType:
    """Return the type of an array, a tracer, a type, or a Python or NumPy scalar.

    >>> type_of(2.0)
    float64[]
    """
    if x.__class__ is np.ndarray:
        array_type = _new(ArrayType)
        array_type.shape = x.shape
        array_type.dtype = x.dtype
        return array_type
    if isinstance(x, ArrayType):
        return x
    try:
        return ArrayType(x.shape, x.dtype)
    except AttributeError:
        array = np.asarray(x)
        return ArrayType(array.shape, array.dtype)


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype are real or complex floating point numbers.

    >>> is_floating(np.dtype("float16")), is_floating(np.dtype("int64"))
    (True, False)
    """
    # ml_dtypes' bfloat16 and float8 types register with kind "V" and say so by name.
    return dtype.kind in "fc" or (dtype.kind == "V" and "float" in dtype.name)


def is_differentiable(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype have derivatives: numbers in floating point, and histories of loops.

    >>> is_differentiable(np.dtype("float16")), is_differentiable(np.dtype("int64"))
    (True, False)
    """
    return dtype.kind == "O" or is_floating(dtype)
