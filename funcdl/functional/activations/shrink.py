"""Shrinkage: small arguments are set to zero or pulled towards it."""

from __future__ import annotations

import numpy as np

from transforms.types import Array


def hard_shrink(x: Array, *, cutoff: float = 0.5) -> Array:
    """Hard shrinkage: ``x`` if ``|x| > cutoff``, else 0.

    Args:
        x: array of any shape.
        cutoff: largest magnitude that is set to zero, at least 0.

    Returns:
        An array like ``x``.

    Source: Donoho & Johnstone, 1994, "Ideal spatial adaptation by wavelet shrinkage".

    >>> hard_shrink(np.array([-2.0, 0.3, 0.5, 0.6]))
    array([-2. ,  0. ,  0. ,  0.6])
    """
    return np.where(np.abs(x) <= cutoff, 0, x)


def soft_shrink(x: Array, *, cutoff: float = 0.5) -> Array:
    """Soft shrinkage: ``sign(x) * max(|x| - cutoff, 0)``.

    Args:
        x: array of any shape.
        cutoff: largest magnitude that is set to zero, at least 0.

    Returns:
        An array like ``x``.

    Source: Donoho & Johnstone, 1994, "Ideal spatial adaptation by wavelet shrinkage".

    >>> soft_shrink(np.array([-2.0, 0.25, 0.5, 0.75]))
    array([-1.5 ,  0.  ,  0.  ,  0.25])
    """
    return np.where(np.abs(x) <= cutoff, 0, x - cutoff * np.sign(x))


def tanh_shrink(x: Array) -> Array:
    """Smooth shrinkage: ``x - tanh(x)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    >>> tanh_shrink(np.array([-1000.0, 0.0, 1.0])).round(4)
    array([-9.990e+02,  0.000e+00,  2.384e-01])
    """
    return x - np.tanh(x)


def threshold(x: Array, *, cutoff: float, value: float = 0.0) -> Array:
    """One-sided shrinkage: ``x`` if ``x > cutoff``, else ``value``.

    Args:
        x: array of any shape.
        cutoff: largest argument that is replaced.
        value: what replaces it.

    Returns:
        An array like ``x``.

    >>> threshold(np.array([-1.0, 0.5, 2.0]), cutoff=1.0)
    array([0., 0., 2.])
    """
    return np.where(x <= cutoff, value, x)
