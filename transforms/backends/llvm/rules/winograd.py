"""Convolutions with windows of three by three in fewer products: one for each element of transformed tiles.

Tiles of four by four results need six by six inputs. Both the input's tiles and the kernel are transformed,
so that a convolution becomes a product of elements, and a sum over channels for each of the 36: 36 products
for 16 results, where the definition takes 144. The sums of each transform are a kernel, and the rest is a
contraction.

Transforms are larger than what they are of: twice for an image, four times for a kernel. So they are laid
out in parts that can be made, used and forgotten one by one: of the examples; of rows of tiles, where images
are large; or of features and channels, where images are so small that it is the kernel's transforms that take
room. Where tiles reach beyond images, results are made of all tiles, and what belongs to images is copied.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016), arXiv:1509.09308.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.products import simplify
from transforms.backends.llvm.rules.images import STEP, Images, as_tiles, padded_parts
from transforms.backends.llvm.rules.tiles import SIDE, Matrix, apply, transforms, transposed
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Contraction, DType, Region, Wait
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Variable
from transforms.primitives.convolution import Geometry
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
# Images are cut if they have more tiles than this, times channels and features: a part should stay in cache.
_LARGE = 1 << 15
# Elements of a line of the cache.
_GAP = 16
# To transform a tile of one channel, or back, takes as long as so many products, as does a kernel's window.
_TRANSFORM, _TRANSFORM_KERNEL = 250, 500
# The least part of the time that has to be saved, for the sums are a little less exact, and take memory.
_SAVED = 0.2


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
    tiles = as_tiles(examples, *tiled).tiles
    # In products, for each channel and feature.
    transforming = _TRANSFORM * (tiles / channels + tiles / features) + _TRANSFORM_KERNEL
    defined = 9 * examples * math.prod(tiled)
    return _PLACES * tiles + transforming < (1 - _SAVED) * defined


# --- results, and the inputs' derivatives


def convolve(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, result: Variable) -> None:
    """Add a convolution with a window of three by three."""
    *shape, features = result.type.shape
    images, channels = as_tiles(*shape), x.shape[-1]
    images = _cut(images, channels, features)
    parts = 1 if images.cuts > 1 else _feature_parts(images, channels, features)
    if parts == images.cuts == 1:
        images = images.divided(_example_parts(images))
    taps = _transformed(parts, channels, features // parts, result.type.dtype)
    # Either of the transforms is all there before the other begins, which goes through its parts one by one.
    # So is the input: it is kept for the kernel's derivative anyway, and the transforms would not fit into
    # its band.
    waits = [Wait(x.access.buffer, whole=True), Wait(kernel.access.buffer)]
    if parts == 1:
        _transform_kernel(scheduler, kernel, taps)
        waits.append(Wait(taps.buffer, whole=True))
    padded = padded_parts(scheduler, x, _before(geometry), 2, images, waits)
    pieces = _transform_images(scheduler, padded, images, transforms(4, 3).inputs, waits)
    if parts > 1:
        _transform_kernel(scheduler, kernel, taps, Wait(pieces.buffer, whole=True))
    products = _multiply(scheduler, pieces, taps)
    _transform_back(scheduler, products, images, result)


def _cut(images: Images, channels: int, features: int, most: int | None = None) -> Images:
    """Return images that are cut into parts of some rows of tiles, at most so many, if they are large."""
    if images.across * images.along * (channels + features) <= _LARGE or most == 0:
        return images
    # Each part reads the kernel's transform: its own should not be smaller.
    least = -(-max(_ROWS, channels * features // (channels + features)) // images.along)
    if most is not None:
        least = max(least, -(-images.each * images.across // most))
    # If all parts have as many rows, no tiles lie outside of the image.
    whole_parts = (n for n in range(least, min(2 * least, images.across) + 1) if not images.across % n)
    cut = images.cut(next(whole_parts, least))
    return cut if cut.cuts > 1 and cut.parts >= _FEWEST_PARTS else images


def _feature_parts(images: Images, channels: int, features: int) -> int:
    """Return into how many parts of features a convolution should be divided."""
    is_single = images.each == 1
    parts, rest = divmod(features, _NARROW if is_single else _WIDTH)
    kernel_is_larger = images.tiles * (channels + features) <= 2 * channels * features
    return parts if (kernel_is_larger or is_single) and not rest else 1


def _example_parts(images: Images) -> int:
    """Return into how many parts of examples a convolution should be divided."""
    tiles = images.across * images.along
    fitting = (n for n in range(1, images.each) if not images.each % n and n * tiles >= _ROWS)
    return images.each // next(fitting, images.each)


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


def _transform_back(scheduler: Scheduler, products: _Transformed, images: Images, result: Variable) -> None:
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


def _make_tiles(scheduler: Scheduler, products: _Transformed, images: Images, target: Region) -> None:
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
    images, matrices = as_tiles(examples, height, width), transforms(3, 4)
    images = _parts_of_sums(images, channels, features)
    # The cotangent is all there before: its transforms would not fit into the band that makes it.
    waits = [Wait(x.access.buffer), Wait(weights.access.buffer, whole=True)]
    padded = padded_parts(scheduler, _turned(x, 3, 1, 2, 0), _before(geometry), 2, images, waits)
    filled = padded_parts(scheduler, _turned(weights, 2, 0, 1, 3), (0, 0), 0, images, waits)
    pieces = _transform_images(scheduler, padded, images, matrices.inputs, waits)
    taps = _transform_images(scheduler, filled, images, matrices.weights, waits)
    if images.parts > 1:
        products = _sum_by_examples(scheduler, pieces, taps)
        partial = Variable(ArrayType((images.parts, *result.type.shape), result.type.dtype))
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


def _parts_of_sums(images: Images, channels: int, features: int) -> Images:
    """Return images in the parts over which sums are made; these are not more than what they sum."""
    largest = images.tiles * (channels + features) // (channels * features)
    cut = _cut(images, channels, features, largest // 4)
    if cut.cuts > 1:
        return cut
    most = min(images.tiles // _SUMMED, images.each, largest)
    parts = next((n for n in range(most, 0, -1) if not images.each % n), 1)
    return images.divided(parts) if parts >= _FEWEST_PARTS else images


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


def _before(geometry: Geometry) -> tuple[int, int]:
    """Return how many rows and columns of zeros there are before an image."""
    (above, _), (left, _) = geometry.padding
    return above, left


def _transform_images(
    scheduler: Scheduler, x: Region, images: Images, matrix: Matrix, waits: list[Wait]
) -> _Transformed:
    """Transform the tiles of parts of images; rows are then tiles, columns channels."""
    channels = x.shape[-1]
    pieces = _transformed(images.parts, images.tiles, channels, x.access.buffer.type.dtype)
    of_row = images.along * channels
    by_part, by_example, by_row, by_column, by_channel = x.access.strides
    apply(
        scheduler,
        x.access,
        (*images.loops, channels),
        (by_part, by_example, STEP * by_row, STEP * by_column, by_channel),
        (by_row, by_column),
        matrix,
        pieces.access(pieces.of_part, images.across * of_row, of_row, channels, 1),
        pieces.places,
        waits,
    )
    return pieces
