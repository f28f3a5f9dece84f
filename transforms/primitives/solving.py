"""Linear equations, inverses and determinants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError
from transforms.primitive import Joint, Primitive, implements
from transforms.primitives.matrices import (
    check_matrices,
    inexact_dtype,
    real_dtype,
    solution_type,
    stacked,
)
from transforms.tracer import bind
from transforms.types import Array, ArrayType

# --- solve: A X = B


def _pull_solve(cotangent: Array, out: Array, a: Array, b_type: ArrayType, wanted: Any) -> Any:
    b_bar = bind(solve, a.mT, cotangent)
    return (-(b_bar @ out.mT) if 0 in wanted else None), b_bar


solve: Primitive = stacked(
    "solve",
    np.linalg.solve,
    infer=solution_type,
    jvp=(
        lambda tangent, out, a, _b: -bind(solve, a, tangent @ out),
        lambda tangent, _out, a, _b: bind(solve, a, tangent),
    ),
    vjp=Joint(_pull_solve),
)


@implements(np.linalg.solve)
def _solve(a: Any, b: Any) -> Array:
    a, b = as_array(a), as_array(b)
    check_matrices("linalg.solve", a, square=True)
    right = b[:, None] if b.ndim == 1 else b
    if not right.ndim or right.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"linalg.solve: the operands' shapes must fit each other, got {a.shape} and {b.shape}"
        )
    out = bind(solve, a, right)
    return out[..., 0] if b.ndim == 1 else out


# --- inverse

inv = stacked(
    "inv",
    np.linalg.inv,
    infer=lambda a: ArrayType(a.shape, inexact_dtype(a)),
    jvp=(lambda tangent, out, _a: -(out @ tangent @ out),),
    vjp=(lambda cotangent, out, _a: -(out.mT @ cotangent @ out.mT),),
)


@implements(np.linalg.inv)
def _inv(a: Array) -> Array:
    check_matrices("linalg.inv", a, square=True)
    return bind(inv, a)


# --- determinants


def _evaluate_cofactors(a: Array) -> Array:
    """Return ``det(a) inv(a).T``, the derivative of the determinant, of singular matrices too.

    It comes from ``a = U S V^H``, whose cofactors are those of the three factors multiplied.
    """
    u, s, vh = np.linalg.svd(a)
    size = s.shape[-1]
    # All singular values but the i-th, multiplied, without a division.
    others = np.where(np.eye(size, dtype=bool), 1, s[..., None, :]).prod(axis=-1).astype(s.dtype)
    unitary = np.linalg.det(u) * np.linalg.det(vh)
    return (u.conj() * (unitary[..., None] * others)[..., None, :]) @ vh.conj()


def _push_cofactors(tangent: Array, out: Array, a: Array) -> Array:
    inverse = bind(inv, a)
    trace = np.trace(inverse @ tangent, axis1=-2, axis2=-1)[..., None, None]
    return trace * out - out @ tangent.mT @ inverse.mT


def _pull_cofactors(cotangent: Array, out: Array, a: Array) -> Array:
    transposed = bind(inv, a).mT
    inner = np.sum(cotangent * out, axis=(-2, -1))[..., None, None]
    return inner * transposed - transposed @ cotangent.mT @ out


# At a singular matrix the determinant has a first derivative here, and a second one not: it raises
# LinAlgError.
cofactors = stacked(
    "cofactors",
    _evaluate_cofactors,
    infer=lambda a: ArrayType(a.shape, inexact_dtype(a)),
    jvp=(_push_cofactors,),
    vjp=(_pull_cofactors,),
)

det = stacked(
    "det",
    np.linalg.det,
    infer=lambda a: ArrayType(a.shape[:-2], inexact_dtype(a)),
    jvp=(lambda tangent, _out, a: np.sum(tangent * bind(cofactors, a), axis=(-2, -1)),),
    vjp=(lambda cotangent, _out, a: cotangent[..., None, None] * bind(cofactors, a),),
)


@implements(np.linalg.det)
def _det(a: Array) -> Array:
    check_matrices("linalg.det", a, square=True)
    return bind(det, a)


def _push_slogdet(tangents: Any, out: Any, a: Array) -> Any:
    sign, _ = out
    trace = np.trace(bind(solve, a, tangents[0]), axis1=-2, axis2=-1)
    turn = sign * 1j * trace.imag if trace.dtype.kind == "c" else None
    return turn, trace.real


def _pull_slogdet(cotangents: Any, out: Any, a: Array, wanted: Any) -> tuple[Array | None]:
    sign_bar, log_bar = cotangents
    scale = log_bar
    if sign_bar is not None and a.dtype.kind == "c":
        turn = 1j * (sign_bar * out[0]).imag
        scale = turn if scale is None else scale + turn
    return (None if scale is None else scale[..., None, None] * bind(inv, a).mT,)


def _infer_slogdet(a: Any) -> tuple[ArrayType, ArrayType]:
    dtype = inexact_dtype(a)
    return ArrayType(a.shape[:-2], dtype), ArrayType(a.shape[:-2], real_dtype(dtype))


slogdet = stacked(
    "slogdet",
    lambda a: tuple(np.linalg.slogdet(a)),
    infer=_infer_slogdet,
    jvp=Joint(_push_slogdet),
    vjp=Joint(_pull_slogdet),
    multiple=True,
)

_SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


@implements(np.linalg.slogdet)
def _slogdet(a: Array) -> Any:
    check_matrices("linalg.slogdet", a, square=True)
    return _SlogdetResult(*bind(slogdet, a))


# --- equations of tensors


@implements(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Array:
    a, b = as_array(a), as_array(b)
    if axes is not None:
        a = np.moveaxis(a, axes, tuple(range(a.ndim - len(axes), a.ndim)))
    unknown = a.shape[b.ndim :]
    if a.shape[: b.ndim] != b.shape or math.prod(unknown) != b.size:
        raise ShapeError(
            f"linalg.tensorsolve: the operands' shapes must fit each other, got {a.shape} and {b.shape}"
        )
    return _solve(a.reshape((b.size, b.size)), b.ravel()).reshape(unknown)


@implements(np.linalg.tensorinv)
def _tensorinv(a: Array, ind: int = 2) -> Array:
    rows, columns = a.shape[:ind], a.shape[ind:]
    size = math.prod(rows)
    if ind <= 0 or size != math.prod(columns):
        raise ShapeError(
            f"linalg.tensorinv: the operand must have as many elements before axis {ind} as after it, "
            f"got shape {a.shape}"
        )
    return bind(inv, a.reshape((size, size))).reshape(columns + rows)
