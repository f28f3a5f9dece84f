"""The exponential of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.lazy import lazy_module
from transforms.primitives.matrices import check_matrices, inexact_dtype, stacked
from transforms.tracer import bind
from transforms.types import Array, ArrayType

scipy_linalg = lazy_module("scipy.linalg")


def _derivative(a: Array, direction: Array) -> Array:
    """Return the derivative at ``a`` along a direction: the corner of the exponential of twice the size.

    exp([[a, direction], [0, a]]) = [[exp(a), derivative], [0, exp(a)]]

    Source: R. Mathias (1996), doi:10.1137/S0895479895283409.
    """
    size = a.shape[-1]
    top = np.concatenate([a, direction], axis=-1)
    bottom = np.concatenate([np.zeros_like(a), a], axis=-1)
    return bind(expm_p, np.concatenate([top, bottom], axis=-2))[..., :size, size:]


def _infer(a: Any) -> ArrayType:
    return ArrayType(a.shape, inexact_dtype(a))


expm_p = stacked(
    "expm",
    lambda a: scipy_linalg.expm(a),
    infer=_infer,
    jvp=(lambda tangent, _out, a: _derivative(a, tangent),),
    vjp=(lambda cotangent, _out, a: _derivative(a.mT, cotangent),),
)


def expm(a: Array) -> Array:
    """Return the matrix exponential of each matrix, ``sum_k a^k / k!``.

    Args:
        a: matrices, ``(..., n, n)``.

    Returns:
        Their exponentials, of the same shape.

    Raises:
        ShapeError: the matrices are not square.

    Source: A. H. Al-Mohy and N. J. Higham (2010), doi:10.1137/09074721X.

    >>> expm(np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[1., 1.],
           [0., 1.]])
    """
    check_matrices("expm", a, square=True)
    return bind(expm_p, a)
