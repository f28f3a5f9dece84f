"""Batches made ahead of time, on a thread."""

from __future__ import annotations

import collections
import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from funcdl.data.arguments import integer
from funcdl.data.loader import BatchIterator, Loader, Position
from transforms.tree import Tree

Pulled: TypeAlias = tuple[Tree, Position] | None


class PrefetchIterator(BatchIterator):
    """The rest of an epoch, whose next batches are made on a thread while one is used.

    The thread ends with the epoch, with an error, with `close`, at the end of a ``with`` block, or when
    nobody refers to the iterator any more.
    """

    def __init__(self, loader: Loader, position: Position, ahead: int) -> None:
        source = BatchIterator(loader, position)
        self._source = source
        self._position = source.position
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="funcdl-prefetch")
        # The work refers to the source and not to this iterator, which can so be collected meanwhile.
        pulls = (self._executor.submit(_pull, source) for _ in range(ahead))
        self._futures: collections.deque[Future[Pulled]] = collections.deque(pulls)

    def __next__(self) -> Tree:
        """Return the next batch, as soon as it is made."""
        if not self._futures:
            raise StopIteration
        try:
            pulled = self._futures.popleft().result()
        except BaseException:
            self.close()
            raise
        if pulled is None:
            self.close()
            raise StopIteration
        batch, self._position = pulled
        self._futures.append(self._executor.submit(_pull, self._source))
        return batch

    def close(self) -> None:
        """End the thread, and wait until it has; the batches that were made ahead are dropped."""
        self._futures.clear()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __del__(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


@dataclasses.dataclass(frozen=True, eq=False)
class Prefetched(Loader):
    """Batches that a thread makes ahead of time; made by `prefetched`.

    Attributes:
        batches: what is made ahead.
        ahead: number of batches.
    """

    batches: Loader
    ahead: int

    @property
    def start(self) -> Position:
        """The position of the first batch of epoch 0."""
        return self.batches.start

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.batches)

    def next(self, position: Position) -> tuple[Tree, Position]:
        """Return the batch at a position, made here and now, and the position after it."""
        return self.batches.next(position)

    def _iterator(self, position: Position) -> BatchIterator:
        return PrefetchIterator(self.batches, position, self.ahead)


def prefetched(batches: Loader, *, ahead: int = 2) -> Prefetched:
    """Return the same batches, made ahead of time on a thread while the last one is used.

    NumPy lets other threads run while it works on large arrays, and so does reading of files. Order and
    positions are those of ``batches``: an iterator's ``position`` counts what was taken from it, not what
    was made ahead. An error in the thread is raised where its batch would have come.

    Args:
        batches: the batches to make. They are made on one thread, in order.
        ahead: number of batches to have ready, at least 1; as many more are in memory.

    Raises:
        TypeError: ``ahead`` is not an integer.
        ValueError: it is below 1.

    >>> import numpy as np
    >>> from funcdl.data import batches
    >>> with prefetched(batches(np.arange(6), 2)).epoch(0) as iterator:
    ...     first = next(iterator)
    >>> first, iterator.position
    (array([0, 1]), Position(epoch=0, batch=1, key=None))
    """
    return Prefetched(batches, integer("prefetched", "ahead", ahead, least=1))


def _pull(source: BatchIterator) -> Pulled:
    for batch in source:
        return batch, source.position
    return None
