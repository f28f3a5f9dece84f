"""Decompositions into singular values and into eigenvalues.

Singular vectors and eigenvectors are differentiable where their values are distinct, and the values
themselves where that is not so, too. Equal values make the derivatives of their vectors infinite or
NaN: there is none.

Rules are stated with the inner product ``Re tr(A^H B)`` and conjugated on both sides, because
cotangents are the conjugates of gradients.
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
    real_dtype,
    stacked,
)
from transforms.tracer import bind
from transforms.types import Array, ArrayType


def _on_diagonal(x: Array) -> Array:
    """Return the matrices that have the last axis on their diagonals."""
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype)


def _inverse_gaps(values: Array) -> Array:
    """Return ``1 / (values[j] - values[i])`` at ``[i, j]``, and zero on the diagonal."""
    eye = np.eye(values.shape[-1], dtype=values.dtype)
    return 1.0 / (values[..., None, :] - values[..., None] + eye) - eye


def _diagonal(x: Array) -> Array:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _imaginary_diagonal(x: Array) -> Array:
    """Return ``i Im x[k, k]`` for each ``k``."""
    diagonal = _diagonal(x)
    return (diagonal - conjugate(diagonal)) * 0.5


# --- singular values: A = U diag(s) V^H


def _push_svd(tangents: Any, out: Any, a: Array) -> tuple[Array, Array, Array]:
    u, s, vh = out
    (tangent,) = tangents
    v = adjoint(vh)
    inner = adjoint(u) @ tangent @ v
    gaps = _inverse_gaps(s * s)
    row = s[..., None, :]
    weighted = inner * row
    u_turn = gaps * (weighted + adjoint(weighted))
    weighted = inner * s[..., None]
    v_turn = gaps * (weighted + adjoint(weighted))
    if inner.dtype.kind == "c":
        # The phase that U and V share is free; LAPACK's choice is not smooth, this one leaves it to U.
        u_turn = u_turn + _on_diagonal(_imaginary_diagonal(inner) / s)
    du, dv = u @ u_turn, v @ v_turn
    rows, columns = a.shape[-2:]
    if rows > columns:
        du = du + (tangent @ v - u @ inner) / row
    if columns > rows:
        dv = dv + (adjoint(tangent) @ u - v @ adjoint(inner)) / row
    return du, _diagonal(inner).real, adjoint(dv)


def _pull_svd(cotangents: Any, out: Any, a_type: ArrayType, wanted: Any) -> tuple[Array]:
    u, s, vh = out
    u_bar, s_bar, vh_bar = cotangents
    inner = 0.0 if s_bar is None else _on_diagonal(s_bar).astype(u.dtype)
    outside = None
    gaps = None if u_bar is None and vh_bar is None else _inverse_gaps(s * s)
    row, column = s[..., None, :], s[..., None]
    if u_bar is not None:
        u_bar = conjugate(u_bar)
        product = adjoint(u) @ u_bar
        turn = gaps * product
        inner = inner + (turn + adjoint(turn)) * row
        if product.dtype.kind == "c":
            inner = inner + _on_diagonal(_imaginary_diagonal(product) / s)
        if a_type.shape[-2] > a_type.shape[-1]:
            outside = ((u_bar - u @ product) / row) @ vh
    if vh_bar is not None:
        v, v_bar = adjoint(vh), vh_bar.mT
        product = vh @ v_bar
        turn = gaps * product
        inner = inner + column * (turn + adjoint(turn))
        if a_type.shape[-1] > a_type.shape[-2]:
            outside = u @ adjoint((v_bar - v @ product) / row)
    total = u @ inner @ vh
    return (conjugate(total if outside is None else total + outside),)


def _infer_svd(a: Any) -> tuple[ArrayType, ArrayType, ArrayType]:
    dtype = inexact_dtype(a)
    *stack, rows, columns = a.shape
    rank = min(rows, columns)
    return (
        ArrayType((*stack, rows, rank), dtype),
        ArrayType((*stack, rank), real_dtype(dtype)),
        ArrayType((*stack, rank, columns), dtype),
    )


# Source: J. Townsend, Differentiating the singular value decomposition (2016); for complex matrices Z.-Q. Wan
# and S.-X. Zhang (2019), arXiv:1909.02659.
svd = stacked(
    "svd",
    lambda a: tuple(np.linalg.svd(a, full_matrices=False)),
    infer=_infer_svd,
    jvp=Joint(_push_svd),
    vjp=Joint(_pull_svd),
    multiple=True,
)

_COMPLETION = NoRule(
    "the singular vectors that complete U or V to a basis are not determined by the matrix; "
    "use full_matrices=False"
)


def _infer_svd_full(a: Any) -> tuple[ArrayType, ArrayType, ArrayType]:
    *stack, rows, columns = a.shape
    dtype = inexact_dtype(a)
    return (
        ArrayType((*stack, rows, rows), dtype),
        ArrayType((*stack, min(rows, columns)), real_dtype(dtype)),
        ArrayType((*stack, columns, columns), dtype),
    )


svd_full = stacked(
    "svd_full",
    lambda a: tuple(np.linalg.svd(a)),
    infer=_infer_svd_full,
    jvp=_COMPLETION,
    vjp=_COMPLETION,
    multiple=True,
)

_SVDResult: Any = type(np.linalg.svd(np.eye(1)))


@implements(np.linalg.svd)
def _svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    # For Hermitian matrices NumPy goes another way to the same factors, up to signs.
    check_matrices("linalg.svd", a)
    if not compute_uv:
        return bind(svd, a)[1]
    full = full_matrices and a.shape[-2] != a.shape[-1]
    return _SVDResult(*bind(svd_full if full else svd, a))


@implements(np.linalg.svdvals)
def _svdvals(x: Array, /) -> Array:
    check_matrices("linalg.svdvals", x)
    return bind(svd, x)[1]


# --- Hermitian matrices: A = V diag(w) V^H


def _push_eigh(tangents: Any, out: Any, _a: Array, triangle: str) -> tuple[Array, Array]:
    values, vectors = out
    inner = adjoint(vectors) @ hermitian_part(tangents[0]) @ vectors
    return _diagonal(inner).real, vectors @ (_inverse_gaps(values) * inner)


def _pull_eigh(cotangents: Any, out: Any, _a: None, wanted: Any, triangle: str) -> tuple[Array]:
    values, vectors = out
    values_bar, vectors_bar = cotangents
    inner = 0.0 if values_bar is None else _on_diagonal(values_bar).astype(vectors.dtype)
    if vectors_bar is not None:
        inner = inner + _inverse_gaps(values) * (adjoint(vectors) @ conjugate(vectors_bar))
    return (conjugate(hermitian_part(vectors @ inner @ adjoint(vectors))),)


def _infer_eigh(a: Any, triangle: str) -> tuple[ArrayType, ArrayType]:
    dtype = inexact_dtype(a)
    return ArrayType(a.shape[:-1], real_dtype(dtype)), ArrayType(a.shape, dtype)


# The derivative is that of a function of Hermitian matrices: it is Hermitian itself, though NumPy reads
# only one triangle.
#
# Source: M. B. Giles, An extended collection of matrix derivative results (2008), section 3.1.
eigh = stacked(
    "eigh",
    lambda a, triangle: tuple(np.linalg.eigh(a, triangle)),
    infer=_infer_eigh,
    jvp=Joint(_push_eigh),
    vjp=Joint(_pull_eigh),
    multiple=True,
)

_EighResult: Any = type(np.linalg.eigh(np.eye(1)))


@implements(np.linalg.eigh)
def _eigh(a: Array, UPLO: str = "L") -> Any:
    check_matrices("linalg.eigh", a, square=True)
    if UPLO not in ("L", "U", "l", "u"):
        raise ValueError(message("linalg.eigh", "UPLO", "be 'L' or 'U'", repr(UPLO)))
    return _EighResult(*bind(eigh, a, triangle=UPLO.upper()))


@implements(np.linalg.eigvalsh)
def _eigvalsh(a: Array, UPLO: str = "L") -> Array:
    return _eigh(a, UPLO)[0]


# --- general matrices: A V = V diag(w)


def _evaluate_eig(a: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eig(a)
    # NumPy's dtype depends on the values: it is real if all of these are.
    dtype = np.result_type(inexact_dtype(a), np.complex64)
    return values.astype(dtype, copy=False), vectors.astype(dtype, copy=False)


def _infer_eig(a: Any) -> tuple[ArrayType, ArrayType]:
    dtype = np.result_type(inexact_dtype(a), np.complex64)
    return ArrayType(a.shape[:-1], dtype), ArrayType(a.shape, dtype)


def _real_anchors(vectors: Array) -> Array:
    """Return ``1 / v`` at each vector's element of largest modulus, which LAPACK makes real, else zero."""
    size = np.abs(vectors)
    largest = np.argmax(size, axis=-2)[..., None, :]
    chosen = np.arange(vectors.shape[-1])[:, None] == largest
    return np.where(chosen, 1.0 / np.where(chosen, vectors.real, 1.0), 0.0)


def _push_eig(tangents: Any, out: Any, _a: Array) -> tuple[Array, Array]:
    values, vectors = out
    inner = np.linalg.solve(vectors, tangents[0].astype(vectors.dtype) @ vectors)
    turn = vectors @ (_inverse_gaps(values) * inner)
    # Each vector keeps its length, and the phase at which its largest element is real.
    stretch = _diagonal(adjoint(vectors) @ turn).real
    phase = np.sum(_real_anchors(vectors) * turn.imag, axis=-2)
    return _diagonal(inner), turn - vectors * (stretch + 1j * phase)[..., None, :]


def _pull_eig(cotangents: Any, out: Any, _a: None, wanted: Any) -> tuple[Array]:
    values, vectors = out
    values_bar, vectors_bar = cotangents
    inner = 0.0 if values_bar is None else _on_diagonal(conjugate(values_bar))
    if vectors_bar is not None:
        vectors_bar = conjugate(vectors_bar)
        product = _diagonal(adjoint(vectors) @ vectors_bar)
        turn = (
            vectors_bar
            - vectors * product.real[..., None, :]
            - 1j * _real_anchors(vectors) * product.imag[..., None, :]
        )
        inner = inner + conjugate(_inverse_gaps(values)) * (adjoint(vectors) @ turn)
    return (conjugate(np.linalg.solve(adjoint(vectors), inner @ adjoint(vectors))),)


# Source: C. Boeddeker et al., On the computation of complex-valued gradients (2017), arXiv:1701.00392.
eig = stacked(
    "eig",
    _evaluate_eig,
    infer=_infer_eig,
    jvp=Joint(_push_eig),
    vjp=Joint(_pull_eig),
    multiple=True,
)

_EigResult: Any = type(np.linalg.eig(np.eye(1)))


@implements(np.linalg.eig)
def _eig(a: Array) -> Any:
    """Return complex results, whatever the values: a type must not depend on them."""
    check_matrices("linalg.eig", a, square=True)
    return _EigResult(*bind(eig, a))


@implements(np.linalg.eigvals)
def _eigvals(a: Array) -> Array:
    return _eig(a)[0]
