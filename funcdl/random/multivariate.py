"""Random vectors and matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.arguments import broadcast_shape, check_key, check_shape, float_dtype
from funcdl.random.continuous import normal
from transforms.errors import message
from transforms.types import Array, Shape, type_of


def orthogonal(
    key: Array, n: int, shape: Shape = (), dtype: DTypeLike = np.float32, m: int | None = None
) -> Array:
    """Draw matrices uniformly from those with orthonormal columns or, if wider than high, rows.

    ``q * sign(diag(r))``, with ``q, r`` the QR decomposition of a normally distributed matrix.

    Args:
        key: uint32 array of shape (2,).
        n: number of rows.
        shape: shape of an array of matrices.
        dtype: float32, float64, or for unitary matrices complex64 or complex128.
        m: number of columns; by default ``n``.

    Returns:
        Array of shape ``(*shape, n, m)``.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: a size is negative.

    Source: Mezzadri, 2007, "How to generate random matrices from the classical compact groups",
    arXiv:math-ph/0609050.

    >>> q = orthogonal(np.array([0, 42], np.uint32), 3)
    >>> np.allclose(q.T @ q, np.eye(3), atol=1e-6)
    True
    """
    check_key("random.orthogonal", key)
    shape = check_shape("random.orthogonal", shape)
    rows, columns = check_shape("random.orthogonal", (n, n if m is None else m))
    if np.dtype(dtype).itemsize < 4:
        raise TypeError(message("random.orthogonal", "dtype", "have at least 32 bits", np.dtype(dtype)))
    gaussian = normal(key, (*shape, max(rows, columns), min(rows, columns)), dtype)
    q, r = np.linalg.qr(gaussian)
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return np.swapaxes(q, -1, -2) if rows < columns else q


def multivariate_normal(
    key: Array,
    mean: Array,
    cov: Array,
    shape: Shape | None = None,
    dtype: DTypeLike | None = None,
) -> Array:
    """Draw vectors from the normal distribution with the given mean and covariance.

    ``x = mean + L z``, with ``L`` the Cholesky factor of the covariance and ``z`` standard normal.

    Args:
        key: uint32 array of shape (2,).
        mean: array of shape ``(..., n)``.
        cov: positive definite array of shape ``(..., n, n)``.
        shape: shape of an array of vectors; by default what the leading axes broadcast to.
        dtype: dtype of the normal numbers; by default that of ``mean``.

    Returns:
        Array of shape ``(*shape, n)``.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: the mean and the covariance do not fit each other or the shape.
        numpy.linalg.LinAlgError: the covariance is not positive definite.

    >>> multivariate_normal(np.array([0, 42], np.uint32), np.zeros(2), np.eye(2)).shape
    (2,)
    """
    where = "random.multivariate_normal"
    check_key(where, key)
    mean_type, cov_type = type_of(mean), type_of(cov)
    if mean_type.ndim < 1 or cov_type.shape[-2:] != mean_type.shape[-1:] * 2:
        rule = "have shapes (..., n) and (..., n, n)"
        raise ValueError(message(where, "mean and cov", rule, f"{mean_type} and {cov_type}"))
    dtype = float_dtype(where, mean_type.dtype if dtype is None else dtype)
    shape = broadcast_shape(where, shape, mean_type.shape[:-1], cov_type.shape[:-2])
    z = normal(key, (*shape, mean_type.shape[-1]), dtype)
    return mean + np.einsum("...ij,...j->...i", np.linalg.cholesky(cov), z)
