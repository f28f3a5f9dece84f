"""The least-squares fit of a polynomial, as a composition."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.types import Array


@implements(np.polyfit)
def _polyfit(
    x: Array,
    y: Array,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Array | None = None,
    cov: bool | str = False,
) -> Any:
    dtype = np.result_type(as_array(x).dtype, as_array(y).dtype, np.float16)
    x, y = as_array(x).astype(dtype), as_array(y).astype(dtype)
    # np.vander makes float64 of float32.
    powers = np.stack([x**power for power in range(int(deg), -1, -1)], axis=1)
    targets = y
    if w is not None:
        weights = as_array(w)
        powers = powers * weights[:, None]
        targets = y * weights.reshape((-1,) + (1,) * (y.ndim - 1))
    if rcond is None:
        rcond = x.shape[0] * float(np.finfo(dtype).eps)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    scaled = powers / scale
    solution, residuals, rank, singular_values = np.linalg.lstsq(scaled, targets, rcond)
    coefficients = (solution.T / scale).T
    if full:
        return coefficients, residuals, rank, singular_values, rcond
    if not cov:
        return coefficients
    inverse = np.linalg.inv(scaled.T @ scaled) / np.outer(scale, scale)
    variance = 1.0 if cov == "unscaled" else _variance(residuals, x.shape[0], int(deg) + 1)
    return coefficients, inverse * variance if y.ndim == 1 else inverse[:, :, None] * variance


def _variance(residuals: Array, points: int, coefficients: int) -> Array:
    """Return the variance of the residuals, corrected for the coefficients that were fitted."""
    if points <= coefficients:
        raise ValueError(
            message(
                "numpy.polyfit",
                "the points",
                f"be more than the {coefficients} coefficients for a covariance",
                points,
                'fit fewer, or give cov="unscaled"',
            )
        )
    return residuals / (points - coefficients)
