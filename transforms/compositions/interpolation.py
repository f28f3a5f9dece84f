"""Piecewise linear interpolation, as a composition."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.at import at
from transforms.boundary import as_array
from transforms.primitive import implements
from transforms.types import Array


@implements(np.interp)
def _interp(x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """Keep float32, where NumPy computes in float64.

    At a point of ``xp`` the derivative in ``x`` is the slope of the segment on its right, and at the
    last point, of the last segment.
    """
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    if period is not None:
        x, xp, fp = _wrap(x, xp, fp, abs(period))
        left = right = None
    count = xp.shape[0]
    after = np.clip(np.searchsorted(xp, x, side="right"), min(1, count - 1), count - 1)
    before = np.maximum(after - 1, 0)
    x0, y0 = at(xp)[before].get(), at(fp)[before].get()
    width, height = at(xp)[after].get() - x0, at(fp)[after].get() - y0
    steep = width == 0
    slope = np.where(steep, 0.0, height / np.where(steep, 1, width))
    y = y0 + (x - x0) * slope
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    return np.where(x > xp[-1], fp[-1] if right is None else right, y)


def _wrap(x: Array, xp: Array, fp: Array, period: Any) -> tuple[Array, Array, Array]:
    """Map the points into one period, in order, with one more on each side."""
    x, xp = x % period, xp % period
    order = np.argsort(xp)
    xp, fp = at(xp)[order].get(), at(fp)[order].get()
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, np.concatenate([fp[-1:], fp, fp[:1]])
