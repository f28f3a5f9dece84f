"""A last batch that is as long as the others, so that a compiled step is traced once."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from funcdl.data.arguments import examples, integer
from funcdl.data.batches import Batches
from funcdl.data.loader import Loader, Position
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class Masked(NamedTuple):
    """A batch of which not all examples count.

    Attributes:
        batch: tree of arrays.
        mask: 1 for each example of the data and 0 for each that only fills up, float32 of shape (size,).
            The mean of a loss over the examples is ``np.sum(mask * loss) / np.sum(mask)``.
    """

    batch: Tree
    mask: Array


def pad(batch: Tree, size: int) -> Masked:
    """Make a batch longer by copies of its last example.

    Copies, and not zeros: whatever is computed of them is as finite as it is for the data, so that zero
    times it is zero.

    Args:
        batch: tree of arrays of the same length, at least 1.
        size: number of examples to have, at least that many.

    Returns:
        The batch and its mask.

    Raises:
        TypeError: the size is not an integer.
        ValueError: the batch is empty, its arrays differ in length, or it has more examples than ``size``.

    >>> pad(np.array([5.0, 6.0]), 4)
    Masked(batch=array([5., 6., 6., 6.]), mask=array([1., 1., 0., 0.], dtype=float32))
    """
    batch, length = examples("pad", batch)
    size = integer("pad", "size", size, least=1)
    if length > size:
        rule = f"be at least {length}, the number of examples"
        raise ValueError(message("pad", "size", rule, size))
    mask = (np.arange(size) < length).astype(np.float32)
    if length == size:
        return Masked(batch, mask)
    rows = np.minimum(np.arange(size), length - 1)
    return Masked(tree.map(lambda leaf: leaf[rows], batch), mask)


@dataclasses.dataclass(frozen=True, eq=False)
class Padded(Loader):
    """Batches of one size, each with a mask; made by `padded`.

    Attributes:
        batches: what is padded.
    """

    batches: Batches

    @property
    def start(self) -> Position:
        """The position of the first batch of epoch 0."""
        return self.batches.start

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.batches)

    def next(self, position: Position) -> tuple[Masked, Position]:
        """Return the masked batch at a position, and the position after it; see `Loader.next`."""
        batch, position = self.batches.next(position)
        size = self.batches.batch_size // self.batches.shard_count
        if len(tree.leaves(batch)[0]):
            return pad(batch, size), position
        # The last batch of the epoch has ended in the shards before this one.
        first = pad(tree.map(lambda leaf: leaf[:1], self.batches.arrays), size)
        return Masked(first.batch, np.zeros(size, np.float32)), position


def padded(batches: Loader) -> Padded:
    """Return batches that all have the same size, and a mask that tells which examples count.

    The last batch of an epoch is filled up with copies of its last example. Every batch is a `Masked`, so
    that a function compiled by `jit` sees one type only.

    Args:
        batches: made by `funcdl.data.batches`.

    Raises:
        TypeError: they are not.

    >>> from funcdl.data import batches
    >>> [batch.tolist() for batch, mask in padded(batches(np.arange(5), 2))]
    [[0, 1], [2, 3], [4, 4]]
    >>> [mask.tolist() for batch, mask in padded(batches(np.arange(5), 2))]
    [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    """
    if not isinstance(batches, Batches):
        remedy = "pad first, then map and prefetch"
        raise TypeError(message("padded", "batches", "be data.batches(...)", type(batches).__name__, remedy))
    return Padded(batches)
