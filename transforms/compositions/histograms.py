"""Histograms: the counts are piecewise constant in the samples; weights and edges have derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.at import at
from transforms.boundary import as_array
from transforms.compositions.creation import array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.known_values import known_values
from transforms.tracer import Tracer
from transforms.types import Array


@implements(np.bincount)
def _bincount(x: Array, /, weights: Array | None = None, minlength: int = 0) -> Array:
    """Keep the weights' dtype, where NumPy computes in float64. The largest number must be known."""
    numbers = known_values(
        "numpy.bincount", "the length of the result", x, "use transforms.at(np.zeros(n))[x].add(weights)"
    )
    if numbers.dtype.kind not in "biu" or numbers.ndim != 1 or numbers.min(initial=0) < 0:
        raise ValueError(
            message("numpy.bincount", "x", "be a vector of non-negative integers", f"{numbers.dtype} values")
        )
    length = max(minlength, int(numbers.max(initial=-1)) + 1)
    return _sum_by_number(numbers, length, weights)


def _sum_by_number(numbers: Array, length: int, weights: Array | None) -> Array:
    if weights is None:
        return at(np.zeros(length, np.intp))[numbers].add(np.broadcast_to(1, numbers.shape))
    weights = as_array(weights)
    dtype = weights.dtype if weights.dtype.kind in "fc" else np.float64
    return at(np.zeros(length, dtype))[numbers].add(weights)


@implements(np.histogram_bin_edges)
def _histogram_bin_edges(
    a: Array,
    bins: Any = 10,
    range: Any = None,
    weights: Array | None = None,
) -> Array:
    if isinstance(bins, str):
        remedy = "give the number of bins"
        values = known_values("numpy.histogram_bin_edges", "the number of bins", a, remedy)
        bins = len(np.histogram_bin_edges(values, bins, range)) - 1
    if np.ndim(bins) > 0:
        return array(bins)
    a = as_array(a).reshape(-1)
    if range is not None:
        first, last = range
    elif a.size:
        first, last = np.min(a), np.max(a)
    else:
        first, last = 0.0, 1.0
    equal = np.equal(first, last)
    first, last = np.where(equal, first - 0.5, first), np.where(equal, last + 0.5, last)
    return np.linspace(first, last, int(bins) + 1)


@implements(np.histogram)
def _histogram(
    a: Array,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Array | None = None,
) -> tuple[Array, Array]:
    flat = as_array(a).reshape(-1)
    edges = np.histogram_bin_edges(flat, bins, range)
    flat_weights = None if weights is None else as_array(weights).reshape(-1)
    counts = _count([flat], [edges], flat_weights)
    return (_density(counts, [edges]) if density else counts), edges


@implements(np.histogramdd)
def _histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Array | None = None,
) -> tuple[Array, list[Array]]:
    if isinstance(sample, (Tracer, np.ndarray)):
        columns = list(np.atleast_2d(sample.T) if sample.ndim < 2 else sample.T)
    else:
        columns = [as_array(column) for column in sample]
    every_bins = [bins] * len(columns) if np.ndim(bins) == 0 else list(bins)
    if len(every_bins) != len(columns):
        raise ValueError(
            message("numpy.histogramdd", "bins", f"be given for {len(columns)} dimensions", len(every_bins))
        )
    ranges = [None] * len(columns) if range is None else range
    edges = [
        _histogram_bin_edges(column, number, limits)
        for column, number, limits in zip(columns, every_bins, ranges, strict=True)
    ]
    counts = _count(columns, edges, weights)
    if counts.dtype.kind in "iu":
        counts = counts.astype(np.float64)
    return (_density(counts, edges) if density else counts), edges


@implements(np.histogram2d)
def _histogram2d(
    x: Array,
    y: Array,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Array | None = None,
) -> tuple[Array, Array, Array]:
    if np.ndim(bins) == 1 and len(bins) > 2:
        bins = [bins, bins]
    counts, (x_edges, y_edges) = _histogramdd([x, y], bins, range, density, weights)
    return counts, x_edges, y_edges


def _count(columns: Sequence[Array], edges: Sequence[Array], weights: Array | None) -> Array:
    """Add up the weights, or the number, of the points in each cell of a grid."""
    shape = tuple(edge.shape[0] - 1 for edge in edges)
    cell: Any = 0
    inside: Any = True
    for column, edge, length in zip(columns, edges, shape, strict=True):
        # The last bin is closed on both sides.
        place = np.minimum(np.searchsorted(edge, column, side="right") - 1, length - 1)
        inside = inside & (column >= edge[0]) & (column <= edge[-1])
        cell = cell * length + place
    # Points outside the grid go into one cell more, which is dropped.
    cells = math.prod(shape)
    return _sum_by_number(np.where(inside, cell, cells), cells + 1, weights)[:-1].reshape(shape)


def _density(counts: Array, edges: Sequence[Array]) -> Array:
    """Divide by the total and by the size of each cell, so that the integral is one."""
    density = counts / np.sum(counts)
    for axis, edge in enumerate(edges):
        lengths = tuple(-1 if i == axis else 1 for i in range(len(edges)))
        density = density / np.diff(edge).reshape(lengths)
    return density
