"""Cholesky and QR decompositions.

Rules that mention complex numbers are stated with the inner product ``Re tr(A^H B)`` and conjugated on
both sides, because cotangents are the conjugates of gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.errors import message
from transforms.primitive import Joint, NoRule, implements
from transforms.primitives.matrices import (
    adjoint,
    check_matrices,
    conjugate,
    hermitian_part,
    inexact_dtype,
    stacked,
    triangle,
)
from transforms.primitives.triangular import triangular_solve
from transforms.tracer import bind
from transforms.types import Array, ArrayType

# --- Cholesky: A = L L^H


def _sandwich(inner: Array, factor: Array, *, lower: bool) -> Array:
    """Return ``T^-1 inner T^-H`` for the triangular ``T`` that is the factor, or its adjoint if upper."""
    matrix = factor if lower else conjugate(factor)
    half = triangular_solve(matrix, inner, lower=True, transpose=not lower)
    return adjoint(triangular_solve(matrix, adjoint(half), lower=True, transpose=not lower))


def _push_cholesky(tangent: Array, out: Array, _a: Array) -> Array:
    inner = _sandwich(hermitian_part(tangent), out, lower=True)
    return out @ (inner * triangle(out.shape[-1], inner.dtype, 0.5))


def _pull_cholesky(cotangent: Array, out: Array, _a: Array) -> Array:
    product = adjoint(out) @ conjugate(cotangent)
    inner = product * triangle(out.shape[-1], product.dtype, 0.5)
    return conjugate(hermitian_part(_sandwich(inner, out, lower=False)))


# The derivative is that of a function of Hermitian matrices: it is Hermitian itself, though NumPy reads
# only one triangle.
#
# Source: I. Murray, Differentiation of the Cholesky decomposition (2016), arXiv:1602.07527.
cholesky = stacked(
    "cholesky",
    np.linalg.cholesky,
    infer=lambda a: ArrayType(a.shape, inexact_dtype(a)),
    jvp=(_push_cholesky,),
    vjp=(_pull_cholesky,),
)


@implements(np.linalg.cholesky)
def _cholesky(a: Array, /, *, upper: bool = False) -> Array:
    check_matrices("linalg.cholesky", a, square=True)
    return adjoint(bind(cholesky, adjoint(a))) if upper else bind(cholesky, a)


# --- QR: A = Q R, for matrices that are not wide


def _push_qr(tangents: Any, out: Any, a: Array) -> tuple[Array, Array]:
    q, r = out
    ratio = _divide_by_upper(tangents[0], r)
    inner = adjoint(q) @ ratio
    lower = inner * triangle(r.shape[-1], inner.dtype, 0.0)
    rotation = lower - adjoint(lower)
    if inner.dtype.kind == "c":
        # R has a real diagonal, so what would turn it is the rotation of a column of Q.
        rotation = rotation + np.eye(r.shape[-1], dtype=inner.dtype) * (inner - conjugate(inner)) * 0.5
    change = rotation - inner
    return ratio + q @ change, -(change @ r)


def _pull_qr(cotangents: Any, out: Any, a: Array, wanted: Any) -> tuple[Array]:
    q, r = out
    q_bar, r_bar = (None if c is None else conjugate(c) for c in cotangents)
    inner: Array = 0.0
    if r_bar is not None:
        inner = r_bar @ adjoint(r)
    if q_bar is not None:
        inner = inner - adjoint(q) @ q_bar
    upper = inner * triangle(r.shape[-1], inner.dtype, 0.5).T
    total = q @ (upper + adjoint(upper))
    return (conjugate(_divide_by_upper_adjoint(total if q_bar is None else total + q_bar, r)),)


def _divide_by_upper(x: Array, r: Array) -> Array:
    """Return ``x R^-1``."""
    return triangular_solve(r, x.mT, lower=False, transpose=True).mT


def _divide_by_upper_adjoint(x: Array, r: Array) -> Array:
    """Return ``x R^-H``."""
    return adjoint(triangular_solve(r, adjoint(x), lower=False))


def _infer_qr(a: Any) -> tuple[ArrayType, ArrayType]:
    dtype, columns = inexact_dtype(a), a.shape[-1]
    return ArrayType(a.shape, dtype), ArrayType((*a.shape[:-2], columns, columns), dtype)


# Source: S. F. Walter and L. Lehmann (2010), arXiv:1009.6112.
qr = stacked(
    "qr",
    lambda a: tuple(np.linalg.qr(a)),
    infer=_infer_qr,
    jvp=Joint(_push_qr),
    vjp=Joint(_pull_qr),
    multiple=True,
)

_COMPLETION = NoRule(
    "the columns that complete Q to a basis are not determined by the matrix; use mode='reduced'"
)


def _infer_qr_complete(a: Any) -> tuple[ArrayType, ArrayType]:
    dtype, rows = inexact_dtype(a), a.shape[-2]
    return ArrayType((*a.shape[:-2], rows, rows), dtype), ArrayType(a.shape, dtype)


qr_complete = stacked(
    "qr_complete",
    lambda a: tuple(np.linalg.qr(a, mode="complete")),
    infer=_infer_qr_complete,
    jvp=_COMPLETION,
    vjp=_COMPLETION,
    multiple=True,
)

_QRResult: Any = type(np.linalg.qr(np.eye(1)))


@implements(np.linalg.qr)
def _qr(a: Array, mode: str = "reduced") -> Any:
    check_matrices("linalg.qr", a)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(
            message("linalg.qr", "mode of a traced matrix", "be 'reduced', 'complete' or 'r'", repr(mode))
        )
    rows, columns = a.shape[-2:]
    if mode == "complete" and rows > columns:
        return _QRResult(*bind(qr_complete, a))
    q, r = bind(qr, a if rows >= columns else a[..., :rows])
    if rows < columns:
        r = np.concatenate([r, adjoint(q) @ a[..., rows:]], axis=-1)
    return r if mode == "r" else _QRResult(q, r)
