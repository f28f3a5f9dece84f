"""Mini-batches of data that lies in arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from funcdl import random
from funcdl.data.arguments import examples, integer
from funcdl.data.loader import Loader, Position, following, of_batch
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class RecentOrders:
    """The orders of the examples in the epochs that were last asked for, so that a batch costs its rows."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._recent: tuple[tuple[int, Array, Array], ...] = ()

    def order(self, epoch: int, key: Array) -> Array:
        """Return the indices of the examples in the order of an epoch."""
        for known_epoch, known_key, known in self._recent:
            if known_epoch == epoch and (known_key is key or np.array_equal(known_key, key)):
                return known
        order = random.permutation(random.fold_in(key, epoch), self._size).astype(np.intp)
        # Two, because one iterator may run ahead into the next epoch while another is in this one.
        self._recent = ((epoch, key, order), *self._recent[:1])
        return order

    def __reduce__(self) -> tuple[Any, ...]:
        return RecentOrders, (self._size,)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Batches(Loader):
    """A view of data as epochs of mini-batches; made by `batches`.

    It holds no position. Which examples a batch has depends on the key, the epoch and the batch's index
    in the epoch alone, so that ``at(position)`` and ``epoch(e, start=i)`` go on exactly where a run left
    off, in this process or another one.

    Attributes:
        arrays: tree of arrays, as read-only views of those it was made from.
        size: number of examples.
        batch_size: number of examples in a batch, except perhaps the last one; of all shards together.
        key: random key of the order of the examples, or None: as they lie in the arrays.
        drop_last: whether the examples that do not fill a batch are left out.
        shard_index: which part of each batch this is, see `sharded`.
        shard_count: number of parts of a batch.
    """

    arrays: Tree
    size: int
    batch_size: int
    key: Array | None
    drop_last: bool
    shard_index: int = 0
    shard_count: int = 1
    _orders: RecentOrders = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_orders", RecentOrders(self.size))

    @property
    def start(self) -> Position:
        """The position of the first batch of epoch 0."""
        return Position(0, 0, self.key)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(self.size, self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __repr__(self) -> str:
        order = "in order" if self.key is None else "shuffled"
        shard = "" if self.shard_count == 1 else f", shard {self.shard_index} of {self.shard_count}"
        return f"Batches({self.size} examples, {order}, {len(self)} batches of {self.batch_size}{shard})"

    def next(self, position: Position) -> tuple[Tree, Position]:
        """Return the batch at a position, and the position after it.

        Args:
            position: of a batch, so ``position.batch`` is below ``len(self)``. Its key, not that of
                these batches, tells the order.

        Returns:
            A tree of arrays, which may not be written to, and a position. After the last batch of an
            epoch comes the first one of the next: there is no end.

        Raises:
            TypeError: the position has an epoch or a batch that is not an integer.
            ValueError: there is no such batch.

        >>> data = batches(np.arange(5), 2)
        >>> batch, position = data.next(data.start)
        >>> batch, position
        (array([0, 1]), Position(epoch=0, batch=1, key=None))
        """
        position = of_batch("Batches.next", position, len(self))
        rows = self._rows(position.batch)
        if position.key is None:
            batch = tree.map(lambda leaf: leaf[rows], self.arrays)
        else:
            chosen = self._orders.order(position.epoch, position.key)[rows]
            batch = tree.map(lambda leaf: _gathered(leaf, chosen), self.arrays)
        return batch, following(position, len(self))

    def _rows(self, index: int) -> slice:
        share = self.batch_size // self.shard_count
        first = index * self.batch_size + self.shard_index * share
        return slice(min(first, self.size), min(first + share, self.size))


def batches(arrays: Tree, batch_size: int, *, key: Array | None = None, drop_last: bool = False) -> Batches:
    """Return a view of data as epochs of mini-batches.

    Args:
        arrays: tree of arrays of the same length. Nothing is copied here, so a memory map may be larger
            than the memory.
        batch_size: number of examples in a batch, at least 1.
        key: random key; in each epoch the examples are shuffled with ``fold_in(key, epoch)``. Without it
            they come as they lie in the arrays.
        drop_last: whether to leave out the examples that do not fill a batch, instead of a last batch
            that is shorter.

    Raises:
        TypeError: ``batch_size`` is not an integer.
        ValueError: the data is empty or its arrays differ in length, ``batch_size`` is below 1, or it is
            above the number of examples with ``drop_last``, which would leave no batch.

    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> data = batches((x, y), 2, key=random.key(0))
    >>> data
    Batches(5 examples, shuffled, 3 batches of 2)
    >>> for epoch in range(2):
    ...     for x_batch, y_batch in data.epoch(epoch):
    ...         assert x_batch.shape == (len(y_batch), 2)
    """
    arrays, size = examples("batches", arrays)
    batch_size = integer("batches", "batch_size", batch_size, least=1)
    if drop_last and batch_size > size:
        rule = f"be at most {size}, the number of examples, with drop_last=True"
        raise ValueError(message("batches", "batch_size", rule, batch_size, "there would be no batch"))
    if key is not None:
        random.fold_in(key, 0)  # raises here, not in the first epoch, if this is no key
    return Batches(arrays, size, batch_size, key, drop_last)


def _gathered(leaf: Array, rows: Array) -> Array:
    # `take` is faster, but copies the whole of an array that is not contiguous, such as windows of a corpus.
    return leaf.take(rows, axis=0) if leaf.flags.c_contiguous else leaf[rows]
