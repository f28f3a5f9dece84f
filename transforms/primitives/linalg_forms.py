"""The functions of `numpy.linalg` that NumPy has elsewhere too, there with more options."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError
from transforms.primitive import implements
from transforms.types import Array


@implements(np.linalg.matmul)
def _matmul(x1: Any, x2: Any, /) -> Array:
    return np.matmul(x1, x2)


@implements(np.linalg.tensordot)
def _tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    return np.tensordot(x1, x2, axes=axes)


@implements(np.linalg.vecdot)
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    vecdot: Any = np.vecdot  # whose stub knows no axis
    return vecdot(x1, x2, axis=axis)


@implements(np.linalg.outer)
def _outer(x1: Any, x2: Any, /) -> Array:
    x1, x2 = as_array(x1), as_array(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(f"linalg.outer: the operands must have one axis, got {x1.shape} and {x2.shape}")
    return np.outer(x1, x2)


@implements(np.linalg.cross)
def _cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    x1, x2 = as_array(x1), as_array(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ShapeError(
            f"linalg.cross: the operands must have length 3 along axis {axis}, got {x1.shape} and {x2.shape}"
        )
    return np.cross(x1, x2, axis=axis)


@implements(np.linalg.diagonal)
def _diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@implements(np.linalg.trace)
def _trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@implements(np.linalg.matrix_transpose)
def _matrix_transpose(x: Array, /) -> Array:
    return x.mT
