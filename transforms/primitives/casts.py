"""Casts between dtypes, and the identity through which no derivative flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms import tree
from transforms.primitive import implements, method
from transforms.primitives.declare import elementwise, piecewise_constant
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType, is_differentiable, type_of


def _cast(x: Array, dtype: np.dtype[Any]) -> Array:
    return np.asarray(x).astype(dtype)


def _infer_cast(x: Any, dtype: np.dtype[Any]) -> ArrayType:
    return ArrayType(getattr(x, "shape", ()), dtype)


# Both modes cast a derivative to the dtype that it must have, so that nothing is left for the rule.
astype = elementwise(_cast, lambda d, _out, _x, dtype: d, name="astype", infer=_infer_cast)
truncate = piecewise_constant(_cast, name="truncate", infer=_infer_cast)


@method("astype")
def cast(x: Array, dtype: Any) -> Array:
    """Return ``x`` with another dtype; an integer or boolean one cuts the derivative."""
    dtype = np.dtype(dtype)
    if type_of(x).dtype == dtype:
        return x
    return bind(astype if is_differentiable(dtype) else truncate, x, dtype=dtype)


# NumPy has the function since 2.1.
if hasattr(np, "astype"):

    @implements(np.astype)
    def _astype(x: Array, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Array:
        return cast(x, dtype)


stop_gradient_p = piecewise_constant(lambda x: x, name="stop_gradient", infer=type_of)


def stop_gradient(x: Any) -> Any:
    """Return a tree as it is, through which no derivative flows.

    Args:
        x: a tree of arrays of any shapes and dtypes.

    Returns:
        The same tree. Its arrays are constants for every transform that differentiates.

    >>> from transforms import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(lambda leaf: bind(stop_gradient_p, leaf) if isinstance(leaf, Tracer) else leaf, x)
