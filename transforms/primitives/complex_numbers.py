"""Complex numbers and their parts.

Where a function is not holomorphic, the conventions of the transforms meet in one rule: reverse mode
takes the complex product as it is, and forward mode the real part of it, where the result is real.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.primitive import implements
from transforms.primitives.declare import elementwise
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType

conjugate = elementwise(np.conjugate, lambda d, _out, _x: np.conjugate(d))


def _infer_part(x: ArrayType) -> ArrayType:
    return ArrayType(x.shape, np.empty(0, x.dtype).real.dtype)


real = elementwise(np.real, lambda d, _out, _x: d, name="real", infer=_infer_part)
imag = elementwise(np.imag, lambda d, _out, _x: d * -1j, name="imag", infer=_infer_part)


@implements(np.real)
def _real(val: Array) -> Array:
    return bind(real, val) if val.dtype.kind == "c" else val


@implements(np.imag)
def _imag(val: Array) -> Array:
    return bind(imag, val) if val.dtype.kind == "c" else np.zeros(val.shape, val.dtype)


@implements(np.angle)
def _angle(z: Array, deg: bool = False) -> Array:
    angle = np.arctan2(np.imag(z), np.real(z)) if z.dtype.kind == "c" else np.arctan2(0, z)
    return angle * (180.0 / math.pi) if deg else angle


@implements(np.iscomplex)
def _iscomplex(x: Array) -> Array:
    return np.imag(x) != 0


@implements(np.isreal)
def _isreal(x: Array) -> Array:
    return np.imag(x) == 0


@implements(np.real_if_close)
def _real_if_close(a: Any, tol: float = 100) -> Array:
    """Whether the result is complex depends on the values, so they must be concrete."""
    if a.dtype.kind != "c":
        return a
    values = a.concrete() if isinstance(a, Tracer) else a
    return a if np.iscomplexobj(np.real_if_close(values, tol)) else np.real(a)
