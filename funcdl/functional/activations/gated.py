"""Gated units: the argument, or half of it, times a gate between 0 and 1."""

from __future__ import annotations

import math

import numpy as np

from transforms import type_of
from transforms.lazy import lazy_module
from transforms.types import Array

special = lazy_module("scipy.special")

_TANH_SCALE = math.sqrt(2.0 / math.pi)
_TANH_CUBIC = 0.044715 * _TANH_SCALE


def gelu(x: Array, *, approximate: bool = False) -> Array:
    """Gaussian error linear unit: ``x * P(Z <= x)`` with ``Z`` standard normal.

    Args:
        x: array of any shape.
        approximate: replace the normal distribution function by
            ``(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``, off by at most 2e-4.

    Returns:
        An array like ``x``.

    Source: Hendrycks & Gimpel, 2016, arXiv:1606.08415.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    if not approximate:
        return x * special.ndtr(x)
    return 0.5 * x * (1.0 + np.tanh(x * (_TANH_SCALE + _TANH_CUBIC * (x * x))))


def silu(x: Array) -> Array:
    """Sigmoid linear unit, also called swish: ``x * sigmoid(x)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    Source: Elfwing, Uchibe & Doya, 2018, arXiv:1702.03118; Ramachandran, Zoph & Le, 2017, arXiv:1710.05941.

    >>> silu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return x * special.expit(x)


def mish(x: Array) -> Array:
    """Self-regularized unit: ``x * tanh(log(1 + exp(x)))``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    Source: Misra, 2019, arXiv:1908.08681.

    >>> mish(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """
    return x * np.tanh(np.logaddexp(x, 0.0))


def glu(x: Array, axis: int = -1) -> Array:
    """Gated linear unit: ``a * sigmoid(b)``, where ``a`` and ``b`` are the halves of ``x``.

    Args:
        x: array with an even length along ``axis``.
        axis: the axis to halve.

    Returns:
        An array of the shape of ``x``, but half as long along ``axis``.

    Raises:
        ValueError: the length is odd.

    Source: Dauphin et al., 2017, arXiv:1612.08083.

    >>> glu(np.array([[3.0, 4.0, 0.0, 1000.0]]))
    array([[1.5, 4. ]])
    """
    shape = type_of(x).shape
    if shape[axis] % 2:
        raise ValueError(
            f"glu: x must have an even length along axis {axis}, got shape {shape}; "
            "half of it is the value and half the gate"
        )
    value, gate = np.split(x, 2, axis)
    return value * special.expit(gate)
