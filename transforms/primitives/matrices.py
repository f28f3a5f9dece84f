"""What the families of functions of stacks of matrices share.

Such a function treats the last two axes of an operand as a matrix and all axes before them as a
stack, over which it broadcasts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.errors import ShapeError
from transforms.primitive import DerivativeRules, Primitive
from transforms.primitives.declare import move_axis, promoted_dtype
from transforms.tracer import bind
from transforms.types import Array, ArrayType


def stacked(
    name: str,
    evaluate: Callable[..., Any],
    *,
    infer: Callable[..., Any],
    jvp: DerivativeRules,
    vjp: DerivativeRules,
    multiple: bool = False,
) -> Primitive:
    """Declare a function of stacks of matrices; a batch of examples is one more axis of the stack."""

    def batch(
        size: int, operands: Sequence[Array], axes: Sequence[int | None], **attributes: Any
    ) -> tuple[Any, Any]:
        pairs = list(zip(operands, axes, strict=True))
        rank = max(np.ndim(x) - (axis is not None) for x, axis in pairs)
        stacks = [x if axis is None else _batch_first(x, axis, rank) for x, axis in pairs]
        out = bind(primitive, *stacks, **attributes)
        return out, (0,) * len(out) if multiple else 0

    primitive = Primitive(name, evaluate, infer=infer, jvp=jvp, vjp=vjp, batch=batch, multiple=multiple)
    return primitive


def _batch_first(x: Array, axis: int, rank: int) -> Array:
    x = move_axis(x, axis, 0)
    return x if x.ndim == rank + 1 else x.reshape((x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:]))


def inexact_dtype(*operands: Any) -> np.dtype[Any]:
    """Return the dtype in which LAPACK works on operands; integers become float64."""
    dtype = promoted_dtype(*operands)
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def solution_type(a: Any, b: Any) -> ArrayType:
    """Return the type of the solutions of ``a @ x = b``, for stacks of matrices."""
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return ArrayType(stack + b.shape[-2:], inexact_dtype(a, b))


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the parts of a complex number, and any other dtype as it is."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def conjugate(x: Array) -> Array:
    """Return the complex conjugate; a real array as it is."""
    return x.conj() if x.dtype.kind == "c" else x


def adjoint(x: Array) -> Array:
    """Return the conjugate transpose of each matrix."""
    return conjugate(x).mT


def hermitian_part(x: Array) -> Array:
    """Return ``(x + x^H) / 2``."""
    return (x + adjoint(x)) * 0.5


def check_matrices(function: str, x: Any, *, square: bool = False) -> None:
    """Raise `ShapeError` unless ``x`` is a stack of matrices, of square ones if that is asked."""
    shape = np.shape(x)
    if len(shape) < 2 or (square and shape[-2] != shape[-1]):
        kind = "square matrices" if square else "matrices"
        raise ShapeError(f"{function}: the operand must be a stack of {kind}, got shape {shape}")


@functools.cache
def triangle(size: int, dtype: np.dtype[Any], diagonal: float) -> Array:
    """Return a factor that keeps the lower triangle of a matrix, and so much of its diagonal."""
    factor = np.tri(size, k=-1, dtype=dtype)
    np.fill_diagonal(factor, diagonal)
    factor.setflags(write=False)
    return factor
