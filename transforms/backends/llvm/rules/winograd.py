"""Convolutions with windows of three by three in fewer products: one for each element of transformed tiles.

Tiles of four by four results need six by six inputs. Both the input's tiles and the kernel are transformed,
so that a convolution becomes a product of elements, and a sum over channels for each of the 36: 36 products
for 16 results, where the definition takes 144. The sums of each transform are a kernel, and the rest is a
contraction.

Transforms are larger than what they are of: twice for an image, four times for a kernel. So they are laid
out in parts that can be made, used and forgotten one by one: of the examples; or of features and channels,
where images are so small that it is the kernel's transforms that take room.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016), arXiv:1509.09308.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.products import simplify
from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.rules.tiles import SIDE, Matrix, apply, transforms, transposed
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Contraction, DType, Region, Wait
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Variable
from transforms.primitives.convolution import Geometry
from transforms.primitives.window_geometry import Padding
from transforms.types import ArrayType, Shape

_PLACES = SIDE * SIDE
# With fewer channels or features than this the transforms cost more than they save.
_FEWEST = 24
# Features of a part of a convolution, channels of one of a kernel's derivative: transforms stay in cache.
_WIDTH = 32
# Features of a part of a single image, which has no examples to divide by.
_NARROW = 16
# Tiles of a part of the examples, at least: fewer rows would make the contraction slow.
_ROWS = 64
# Tiles of a part of the examples, over which a kernel's derivative is summed: they stay in cache, too.
_SUMMED = 64
# Fewer parts than this are no use for threads.
_FEWEST_PARTS = 4
# Elements of a line of the cache.
_GAP = 16
# To transform a tile of one channel, or back, takes as long as so many products; a kernel's window as so many.
_TRANSFORM, _TRANSFORM_KERNEL = 500, 1000
_UNPADDED = ((0, 0), (0, 0))


class _Images(NamedTuple):
    """Images as tiles, the last of which may reach beyond the images' ends.

    Attributes:
        parts: of the examples, or of the rows of tiles of a single image.
        each: examples of a part.
        across: tiles from top to bottom of an image, or of the part of one.
        along: tiles from side to side.
        single: whether there is but one image.
    """

    parts: int
    each: int
    across: int
    along: int
    single: bool

    @property
    def loops(self) -> Shape:
        """Lengths of the loops over all tiles."""
        return self[:4]

    @property
    def tiles(self) -> int:
        """How many tiles a part has."""
        return self.each * self.across * self.along

    @property
    def divisible(self) -> int:
        """How many examples, or rows of tiles, could each be a part."""
        return self.across if self.single else self.each

    @property
    def height(self) -> int:
        """How many rows the tiles of an image cover."""
        return 4 * self.across * (self.parts if self.single else 1)

    @property
    def width(self) -> int:
        """How many columns the tiles of an image cover."""
        return 4 * self.along

    def divided(self, parts: int) -> _Images:
        """Return the same images, of which all are one part, in so many parts."""
        if self.single:
            return self._replace(parts=parts, across=self.across // parts)
        return self._replace(parts=parts, each=self.each // parts)

    def strides(self, by_example: int, by_row: int, by_column: int) -> tuple[int, ...]:
        """Return the strides of the loops over all tiles."""
        by_part = 4 * self.across * by_row if self.single else self.each * by_example
        return by_part, by_example, 4 * by_row, 4 * by_column


def _images(examples: int, height: int, width: int) -> _Images:
    return _Images(1, examples, -(-height // 4), -(-width // 4), examples == 1)


class _Transformed(NamedTuple):
    """Transforms, ``[parts, places, rows, columns]``.

    Between the places is a gap: powers of two apart, they would all be in the same few lines of the cache.

    Attributes:
        buffer: where they are.
        parts: what is made and used one by one.
        rows: tiles, or channels of a kernel.
        columns: channels or features.
    """

    buffer: Variable
    parts: int
    rows: int
    columns: int

    @property
    def of_place(self) -> int:
        """How many elements a place has."""
        return self.rows * self.columns + _GAP

    @property
    def of_part(self) -> int:
        """How many elements a part has."""
        return _PLACES * self.of_place

    @property
    def places(self) -> list[int]:
        """Where each place begins."""
        return [place * self.of_place for place in range(_PLACES)]

    def access(self, *strides: int) -> Access:
        """Return the access along strides."""
        return Access(self.buffer, 0, strides)


def _transformed(parts: int, rows: int, columns: int, dtype: DType) -> _Transformed:
    buffer = Variable(ArrayType((parts, _PLACES, rows * columns + _GAP), dtype))
    return _Transformed(buffer, parts, rows, columns)


def saves_products(window: Shape, geometry: Geometry, result: Variable) -> bool:
    """Say whether a window, or the result for one, is three by three, and transforms save time."""
    if len(window) != 4 or {*geometry.strides, *geometry.dilation, geometry.groups} != {1}:
        return False
    if result.type.dtype != np.float32:
        return False
    if window[:2] == (3, 3):
        (examples, *tiled, features), channels = result.type.shape, window[2]
    elif result.type.shape[1:3] == (3, 3):
        (*tiled, examples, features), channels = window, result.type.shape[0]
    else:
        return False
    if min(channels, features) < _FEWEST:
        return False
    tiles = _images(examples, *tiled).tiles
    # For each channel and feature, in products.
    transforming = _TRANSFORM * (tiles / channels + tiles / features) + _TRANSFORM_KERNEL
    return _PLACES * tiles + transforming < 9 * examples * math.prod(tiled)


# --- results, and the inputs' derivatives


def convolve(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, result: Variable) -> None:
    """Add a convolution with a window of three by three."""
    *shape, features = result.type.shape
    images, channels = _images(*shape), x.shape[-1]
    rows = _parts_of_rows(images)
    parts = 1 if images.single and rows > 1 else _feature_parts(images, channels, features)
    if parts == 1:
        images = images.divided(rows)
    taps = _transformed(parts, channels, features // parts, result.type.dtype)
    # Either of the transforms is all there before the other begins, which goes through its parts one by one.
    # So is the input: it is kept for the kernel's derivative anyway, and the transforms would not fit into
    # its band.
    waits = [Wait(x.access.buffer, whole=True), Wait(kernel.access.buffer)]
    if parts == 1:
        _transform_kernel(scheduler, kernel, taps)
        waits.append(Wait(taps.buffer, whole=True))
    padded = _padded(scheduler, x, geometry.padding, images, waits)
    pieces = _transform_images(scheduler, padded, images, transforms(4, 3).inputs, waits)
    if parts > 1:
        _transform_kernel(scheduler, kernel, taps, Wait(pieces.buffer, whole=True))
    products = _multiply(scheduler, pieces, taps)
    _transform_back(scheduler, products, images, result)


def _feature_parts(images: _Images, channels: int, features: int) -> int:
    """Return into how many parts of features a convolution should be divided."""
    parts, rest = divmod(features, _NARROW if images.single else _WIDTH)
    kernel_is_larger = images.tiles * (channels + features) <= 2 * channels * features
    return parts if (kernel_is_larger or images.single) and not rest else 1


def _parts_of_rows(images: _Images) -> int:
    """Return into how many parts of images a convolution should be divided."""
    count = images.divisible
    tiles = images.tiles // count
    fitting = (n for n in range(1, count) if not count % n and n * tiles >= _ROWS)
    parts = count // next(fitting, count)
    return parts if parts >= _FEWEST_PARTS or not images.single else 1


def _multiply(scheduler: Scheduler, pieces: _Transformed, taps: _Transformed) -> _Transformed:
    """Sum over channels; one operand or both have a single part."""
    parts, dtype = max(pieces.parts, taps.parts), pieces.buffer.type.dtype
    products = _transformed(parts, pieces.rows, taps.columns, dtype)
    left, right = (x.of_part if x.parts == parts else 0 for x in (pieces, taps))
    contraction = Contraction(
        (parts, _PLACES),
        (pieces.rows,),
        (pieces.columns,),
        taps.columns,
        pieces.access(left, pieces.of_place, pieces.columns, 1),
        taps.access(right, taps.of_place, taps.columns, 1),
        products.access(products.of_part, products.of_place, products.columns, 1),
        dtype,
    )
    # Parts stay in the stack, where each is a unit.
    scheduler.contract(contraction if parts > 1 else simplify(contraction))
    return products


def _transform_kernel(scheduler: Scheduler, kernel: Region, taps: _Transformed, *waits: Wait) -> None:
    """Transform a kernel; rows are channels, columns features."""
    by_row, by_column, by_channel, by_feature = kernel.access.strides
    apply(
        scheduler,
        kernel.access,
        (taps.parts, taps.rows, taps.columns),
        (taps.columns * by_feature, by_channel, by_feature),
        (by_row, by_column),
        transforms(4, 3).weights,
        taps.access(taps.of_part, taps.columns, 1),
        taps.places,
        waits,
    )


def _transform_back(scheduler: Scheduler, products: _Transformed, images: _Images, result: Variable) -> None:
    """Make results of their tiles."""
    parts = products.parts // images.parts
    shape = (parts, *result.type.shape[:-1], products.columns)
    by_example, by_row, by_column, _ = contiguous_strides(result.type.shape)
    whole_result = Region(Access(result, 0, (products.columns, by_example, by_row, by_column, 1)), shape)
    if shape[2:4] == (images.height, images.width):
        _make_tiles(scheduler, products, images, whole_result)
        return
    tiled_shape = (*shape[:2], images.height, images.width, products.columns)
    tiled = whole(Variable(ArrayType(tiled_shape, result.type.dtype)))
    _make_tiles(scheduler, products, images, tiled)
    if parts > 1:
        scheduler.write(Region(tiled.access, shape), whole_result)
    else:
        access = tiled.access._replace(strides=tiled.access.strides[1:])
        scheduler.element_of(Region(access, shape[1:]), result)


def _make_tiles(scheduler: Scheduler, products: _Transformed, images: _Images, target: Region) -> None:
    """Make tiles of results, ``[parts of features, examples, height, width, features of a part]``."""
    columns, of_part, of_place = products.columns, products.of_part, products.of_place
    of_row = images.along * columns
    by_features, by_example, by_row, by_column, _ = target.access.strides
    apply(
        scheduler,
        products.access(),
        (target.shape[0], *images.loops, columns),
        (of_part, of_part, images.across * of_row, of_row, columns, 1),
        (SIDE * of_place, of_place),
        transposed(transforms(4, 3).result),
        target.access._replace(strides=(by_features, *images.strides(by_example, by_row, by_column), 1)),
        [i * by_row + j * by_column for i in range(4) for j in range(4)],
    )


# --- kernels' derivatives


def correlate(scheduler: Scheduler, x: Region, weights: Region, geometry: Geometry, result: Variable) -> None:
    """Add the derivative by a window of three by three: a filter of three results, as large as the image.

    Args:
        scheduler: takes the steps.
        x: ``[channels, height, width, examples]``, without its padding.
        weights: ``[height, width, examples, features]``.
        geometry: has the padding.
        result: ``[channels, 3, 3, features]``.
    """
    channels, _, _, features = result.type.shape
    height, width, examples, _ = weights.shape
    images, matrices = _images(examples, height, width), transforms(3, 4)
    parts = _parts_of_sums(images, channels, features)
    images = images.divided(parts)
    # The cotangent is all there before: its transforms would not fit into the band that makes it.
    waits = [Wait(x.access.buffer), Wait(weights.access.buffer, whole=True)]
    padded = _padded(scheduler, _turned(x, 3, 1, 2, 0), geometry.padding, images, waits)
    filled = _padded(scheduler, _turned(weights, 2, 0, 1, 3), _UNPADDED, images, waits, 0)
    pieces = _transform_images(scheduler, padded, images, matrices.inputs, waits)
    taps = _transform_images(scheduler, filled, images, matrices.weights, waits)
    if parts > 1:
        products = _sum_by_examples(scheduler, pieces, taps)
        partial = Variable(ArrayType((parts, *result.type.shape), result.type.dtype))
        _transform_sums(scheduler, products, whole(partial).access)
        scheduler.total(whole(partial), result)
    else:
        products = _sum_by_channels(scheduler, pieces, taps)
        of_channel, *rest = contiguous_strides(result.type.shape)
        _transform_sums(
            scheduler, products, Access(result, 0, (products.rows * of_channel, of_channel, *rest))
        )


def _turned(x: Region, *order: int) -> Region:
    """Return a region with its axes in another order."""
    access = x.access._replace(strides=tuple(x.access.strides[axis] for axis in order))
    return Region(access, tuple(x.shape[axis] for axis in order))


def _parts_of_sums(images: _Images, channels: int, features: int) -> int:
    """Return into how many parts of images sums are divided, which are not more than what they sum."""
    largest = images.tiles * (channels + features) // (channels * features)
    most = min(images.tiles // _SUMMED, images.divisible, largest)
    parts = next((n for n in range(most, 0, -1) if not images.divisible % n), 1)
    return parts if parts >= _FEWEST_PARTS else 1


def _sum_by_examples(scheduler: Scheduler, pieces: _Transformed, taps: _Transformed) -> _Transformed:
    """Sum over the tiles of each part; rows are then channels, columns features."""
    products = _transformed(pieces.parts, pieces.columns, taps.columns, pieces.buffer.type.dtype)
    contraction = Contraction(
        (pieces.parts, _PLACES),
        (products.rows,),
        (pieces.rows,),
        products.columns,
        pieces.access(pieces.of_part, pieces.of_place, 1, pieces.columns),
        taps.access(taps.of_part, taps.of_place, taps.columns, 1),
        products.access(products.of_part, products.of_place, products.columns, 1),
        pieces.buffer.type.dtype,
    )
    scheduler.contract(contraction)
    return products


def _sum_by_channels(scheduler: Scheduler, pieces: _Transformed, taps: _Transformed) -> _Transformed:
    """Sum over all tiles; rows are then the channels of a part, columns features."""
    parts, rest = divmod(pieces.columns, _WIDTH)
    if rest:
        parts = 1
    products = _transformed(parts, pieces.columns // parts, taps.columns, pieces.buffer.type.dtype)
    contraction = Contraction(
        (parts, _PLACES),
        (products.rows,),
        (pieces.rows,),
        products.columns,
        pieces.access(products.rows, pieces.of_place, 1, pieces.columns),
        taps.access(0, taps.of_place, taps.columns, 1),
        products.access(products.of_part, products.of_place, products.columns, 1),
        pieces.buffer.type.dtype,
    )
    # Parts stay in the stack, where each is a unit.
    scheduler.contract(contraction if parts > 1 else simplify(contraction))
    return products


def _transform_sums(scheduler: Scheduler, products: _Transformed, target: Access) -> None:
    """Make kernels' derivatives, which are at strides for parts, channels, rows and columns."""
    of_part, of_channel, by_row, by_column, _ = target.strides
    apply(
        scheduler,
        products.access(),
        (products.parts, products.rows, products.columns),
        (products.of_part, products.columns, 1),
        (SIDE * products.of_place, products.of_place),
        transposed(transforms(3, 4).result),
        target._replace(strides=(of_part, of_channel, 1)),
        [i * by_row + j * by_column for i in range(3) for j in range(3)],
    )


# --- both


def _padded(
    scheduler: Scheduler, x: Region, padding: Padding, images: _Images, waits: list[Wait], beyond: int = 2
) -> Region:
    """Return images with zeros around them: as large as their tiles, and what these read beyond."""
    covered = (images.height + beyond, images.width + beyond)
    sides = zip(padding, x.shape[1:3], covered, strict=True)
    padding = tuple((low, end - low - n) for (low, _), n, end in sides)
    if not images.single or images.parts == 1:
        return spread_out(scheduler, x, 1, padding, (1, 1), 0, waits=waits)
    # Units are of the first axis, and a single image is large.
    (still, *strides), (one, *shape) = x.access.strides, x.shape
    image = Region(x.access._replace(strides=tuple(strides)), tuple(shape))
    access, shape = spread_out(scheduler, image, 0, padding, (1, 1), 0, waits=waits)
    return Region(access._replace(strides=(still, *access.strides)), (one, *shape))


def _transform_images(
    scheduler: Scheduler, x: Region, images: _Images, matrix: Matrix, waits: list[Wait]
) -> _Transformed:
    """Transform the tile at each fourth place of images; rows are tiles, columns channels."""
    channels = x.shape[-1]
    pieces = _transformed(images.parts, images.tiles, channels, x.access.buffer.type.dtype)
    of_row = images.along * channels
    by_example, by_row, by_column, by_channel = x.access.strides
    apply(
        scheduler,
        x.access,
        (*images.loops, channels),
        (*images.strides(by_example, by_row, by_column), by_channel),
        (by_row, by_column),
        matrix,
        pieces.access(pieces.of_part, images.across * of_row, of_row, channels, 1),
        pieces.places,
        waits,
    )
    return pieces
