"""Images as tiles of four by four places, in parts that are transformed and forgotten one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Gather, Region, Wait
from transforms.backends.llvm.views import whole
from transforms.graph.ir import Variable
from transforms.types import ArrayType, Shape

STEP = 4
"""From tile to tile."""


class Images(NamedTuple):
    """How images are divided into tiles, the last of which may reach beyond the images' ends.

    Attributes:
        parts: how many there are of all images.
        each: examples of a part.
        cuts: how many parts each image is cut into; if there is more than one, a part has one example.
        across: tiles from top to bottom of an image, or of the part of one.
        along: tiles from side to side.
    """

    parts: int
    each: int
    cuts: int
    across: int
    along: int

    @property
    def loops(self) -> Shape:
        """Lengths of the loops over all tiles: parts, examples of a part, rows and columns."""
        return self.parts, self.each, self.across, self.along

    @property
    def tiles(self) -> int:
        """How many tiles a part has."""
        return self.each * self.across * self.along

    @property
    def height(self) -> int:
        """How many rows the tiles of an image cover."""
        return STEP * self.across * self.cuts

    @property
    def width(self) -> int:
        """How many columns the tiles of an image cover."""
        return STEP * self.along

    def divided(self, parts: int) -> Images:
        """Return the same images, of which all are one part, in so many parts of whole images."""
        return self._replace(parts=parts, each=self.each // parts)

    def cut(self, rows: int) -> Images:
        """Return the same images, of which all are one part, each cut into parts of so many rows of tiles."""
        cuts = -(-self.across // rows)
        return Images(self.each * cuts, 1, cuts, rows, self.along)

    def strides(self, by_example: int, by_row: int, by_column: int) -> tuple[int, ...]:
        """Return the strides of the loops over all tiles; cut images must follow each other by rows."""
        by_part = STEP * self.across * by_row if self.cuts > 1 else self.each * by_example
        return by_part, by_example, STEP * by_row, STEP * by_column


def as_tiles(examples: int, height: int, width: int) -> Images:
    """Return images as one part."""
    return Images(1, examples, 1, -(-height // STEP), -(-width // STEP))


def padded_parts(
    scheduler: Scheduler, x: Region, low: tuple[int, int], beyond: int, images: Images, waits: list[Wait]
) -> Region:
    """Return parts of images with zeros around them, ``[parts, examples, height, width, channels]``.

    Args:
        scheduler: takes the steps.
        x: ``[examples, height, width, channels]``.
        low: rows above an image, and columns before it.
        beyond: how far tiles read beyond their places.
        images: the parts.
        waits: what has to be there before.
    """
    _, height, width, channels = x.shape
    by_example, by_row = x.access.strides[:2]
    is_whole = (height, width, *low, beyond) == (images.height, images.width, 0, 0, 0)
    if images.cuts > 1:
        if not is_whole or by_example != height * by_row:
            return _cut(scheduler, x, low, beyond, images, waits)
        by_part = STEP * images.across * by_row
    else:
        ends = images.height + beyond, images.width + beyond
        sides = zip(low, ends, (height, width), strict=True)
        padding = tuple((before, end - before - n) for before, end, n in sides)
        x = spread_out(scheduler, x, 1, padding, (1, 1), 0, waits=waits)
        by_part = images.each * x.access.strides[0]
    shape = images.parts, images.each, x.shape[1] // images.cuts, x.shape[2], channels
    return Region(x.access._replace(strides=(by_part, *x.access.strides)), shape)


def _cut(
    scheduler: Scheduler, x: Region, low: tuple[int, int], beyond: int, images: Images, waits: list[Wait]
) -> Region:
    """Copy each part with the rows beside it that its tiles read, so that no part needs another's copy."""
    examples, height, width, channels = x.shape
    by_example, by_row, by_column, by_channel = x.access.strides
    rows, dtype = STEP * images.across + beyond, x.access.buffer.type.dtype
    buffer = Variable(ArrayType((images.parts, rows, images.width + beyond, channels), dtype))
    first = STEP * images.across * np.arange(images.cuts) - low[0]
    seen = first[:, None] + np.arange(rows)
    is_inside = np.broadcast_to((seen >= 0) & (seen < height), (examples, *seen.shape))
    begins = by_example * np.arange(examples)[:, None, None] + by_row * np.clip(seen, 0, height - 1)
    scheduler.write(0, whole(buffer), waits=tuple(waits))
    shape = images.parts, rows, width, channels
    index = scheduler.own_group(shape, [x.access.buffer, *(wait.buffer for wait in waits)])
    scheduler.wait(index, waits)
    scheduler.stored.add(x.access.buffer)
    group = scheduler.groups[index]
    of_row = [
        scheduler.read(index, whole(scheduler.constant(table.reshape(images.parts, rows, 1, 1))), table.dtype)
        for table in (is_inside, begins)
    ]
    element = Gather(x.access._replace(strides=(0, 0, by_column, by_channel)), ((of_row[1], 1),), dtype)
    value = group.apply("where", (of_row[0], group.add(element), group.number(0.0, dtype)), dtype)
    target = whole(buffer).access
    scheduler.store_at(index, value, target._replace(offset=low[1] * channels))
    by_part, *strides = target.strides
    return Region(target._replace(strides=(by_part, 0, *strides)), (images.parts, 1, *buffer.type.shape[1:]))
