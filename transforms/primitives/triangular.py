"""Linear equations with a triangular matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.errors import ShapeError
from transforms.lazy import lazy_module
from transforms.primitive import Primitive
from transforms.primitives.matrices import check_matrices, inexact_dtype, solution_type, stacked, triangle
from transforms.tracer import bind
from transforms.types import Array, ArrayType

lapack = lazy_module("scipy.linalg.lapack")


def _evaluate(a: Array, b: Array, lower: bool, transpose: bool, unit_diagonal: bool) -> Array:
    dtype = inexact_dtype(a, b)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    size, columns = b.shape[-2:]
    out = np.empty((*stack, size, columns), dtype)
    if out.size:
        (solve,) = lapack.get_lapack_funcs(("trtrs",), dtype=dtype)
        matrices = np.broadcast_to(a, (*stack, size, size))
        sides = np.broadcast_to(b, out.shape)
        for index in np.ndindex(stack):
            out[index], info = solve(
                matrices[index], sides[index], lower=lower, trans=int(transpose), unitdiag=unit_diagonal
            )
            if info > 0:
                raise np.linalg.LinAlgError(
                    f"triangular_solve: the matrix must be regular, got a zero at ({info - 1}, {info - 1})"
                )
    return out


def _infer(a: Any, b: Any, lower: bool, transpose: bool, unit_diagonal: bool) -> ArrayType:
    return solution_type(a, b)


def _in_triangle(x: Array, *, lower: bool, unit_diagonal: bool) -> Array:
    """Set the elements that are not read to zero."""
    factor = triangle(x.shape[-1], x.dtype, 0.0 if unit_diagonal else 1.0)
    return x * (factor if lower else factor.T)


def _push_matrix(tangent: Array, out: Array, a: Array, _b: Array, **attributes: Any) -> Array:
    change = _in_triangle(tangent, lower=attributes["lower"], unit_diagonal=attributes["unit_diagonal"])
    change = change.mT if attributes["transpose"] else change
    return -bind(triangular_solve_p, a, change @ out, **attributes)


def _pull_matrix(cotangent: Array, out: Array, a: Array, b_type: ArrayType, **attributes: Any) -> Array:
    b_bar = _pull_side(cotangent, None, a, None, **attributes)
    product = out @ b_bar.mT if attributes["transpose"] else b_bar @ out.mT
    return -_in_triangle(product, lower=attributes["lower"], unit_diagonal=attributes["unit_diagonal"])


def _pull_side(
    cotangent: Array, _out: None, a: Array, _b: None, lower: bool, transpose: bool, unit_diagonal: bool
) -> Array:
    return bind(
        triangular_solve_p, a, cotangent, lower=lower, transpose=not transpose, unit_diagonal=unit_diagonal
    )


triangular_solve_p: Primitive = stacked(
    "triangular_solve",
    _evaluate,
    infer=_infer,
    jvp=(
        _push_matrix,
        lambda tangent, _out, a, _b, **attributes: bind(triangular_solve_p, a, tangent, **attributes),
    ),
    vjp=(_pull_matrix, _pull_side),
)


def triangular_solve(
    a: Array, b: Array, *, lower: bool = False, transpose: bool = False, unit_diagonal: bool = False
) -> Array:
    """Solve ``a @ x = b``, or ``a.T @ x = b``, for a triangular matrix.

    Args:
        a: matrices, ``(..., n, n)``. Only one triangle is read.
        b: right-hand sides, ``(..., n, k)``; the leading axes broadcast.
        lower: whether the lower triangle is read instead of the upper.
        transpose: whether the matrix is transposed, without conjugation.
        unit_diagonal: whether the diagonal counts as ones and is not read.

    Returns:
        The solutions, ``(..., n, k)``.

    Raises:
        ShapeError: the shapes do not fit.
        LinAlgError: a matrix has a zero on its diagonal.

    >>> triangular_solve(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([[4.0], [8.0]]))
    array([[1.],
           [2.]])
    """
    check_matrices("triangular_solve", a, square=True)
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"triangular_solve: the operands' shapes must fit each other, got {a.shape} and {b.shape}"
        )
    return bind(
        triangular_solve_p,
        a,
        b,
        lower=bool(lower),
        transpose=bool(transpose),
        unit_diagonal=bool(unit_diagonal),
    )
