"""The matrix product, which almost all contractions become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.errors import ShapeError
from transforms.primitive import UFUNCS, Primitive, implements
from transforms.primitives.declare import move_axis, promoted_dtype
from transforms.tracer import bind
from transforms.types import Array, ArrayType


def _evaluate(x: Array, y: Array) -> Array:
    # NumPy multiplies a stack of matrices by one matrix in as many small products.
    if x.__class__ is np.ndarray and x.ndim > 2 and getattr(y, "ndim", 0) == 2 and x.flags.c_contiguous:
        rows = x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))
        return np.matmul(rows, y).reshape((*x.shape[:-1], y.shape[1]))
    return np.matmul(x, y)


def _infer(x: Any, y: Any) -> ArrayType:
    x_shape, y_shape = getattr(x, "shape", ()), getattr(y, "shape", ())
    inner = y_shape[-2:][0] if y_shape else None
    if not x_shape or x_shape[-1] != inner:
        raise ShapeError(f"matmul: the operands' shapes must fit each other, got {x_shape} and {y_shape}")
    stack = np.broadcast_shapes(x_shape[:-2], y_shape[:-2])
    matrix = x_shape[-2:-1] + (y_shape[-1:] if len(y_shape) > 1 else ())
    dtype = promoted_dtype(x, y)
    # For bfloat16 and its like NumPy has no product of their own, and multiplies in a wider dtype.
    return ArrayType(
        stack + matrix, np.matmul.resolve_dtypes((dtype, dtype, None))[2] if dtype.kind == "V" else dtype
    )


def _pull_left(cotangent: Array, _out: None, x_type: ArrayType, y: Array) -> Array:
    if y.ndim == 2:
        return cotangent @ y.T
    if y.ndim == 1:
        return cotangent[..., None] * y
    if x_type.ndim == 1:
        return (y @ cotangent[..., None])[..., 0]
    return cotangent @ y.mT


def _pull_right(cotangent: Array, _out: None, x: Array, y_type: ArrayType) -> Array:
    if y_type.ndim > 2:
        return x[..., None] * cotangent[..., None, :] if x.ndim == 1 else x.mT @ cotangent
    if x.ndim == 1:
        return x * cotangent if y_type.ndim == 1 else x[:, None] * cotangent
    if x.ndim > 2:
        # One product over all rows of the stack, where a stack of products would have to be summed.
        rows = math.prod(x.shape[:-1])
        x = x.reshape((rows, x.shape[-1]))
        cotangent = cotangent.reshape((rows, *cotangent.shape[-1:]) if y_type.ndim == 2 else (rows,))
    return x.T @ cotangent


def _batch(size: int, operands: Sequence[Array], axes: Sequence[int | None]) -> tuple[Array, int]:
    (x, y), (x_axis, y_axis) = operands, axes
    x_rank, y_rank = x.ndim - (x_axis is not None), y.ndim - (y_axis is not None)
    if x_axis is not None and y_axis is None and y_rank <= 2:
        return move_axis(x, x_axis, 0) @ y, 0
    rank = max(x_rank, y_rank, 2)
    out = _as_stack(x, x_axis, rank, vector=(1, -1)) @ _as_stack(y, y_axis, rank, vector=(-1, 1))
    stack, (rows, columns) = out.shape[:-2], out.shape[-2:]
    return out.reshape(stack + (rows,) * (x_rank > 1) + (columns,) * (y_rank > 1)), 0


def _as_stack(x: Array, batch_axis: int | None, rank: int, vector: tuple[int, int]) -> Array:
    """Move the batch axis to the front, before a stack of matrices of ``rank`` axes in all."""
    if batch_axis is None:
        return x.reshape(vector) if x.ndim == 1 else x
    x = move_axis(x, batch_axis, 0)
    if x.ndim == 2:
        # The length is spelt out because that of an empty axis cannot be found.
        x = x.reshape((x.shape[0], *(x.shape[1] if n == -1 else n for n in vector)))
    return x.reshape((x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:]))


matmul = Primitive(
    "matmul",
    _evaluate,
    infer=_infer,
    jvp=(lambda tangent, _out, _x, y: tangent @ y, lambda tangent, _out, x, _y: x @ tangent),
    vjp=(_pull_left, _pull_right),
    batch=_batch,
)
UFUNCS[np.matmul] = matmul


@implements(np.matmul)
def _matmul_with_axes(x1: Array, x2: Array, *, axes: Any = None) -> Array:
    """Multiply the matrices that stand at other axes than the last two."""
    if axes is None:
        return bind(matmul, x1, x2)
    out = np.moveaxis(x1, axes[0], (-2, -1)) @ np.moveaxis(x2, axes[1], (-2, -1))
    return np.moveaxis(out, (-2, -1), axes[2])
