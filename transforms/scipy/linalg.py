"""Functions of `scipy.linalg` for plain and traced arrays, over stacks of matrices as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitives.matrices import conjugate
from transforms.primitives.matrix_exponential import expm as expm
from transforms.primitives.triangular import triangular_solve
from transforms.types import Array

_TRANSPOSES = {0: "N", 1: "T", 2: "C", "N": "N", "T": "T", "C": "C"}


def solve_triangular(
    a: Array, b: Array, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Array:
    """Solve ``op(a) @ x = b`` for a triangular matrix.

    Args:
        a: matrices, ``(..., n, n)``, of which one triangle is read.
        b: right-hand sides, ``(n,)`` or ``(..., n, k)``.
        trans: 0 or "N" for ``a``, 1 or "T" for its transpose, 2 or "C" for its conjugate transpose.
        lower: whether the lower triangle is read instead of the upper.
        unit_diagonal: whether the diagonal counts as ones and is not read.

    Returns:
        The solutions, ``(n,)`` or ``(..., n, k)``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: ``trans`` is unknown.
        LinAlgError: a matrix has a zero on its diagonal.

    >>> solve_triangular(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]))
    array([1., 2.])
    """
    a, b = as_array(a), as_array(b)
    if trans not in _TRANSPOSES:
        raise ValueError(message("solve_triangular", "trans", "be 0, 1, 2, 'N', 'T' or 'C'", repr(trans)))
    operation = _TRANSPOSES[trans]
    matrix = conjugate(a) if operation == "C" else a
    out = triangular_solve(
        matrix,
        b[:, None] if b.ndim == 1 else b,
        lower=lower,
        transpose=operation != "N",
        unit_diagonal=unit_diagonal,
    )
    return out[..., 0] if b.ndim == 1 else out


def cho_factor(a: Array, lower: bool = False) -> tuple[Array, bool]:
    """Return the Cholesky factor of a Hermitian positive definite matrix, for `cho_solve`.

    Args:
        a: matrices, ``(..., n, n)``, of which one triangle is read.
        lower: whether it is the lower one, and the factor ``L`` of ``a = L @ L^H`` is returned instead of
            ``U`` of ``a = U^H @ U``.

    Returns:
        The factor, with zeros in the other triangle, and ``lower``.

    Raises:
        ShapeError: the matrices are not square.
        LinAlgError: a matrix is not positive definite.

    >>> cho_factor(np.array([[4.0, 2.0], [2.0, 2.0]]))
    (array([[2., 1.],
           [0., 1.]]), False)
    """
    return np.linalg.cholesky(as_array(a), upper=not lower), bool(lower)


def cho_solve(c_and_lower: tuple[Array, bool], b: Array) -> Array:
    """Solve ``a @ x = b``, given the factor of ``a`` that `cho_factor` returns.

    Args:
        c_and_lower: what `cho_factor` returned.
        b: right-hand sides, ``(n,)`` or ``(..., n, k)``.

    Returns:
        The solutions, ``(n,)`` or ``(..., n, k)``.

    Raises:
        ShapeError: the shapes do not fit.

    >>> cho_solve(cho_factor(np.array([[4.0, 2.0], [2.0, 2.0]])), np.array([2.0, 0.0]))
    array([ 1., -1.])
    """
    factor, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    half = solve_triangular(factor, b, trans=first, lower=lower)
    return solve_triangular(factor, half, trans=second, lower=lower)


def block_diag(*arrs: Array) -> Array:
    """Return the matrix with the given ones on its diagonal, and zeros elsewhere.

    Args:
        *arrs: matrices; a vector counts as one row.

    Returns:
        A matrix of as many rows and columns as the given ones have together.

    Raises:
        ShapeError: an array has more than two axes.

    >>> block_diag(np.ones((1, 2)), 3.0)
    array([[1., 1., 0.],
           [0., 0., 3.]])
    """
    blocks = [np.atleast_2d(as_array(x)) for x in arrs]
    for block in blocks:
        if block.ndim > 2:
            raise ShapeError(
                message("block_diag", "a block", "have two axes at most", f"shape {block.shape}")
            )
    if not blocks:
        return np.zeros((1, 0))
    columns = sum(block.shape[1] for block in blocks)
    rows, before = [], 0
    for block in blocks:
        width = block.shape[1]
        rows.append(np.pad(block, ((0, 0), (before, columns - before - width))))
        before += width
    return np.concatenate(rows, axis=0)


def toeplitz(c: Array, r: Array | None = None) -> Array:
    """Return the matrix whose diagonals are constant.

    Args:
        c: its first column.
        r: its first row, of which the first element is not read; by default the conjugate of ``c``.

    Returns:
        The matrix, ``(len(c), len(r))``.

    Raises:
        ShapeError: an argument has not one axis.

    >>> toeplitz(np.array([1, 2, 3]), np.array([1, 4]))
    array([[1, 4],
           [2, 1],
           [3, 2]])
    """
    c = np.atleast_1d(as_array(c))
    r = conjugate(c) if r is None else np.atleast_1d(as_array(r))
    if c.ndim != 1 or r.ndim != 1:
        raise ShapeError(
            message("toeplitz", "the column and the row", "have one axis", f"{c.shape} and {r.shape}")
        )
    values = np.concatenate([c[::-1], r[1:]])
    places: Any = np.arange(c.shape[0])[::-1, None] + np.arange(r.shape[0])
    return values[places]
