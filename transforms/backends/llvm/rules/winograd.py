"""Convolutions with windows of three by three in fewer products: one for each element of transformed tiles.

Tiles of four by four results need six by six inputs. Both the input's tiles and the kernel are transformed,
so that a convolution becomes a product of elements, and a sum over channels for each of the 36: 36 products
for 16 results, where the definition takes 144. The sums of each transform are a kernel, and the rest is a
contraction.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016), arXiv:1509.09308; the
matrices come from the construction by A. Toom (1963) and S. Cook (1966).
"""

from __future__ import annotations

import functools
from fractions import Fraction
from operator import mul
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.products import simplify
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Contraction, Region
from transforms.backends.llvm.views import contiguous_strides
from transforms.graph.ir import Variable
from transforms.types import ArrayType, Shape

_POINTS = (0, 1, -1, 2, -2)  # and infinity
_SIDE = len(_POINTS) + 1  # of a tile of inputs
_PLACES = _SIDE * _SIDE
# With fewer channels or features than this the transforms cost more than they save.
_FEWEST = 24

Matrix = tuple[tuple[Fraction, ...], ...]


class Transforms(NamedTuple):
    """The matrices of ``y = result.T @ ((weights @ g) * (inputs @ d))``, a filter's results on some input."""

    inputs: Matrix
    weights: Matrix
    result: Matrix


@functools.cache
def transforms(results: int, weights: int) -> Transforms:
    """Return the matrices for so many results of a filter with so many weights; together a side and one.

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
        return (*coefficients, *[Fraction(0)] * (_SIDE - len(coefficients)))

    scales: list[Fraction] = [functools.reduce(mul, (x - y for y in points if y != x)) for x in points]
    scales.append(Fraction(1))
    taps = [tuple(v / scale for v in row) for row, scale in zip(powers(weights), scales, strict=True)]
    inputs = (*(without(i) for i in range(len(points))), without(None))
    return Transforms(inputs, tuple(taps), tuple(powers(results)))


def is_worth_it(channels: int, features: int, dtype: np.dtype[np.generic]) -> bool:
    """Say whether the products that are saved are more than the transforms cost."""
    return dtype == np.float32 and min(channels, features) >= _FEWEST


def convolve(scheduler: Scheduler, x: Region, kernel: Region, result: Variable) -> None:
    """Add a convolution with a window of three by three; the padded input holds whole tiles."""
    examples, height, width, features = result.type.shape
    channels = x.shape[-1]
    across, along = height // 4, width // 4
    matrices = transforms(4, 3)
    pieces = _transformed_pieces(scheduler, x, (examples, across, along, channels), matrices.inputs, 4)
    taps = Variable(ArrayType((_PLACES, channels, features), result.type.dtype))
    kernel_rows, kernel_columns, *rest = kernel.access.strides
    _apply(
        scheduler,
        kernel.access,
        (channels, features),
        tuple(rest),
        (kernel_rows, kernel_columns),
        matrices.weights,
        Access(taps, 0, contiguous_strides(taps.type.shape)[1:]),
        [place * channels * features for place in range(_PLACES)],
    )
    tiles = across * along
    products = Variable(ArrayType((examples, _PLACES, tiles, features), result.type.dtype))
    contraction = Contraction(
        (_PLACES,),
        (examples, tiles),
        (channels,),
        features,
        Access(pieces, 0, (tiles * channels, _PLACES * tiles * channels, channels, 1)),
        Access(taps, 0, (channels * features, features, 1)),
        Access(products, 0, (tiles * features, _PLACES * tiles * features, features, 1)),
        result.type.dtype,
    )
    scheduler.contract(simplify(contraction))
    out = contiguous_strides(result.type.shape)
    _apply(
        scheduler,
        Access(products, 0, ()),
        (examples, across, along, features),
        (_PLACES * tiles * features, along * features, features, 1),
        (_SIDE * tiles * features, tiles * features),
        _transposed(matrices.result),
        Access(result, 0, (out[0], 4 * out[1], 4 * out[2], 1)),
        [i * out[1] + j * out[2] for i in range(4) for j in range(4)],
    )


def correlate(scheduler: Scheduler, x: Region, weights: Region, result: Variable) -> None:
    """Add the derivative by a window of three by three: a filter of three results, as large as the image.

    Args:
        scheduler: takes the steps.
        x: ``[channels, height + 2, width + 2, examples]``.
        weights: ``[height, width, examples, features]``, whole tiles of four by four.
        result: ``[channels, 3, 3, features]``.
    """
    channels, _, _, features = result.type.shape
    height, width, examples, _ = weights.shape
    across, along = height // 4, width // 4
    matrices = transforms(3, 4)
    dtype = result.type.dtype
    by_channel, by_row, by_column, by_example = x.access.strides
    turned = Region(
        x.access._replace(strides=(by_example, by_row, by_column, by_channel)),
        (examples, *x.shape[1:3], channels),
    )
    pieces = _transformed_pieces(scheduler, turned, (examples, across, along, channels), matrices.inputs, 4)
    by_row, by_column, by_example, by_feature = weights.access.strides
    turned = Region(
        weights.access._replace(strides=(by_example, by_row, by_column, by_feature)),
        (examples, height, width, features),
    )
    taps = _transformed_pieces(scheduler, turned, (examples, across, along, features), matrices.weights, 4)
    tiles = across * along
    products = Variable(ArrayType((_PLACES, channels, features), dtype))
    contraction = Contraction(
        (_PLACES,),
        (channels,),
        (examples, tiles),
        features,
        Access(pieces, 0, (tiles * channels, 1, _PLACES * tiles * channels, channels)),
        Access(taps, 0, (tiles * features, _PLACES * tiles * features, features, 1)),
        Access(products, 0, (channels * features, features, 1)),
        dtype,
    )
    scheduler.contract(simplify(contraction))
    out = contiguous_strides(result.type.shape)
    _apply(
        scheduler,
        Access(products, 0, ()),
        (channels, features),
        (features, 1),
        (_SIDE * channels * features, channels * features),
        _transposed(matrices.result),
        Access(result, 0, (out[0], 1)),
        [i * out[1] + j * out[2] for i in range(3) for j in range(3)],
    )


def _transformed_pieces(scheduler: Scheduler, x: Region, shape: Shape, matrix: Matrix, step: int) -> Variable:
    """Transform the tile at each step along an image, to ``[examples, places, tiles, channels]``."""
    examples, across, along, channels = shape
    tiles = across * along
    pieces = Variable(ArrayType((examples, _PLACES, tiles, channels), x.access.buffer.type.dtype))
    by_example, by_row, by_column, by_channel = x.access.strides
    _apply(
        scheduler,
        x.access,
        shape,
        (by_example, step * by_row, step * by_column, by_channel),
        (by_row, by_column),
        matrix,
        Access(pieces, 0, (_PLACES * tiles * channels, along * channels, channels, 1)),
        [place * tiles * channels for place in range(_PLACES)],
    )
    return pieces


def _apply(
    scheduler: Scheduler,
    source: Access,
    shape: Shape,
    strides: tuple[int, ...],
    within: tuple[int, int],
    matrix: Matrix,
    target: Access,
    places: list[int],
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
    """
    source = source._replace(strides=strides)
    side = len(matrix[0])
    index = scheduler.own_group(shape, [source.buffer])
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


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))
