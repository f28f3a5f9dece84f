"""One part of each batch for each of several processes."""

from __future__ import annotations

import dataclasses

from funcdl.data.arguments import integer
from funcdl.data.batches import Batches
from funcdl.data.loader import Loader
from funcdl.data.padding import Padded
from transforms.errors import message


def sharded(batches: Loader, index: int, count: int) -> Batches | Padded:
    """Return the part of every batch that is for one of several processes.

    All processes make the same batches, with the same key, and take a part each. The parts of one batch,
    one after the other, are that batch: training on them together is training on it. All have the same
    number of batches, so that no process waits for another in vain.

    Args:
        batches: made by `funcdl.data.batches` or `padded`.
        index: which part, from 0 to ``count - 1``; the number of this process.
        count: number of parts, a divisor of the batch size.

    Returns:
        Batches of ``batch_size // count`` examples.

    Raises:
        TypeError: ``batches`` is something else, or a number is not an integer.
        ValueError: the index is out of range, the count does not divide the batch size, or the last
            batch is shorter than the others and not padded.

    >>> import numpy as np
    >>> from funcdl.data import batches
    >>> [list(sharded(batches(np.arange(8), 4), index, 2)) for index in range(2)]
    [[array([0, 1]), array([4, 5])], [array([2, 3]), array([6, 7])]]
    """
    if isinstance(batches, Padded):
        return Padded(_part(batches.batches, index, count))
    if not isinstance(batches, Batches):
        rule, got = "be data.batches(...) or data.padded(...)", type(batches).__name__
        raise TypeError(message("sharded", "batches", rule, got, "shard first, then map and prefetch"))
    if batches.size % batches.batch_size and not batches.drop_last:
        got = f"{batches.size % batches.batch_size} examples in the last batch of {batches.batch_size}"
        remedy = "use drop_last=True, or shard data.padded(batches)"
        raise ValueError(message("sharded", "all batches", "be of the same size", got, remedy))
    return _part(batches, index, count)


def _part(batches: Batches, index: int, count: int) -> Batches:
    count = integer("sharded", "count", count, least=1)
    index = integer("sharded", "index", index, least=0)
    if index >= count:
        raise ValueError(message("sharded", "index", f"be below {count}, the count", index))
    if batches.shard_count != 1:
        raise ValueError(message("sharded", "batches", "be whole", f"{batches}"))
    if batches.batch_size % count:
        raise ValueError(message("sharded", "count", f"divide the batch size {batches.batch_size}", count))
    return dataclasses.replace(batches, shard_index=index, shard_count=count)
