"""What all sources of batches have in common: epochs, and positions in them that are values."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from funcdl.data.arguments import integer
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class Position(NamedTuple):
    """A place in a sequence of batches: what has been given before it, and what comes next.

    It is a tree of numbers and of one array: it can be pickled, and `funcdl.checkpoints` writes it to a
    file and reads it back.

    Attributes:
        epoch: number of the epoch, at least 0.
        batch: index of the next batch in its epoch: the number of batches that lie before this place.
        key: random key of the order of the examples, uint32 of shape (2,), or None: as they lie in the
            arrays.
    """

    epoch: int
    batch: int
    key: Array | None


class BatchIterator(Iterator[Tree]):
    """The rest of an epoch, batch by batch; made by `Loader.at` and `Loader.epoch`."""

    def __init__(self, loader: Loader, position: Position) -> None:
        self._loader = loader
        self._epoch = position.epoch
        self._position = _beginning_of_next(position) if position.batch == len(loader) else position

    @property
    def position(self) -> Position:
        """The place of the next batch; after the last one, the beginning of the next epoch."""
        return self._position

    def __next__(self) -> Tree:
        """Return the next batch."""
        if self._position.epoch != self._epoch:
            raise StopIteration
        batch, self._position = self._loader.next(self._position)
        return batch

    def close(self) -> None:
        """Let go of what works in the background; there is nothing unless the batches are prefetched."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Loader(abc.ABC):
    """A source of batches, in epochs: `batches` makes one, and `padded`, `mapped`, ... make one of another.

    It holds no position. Which batch comes depends on the position alone, so that ``at(position)`` goes
    on exactly where a run left off, in this process or another one. One of your own defines ``start``,
    ``__len__`` and ``next``; the rest follows.
    """

    @property
    @abc.abstractmethod
    def start(self) -> Position:
        """The position of the first batch of epoch 0."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    @abc.abstractmethod
    def next(self, position: Position) -> tuple[Tree, Position]:
        """Return the batch at a position, and the position after it.

        Args:
            position: of a batch, so ``position.batch`` is below ``len(self)``.

        Returns:
            A tree of arrays, which may not be written to, and a position. After the last batch of an
            epoch comes the first one of the next: there is no end.

        Raises:
            TypeError: the position has an epoch or a batch that is not an integer.
            ValueError: there is no such batch.
        """

    def at(self, position: Position) -> BatchIterator:
        """Iterate over the rest of an epoch.

        Args:
            position: where to begin, such as the ``position`` of another iterator.

        Returns:
            An iterator of trees that ends with the epoch. Its ``position`` tells where the next call
            begins.

        Raises:
            TypeError: the position has an epoch or a batch that is not an integer.
            ValueError: there is no such position.
        """
        where = f"{type(self).__name__}.at"
        epoch = integer(where, "the position's epoch", position.epoch, least=0)
        batch = integer(where, "the position's batch", position.batch, least=0)
        self._check_at_most_all(where, "the position's batch", batch)
        return self._iterator(Position(epoch, batch, position.key))

    def epoch(self, epoch: int, *, start: int = 0) -> BatchIterator:
        """Iterate over the batches of an epoch.

        Args:
            epoch: number of the epoch, at least 0. With a key, each epoch has an order of its own.
            start: index of the first batch to give, from 0 to ``len(self)``.

        Returns:
            An iterator of trees. The arrays of a batch are views where the data is not shuffled, and
            may not be written to.

        Raises:
            TypeError: an argument is not an integer.
            ValueError: an argument is out of range.
        """
        where = f"{type(self).__name__}.epoch"
        epoch = integer(where, "the epoch", epoch, least=0)
        start = integer(where, "start", start, least=0)
        self._check_at_most_all(where, "start", start)
        return self._iterator(Position(epoch, start, self.start.key))

    def __iter__(self) -> BatchIterator:
        """Iterate over the batches of epoch 0."""
        return self.epoch(0)

    def _iterator(self, position: Position) -> BatchIterator:
        return BatchIterator(self, position)

    def _check_at_most_all(self, where: str, what: str, index: int) -> None:
        if index > len(self):
            raise ValueError(message(where, what, f"be at most {len(self)}, the number of batches", index))


def following(position: Position, length: int) -> Position:
    """Return the position of the next batch, in epochs of the given length.

    >>> following(Position(0, 1, None), 3), following(Position(0, 2, None), 3)
    (Position(epoch=0, batch=2, key=None), Position(epoch=1, batch=0, key=None))
    """
    after = position._replace(batch=position.batch + 1)
    return _beginning_of_next(position) if after.batch == length else after


def of_batch(where: str, position: Position, length: int) -> Position:
    """Return a position with Python integers, if a batch lies there.

    Raises:
        TypeError: the epoch or the batch is not an integer.
        ValueError: there is no such batch.
    """
    epoch = integer(where, "the position's epoch", position.epoch, least=0)
    batch = integer(where, "the position's batch", position.batch, least=0)
    if batch >= length:
        rule = f"be below {length}, the number of batches"
        raise ValueError(message(where, "the position's batch", rule, batch))
    return Position(epoch, batch, position.key)


def _beginning_of_next(position: Position) -> Position:
    return Position(position.epoch + 1, 0, position.key)
