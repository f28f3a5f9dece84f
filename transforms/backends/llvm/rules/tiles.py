"""Matrices that transform tiles of an image and of a filter, so that one product an element convolves them.

Source: the construction by A. Toom (1963) and S. Cook (1966).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from fractions import Fraction
from operator import mul
from typing import NamedTuple

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Wait
from transforms.types import Shape

_POINTS = (0, 1, -1, 2, -2)  # and infinity
SIDE = len(_POINTS) + 1
"""Of a tile of inputs."""

Matrix = tuple[tuple[Fraction, ...], ...]


class Transforms(NamedTuple):
    """The matrices of ``y = result.T @ ((weights @ g) * (inputs @ d))``, a filter's results on some input."""

    inputs: Matrix
    weights: Matrix
    result: Matrix


@functools.cache
def transforms(results: int, weights: int) -> Transforms:
    """Return the matrices for so many results of a filter with so many weights; together a side and one.

    >>> import numpy as np
    >>> t = transforms(4, 3)
    >>> d, g = np.arange(6.0) ** 2, np.array([1.0, 2.0, 4.0])
    >>> inputs, taps, result = (np.array(m, float) for m in t)
    >>> np.allclose(result.T @ ((taps @ g) * (inputs @ d)), np.correlate(d, g))
    True
    """
    points = [Fraction(x) for x in _POINTS]

    def powers(count: int) -> list[tuple[Fraction, ...]]:
        rows = [tuple(x**k for k in range(count)) for x in points]
        return [*rows, tuple(Fraction(int(k == count - 1)) for k in range(count))]

    def without(skipped: int | None) -> tuple[Fraction, ...]:
        """Return the coefficients of the product of ``x - p`` over the other points."""
        coefficients = [Fraction(1)]
        for i, point in enumerate(points):
            if i != skipped:
                shifted = [Fraction(0), *coefficients]
                coefficients = [
                    a - point * b for a, b in zip(shifted, [*coefficients, Fraction(0)], strict=True)
                ]
        return (*coefficients, *[Fraction(0)] * (SIDE - len(coefficients)))

    scales: list[Fraction] = [functools.reduce(mul, (x - y for y in points if y != x)) for x in points]
    scales.append(Fraction(1))
    taps = [tuple(v / scale for v in row) for row, scale in zip(powers(weights), scales, strict=True)]
    inputs = (*(without(i) for i in range(len(points))), without(None))
    return Transforms(inputs, tuple(taps), tuple(powers(results)))


def apply(
    scheduler: Scheduler,
    source: Access,
    shape: Shape,
    strides: tuple[int, ...],
    within: tuple[int, int],
    matrix: Matrix,
    target: Access,
    places: list[int],
    waits: Iterable[Wait] = (),
) -> None:
    """Add a kernel that multiplies each tile by a matrix from both sides.

    Args:
        scheduler: takes the kernel.
        source: where the first tile is.
        shape: lengths of the loops over tiles.
        strides: from tile to tile, for each loop.
        within: strides from row to row of a tile, and from column to column.
        matrix: rows of coefficients, as many columns as the tile has rows.
        target: where the first element of the result goes, with a stride for each loop.
        places: offsets of the elements of a result, row by row.
        waits: what has to be there before.
    """
    while shape[0] == 1:  # units are of the first axis
        shape, strides = shape[1:], strides[1:]
        target = target._replace(strides=target.strides[1:])
    source = source._replace(strides=strides)
    side = len(matrix[0])
    waits = tuple(waits)
    index = scheduler.own_group(shape, [source.buffer, *(wait.buffer for wait in waits)])
    scheduler.wait(index, waits)
    group = scheduler.groups[index]
    dtype = source.buffer.type.dtype
    scheduler.stored.add(source.buffer)
    tile = [
        [
            group.load(source._replace(offset=source.offset + i * within[0] + j * within[1]), dtype)
            for j in range(side)
        ]
        for i in range(side)
    ]
    columns = [_combine(group, matrix, [tile[i][j] for i in range(side)]) for j in range(side)]
    rows = [_combine(group, matrix, [column[i] for column in columns]) for i in range(len(matrix))]
    for place, value in zip(places, (value for row in rows for value in row), strict=True):
        scheduler.store_at(index, value, target._replace(offset=target.offset + place))


def _combine(group: Group, matrix: Matrix, values: list[int]) -> list[int]:
    """Return the products of a matrix with a vector of values."""
    dtype = group.values[values[0]].dtype
    results = []
    for row in matrix:
        total = None
        for coefficient, value in zip(row, values, strict=True):
            if not coefficient:
                continue
            negative = coefficient < 0 and total is not None
            size = -coefficient if negative else coefficient
            if size != 1:
                value = group.apply("multiply", (value, group.number(float(size), dtype)), dtype)
            if total is None:
                total = value
            else:
                total = group.apply("subtract" if negative else "add", (total, value), dtype)
        assert total is not None
        results.append(total)
    return results


def transposed(matrix: Matrix) -> Matrix:
    """Return the columns as rows.

    >>> transposed(((1, 2), (3, 4)))
    ((1, 3), (2, 4))
    """
    return tuple(zip(*matrix, strict=True))
