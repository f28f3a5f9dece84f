"""`numpy.lib.scimath`: functions that turn complex where real numbers have no result.

Whether they do depends on the values, so these must be known, as they are under `grad` and `jvp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import scimath

from transforms.boundary import as_array
from transforms.primitive import implements
from transforms.primitives.known_values import known_values
from transforms.types import Array


def _widen(name: str, x: Any, outside: Callable[[Array], Array]) -> Array:
    """Cast to complex if some value is outside of where the real function has results."""
    x = as_array(x)
    if x.dtype.kind == "c":
        return x
    remedy = f"use np.{name}, with a complex argument where it needs one"
    values = known_values(f"numpy.lib.scimath.{name}", "the dtype of the result", x, remedy)
    single = x.dtype.char in "fe"
    return x.astype(np.complex64 if single else np.complex128) if np.any(outside(values)) else x


def _negative(x: Array) -> Array:
    return x < 0


def _beyond_one(x: Array) -> Array:
    return np.abs(x) > 1


def _declare(function: Any, plain: Any, outside: Callable[[Array], Array]) -> None:
    implements(function)(lambda x: plain(_widen(function.__name__, x, outside)))


for _name in ("sqrt", "log", "log2", "log10"):
    _declare(getattr(scimath, _name), getattr(np, _name), _negative)

for _name in ("arccos", "arcsin", "arctanh"):
    _declare(getattr(scimath, _name), getattr(np, _name), _beyond_one)


@implements(scimath.logn)
def _logn(n: Array, x: Array) -> Array:
    base = scimath.log(n)
    # The logarithm of a Python number promotes weakly, as the number itself does.
    return scimath.log(x) / (base.item() if isinstance(n, (int, float)) else base)


@implements(scimath.power)
def _power(x: Array, p: Array) -> Array:
    # np.power takes no negative integers as exponents of integers, and this function does.
    return np.power(_widen("power", x, _negative), p * 1.0)
