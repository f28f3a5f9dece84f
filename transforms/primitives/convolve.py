"""NumPy's convolutions and correlations of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.convolution import conv
from transforms.primitives.matrices import conjugate
from transforms.types import Array

_MODES = ("full", "same", "valid")


@implements(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Array:
    return _sequences("convolve", as_array(a), as_array(v), mode)


@implements(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    return _sequences("correlate", as_array(a), conjugate(as_array(v))[::-1], mode)


def _sequences(function: str, a: Array, v: Array, mode: str) -> Array:
    """Convolve the longer sequence with the shorter one; the order does not matter."""
    if mode not in _MODES:
        raise ValueError(message(function, "mode", f"be one of {_MODES}", repr(mode)))
    if max(a.ndim, v.ndim) > 1 or not a.size or not v.size:
        raise ShapeError(
            f"{function}: the operands must be sequences that are not empty, got {a.shape} and {v.shape}"
        )
    a, v = a.ravel(), v.ravel()
    swapped = a.shape[0] < v.shape[0]
    if swapped:
        a, v = v, a
    length = v.shape[0]
    before = {"full": length - 1, "same": length // 2, "valid": 0}[mode]
    after = {"full": length - 1, "same": (length - 1) // 2, "valid": 0}[mode]
    if swapped and function == "correlate":
        # NumPy mirrors the result of the exchanged sequences, and with it the odd element.
        before, after = after, before
    return conv(a[None, :, None], v[::-1, None, None], padding=((before, after),)).ravel()
