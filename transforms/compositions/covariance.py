"""Covariance and correlation, as compositions."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.primitive import implements
from transforms.types import Array


@implements(np.cov)
def _cov(
    m: Array,
    y: Array | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Array | None = None,
    aweights: Array | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """Keep float32, where NumPy computes in float64."""
    variables = _variables(m, y, rowvar, dtype)
    removed = (0 if bias else 1) if ddof is None else ddof
    weights = _weights(fweights, aweights)
    if weights is None:
        centred = variables - np.mean(variables, axis=1, keepdims=True)
        weighted, count = centred, max(variables.shape[1] - removed, 0)
    else:
        weights = weights.astype(np.real(variables).dtype)
        total = np.sum(weights)
        centred = variables - np.sum(variables * weights, axis=1, keepdims=True) / total
        weighted = centred * weights
        count = total - removed * _lost_freedom(weights, aweights, total)
    return np.squeeze(weighted @ np.conj(centred.T) / count)


def _variables(m: Array, y: Array | None, rowvar: bool, dtype: Any) -> Array:
    """Return one variable a row, the observations along the columns."""

    def rows(x: Array) -> Array:
        matrix = np.atleast_2d(as_array(x))
        return matrix if rowvar or matrix.shape[0] == 1 else matrix.T

    joined = rows(m) if y is None else np.concatenate([rows(m), rows(y)])
    if dtype is None:
        dtype = joined.dtype if joined.dtype.kind in "fc" else np.float64
    return joined.astype(dtype)


def _weights(fweights: Array | None, aweights: Array | None) -> Array | None:
    if fweights is None or aweights is None:
        given = aweights if fweights is None else fweights
        return None if given is None else as_array(given)
    return as_array(fweights) * as_array(aweights)


def _lost_freedom(weights: Array, aweights: Array | None, total: Array) -> Any:
    """Return how many observations one degree of freedom is worth."""
    return 1 if aweights is None else np.sum(weights * as_array(aweights)) / total


@implements(np.corrcoef)
def _corrcoef(x: Array, y: Array | None = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    covariance = np.cov(x, y, rowvar, dtype=dtype)
    if covariance.ndim == 0:
        return covariance / covariance
    deviation = np.sqrt(np.real(np.diagonal(covariance)))
    correlation = covariance / deviation[:, None] / deviation
    # Rounding may lead beyond 1, and NumPy cuts that.
    if correlation.dtype.kind != "c":
        return np.clip(correlation, -1, 1)
    return np.clip(np.real(correlation), -1, 1) + 1j * np.clip(np.imag(correlation), -1, 1)
