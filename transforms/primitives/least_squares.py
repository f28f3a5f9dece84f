"""The pseudo-inverse, the rank, and least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.matrices import adjoint, check_matrices, conjugate, inexact_dtype, stacked
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType

# --- pseudo-inverse


def _push(tangent: Array, out: Array, a: Array, cutoff: float) -> Array:
    change = adjoint(tangent)
    left = out @ adjoint(out) @ (change - change @ a @ out)
    right = (change - out @ a @ change) @ adjoint(out) @ out
    return left + right - out @ tangent @ out


def _pull(cotangent: Array, out: Array, a: Array, cutoff: float) -> Array:
    # Stated with the inner product Re tr(A^H B), as for the decompositions.
    cotangent, outer = conjugate(cotangent), adjoint(out)
    left = adjoint(cotangent) @ out @ outer
    right = outer @ out @ adjoint(cotangent)
    total = left - a @ out @ left + right - right @ out @ a - outer @ cotangent @ outer
    return conjugate(total)


# The derivative holds among matrices of the same rank.
#
# Source: G. H. Golub and V. Pereyra (1973), doi:10.1137/0710036, theorem 4.3.
pinv = stacked(
    "pinv",
    lambda a, cutoff: np.linalg.pinv(a, cutoff),
    infer=lambda a, cutoff: ArrayType((*a.shape[:-2], a.shape[-1], a.shape[-2]), inexact_dtype(a)),
    jvp=(_push,),
    vjp=(_pull,),
)

_NOT_GIVEN = object()


def _default_cutoff(a: Array) -> float:
    return float(max(a.shape[-2:]) * np.finfo(inexact_dtype(a)).eps)


@implements(np.linalg.pinv)
def _pinv(a: Array, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _NOT_GIVEN) -> Array:
    # For Hermitian matrices NumPy goes another way to the same result.
    check_matrices("linalg.pinv", a)
    if rcond is None:
        rcond = 1e-15 if rtol is _NOT_GIVEN else rtol
        rcond = _default_cutoff(a) if rcond is None else rcond
    elif rtol is not _NOT_GIVEN:
        raise ValueError(message("linalg.pinv", "the cutoff", "be given once", "both rcond and rtol"))
    return bind(pinv, a, cutoff=float(rcond))


# --- rank


@implements(np.linalg.matrix_rank)
def _matrix_rank(A: Array, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    if A.ndim < 2:
        return np.any(A != 0).astype(int)
    if tol is not None and rtol is not None:
        raise ValueError(message("linalg.matrix_rank", "the tolerance", "be given once", "both tol and rtol"))
    values = np.linalg.svdvals(A)
    if tol is None:
        cutoff = (_default_cutoff(A) if rtol is None else rtol) * np.max(values, axis=-1)
    else:
        cutoff = as_array(tol)
    return np.count_nonzero(values > cutoff[..., None], axis=-1)


# --- least squares


@implements(np.linalg.lstsq)
def _lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """Solve by the pseudo-inverse: the derivatives hold among matrices of the same rank.

    Whether there are residuals depends on the rank. Where its value is not known, in a staged or batched
    function, a tall matrix counts as one of full rank.
    """
    a, b = as_array(a), as_array(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            f"linalg.lstsq: the operands' shapes must fit each other, got {a.shape} and {b.shape}"
        )
    cutoff = _default_cutoff(a) if rcond is None else float(rcond)
    solution = bind(pinv, a, cutoff=cutoff) @ b
    values = np.linalg.svdvals(a)
    rank: Array = np.count_nonzero(values > cutoff * values[:1])
    tall = a.shape[0] > a.shape[1] and (isinstance(rank, Tracer) or rank == a.shape[1])
    errors = np.atleast_1d(np.sum(np.abs(b - a @ solution) ** 2, axis=0))
    return solution, errors if tall else errors[:0], rank, values
