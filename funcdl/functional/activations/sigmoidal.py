"""Smooth steps, and the smooth ramps that are their integrals."""

from __future__ import annotations

import numpy as np

from transforms.lazy import lazy_module
from transforms.types import Array

special = lazy_module("scipy.special")


def sigmoid(x: Array) -> Array:
    """Logistic function: ``1 / (1 + exp(-x))``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [0, 1].

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return special.expit(x)


def log_sigmoid(x: Array) -> Array:
    """Logarithm of the logistic function: ``-log(1 + exp(-x))``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values of at most 0.

    >>> log_sigmoid(np.array([-1000.0, 1000.0]))
    array([-1000.,    -0.])
    """
    return -np.logaddexp(-x, 0.0)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent: ``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [-1, 1].

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)


def softsign(x: Array) -> Array:
    """Rational step: ``x / (1 + |x|)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [-1, 1].

    Source: Glorot & Bengio, 2010, "Understanding the difficulty of training deep feedforward neural
    networks".

    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    return x / (1.0 + np.abs(x))


def softplus(x: Array) -> Array:
    """Smooth rectifier: ``log(1 + exp(x))``, the integral of the logistic function.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values of at least 0.

    Source: Dugas et al., 2001, "Incorporating second-order functional knowledge for better option pricing".

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return np.logaddexp(x, 0.0)


def squareplus(x: Array, *, b: float = 4.0) -> Array:
    """Algebraic smooth rectifier: ``(x + sqrt(x**2 + b)) / 2``.

    Args:
        x: array of any shape.
        b: size of the bend around 0, greater than 0; with 4, the value at 0 is 1.

    Returns:
        An array like ``x``, with values of at least 0.

    Source: Barron, 2021, "Squareplus: a softplus-like algebraic rectifier", arXiv:2112.11687.

    >>> squareplus(np.array([-1000.0, 0.0, 1000.0])).round(3)
    array([1.000000e-03, 1.000000e+00, 1.000001e+03])
    """
    return 0.5 * (x + np.sqrt(x * x + b))
