"""A function of every batch, such as an augmentation, with a random key that follows from the position."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from funcdl import random
from funcdl.data.loader import Loader, Position
from transforms.tree import Tree
from transforms.types import Array


@dataclasses.dataclass(frozen=True, eq=False)
class Mapped(Loader):
    """Batches with a function applied to each; made by `mapped`.

    Attributes:
        batches: the batches before.
        function: of a batch, or of a key and a batch.
        key: random key, or None.
    """

    batches: Loader
    function: Callable[..., Tree]
    key: Array | None = None

    @property
    def start(self) -> Position:
        """The position of the first batch of epoch 0."""
        return self.batches.start

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.batches)

    def next(self, position: Position) -> tuple[Tree, Position]:
        """Return the result for the batch at a position, and the position after it; see `Loader.next`."""
        batch, after = self.batches.next(position)
        if self.key is None:
            return self.function(batch), after
        key = random.fold_in(random.fold_in(self.key, position.epoch), position.batch)
        return self.function(key, batch), after


def mapped(batches: Loader, function: Callable[..., Tree], *, key: Array | None = None) -> Mapped:
    """Return batches with a function applied to each.

    Args:
        batches: the batches before.
        function: ``function(batch)``, or with a key ``function(key, batch)``. It must be pure, so that a
            run that goes on at a position sees what it would have seen.
        key: random key; batch ``i`` of epoch ``e`` gets ``fold_in(fold_in(key, e), i)``. Processes that
            have a shard each fold their number into it.

    Raises:
        TypeError, ValueError: the key is not one.

    >>> import numpy as np
    >>> from funcdl.data import batches
    >>> list(mapped(batches(np.arange(4), 2), lambda batch: 10 * batch))
    [array([ 0, 10]), array([20, 30])]
    >>> noise = lambda key, batch: batch + random.normal(key, batch.shape)
    >>> noisy = mapped(batches(np.zeros(4, np.float32), 2), noise, key=random.key(0))
    >>> [batch.shape for batch in noisy]
    [(2,), (2,)]
    """
    if key is not None:
        random.fold_in(key, 0)  # raises here, not in the first epoch, if this is no key
    return Mapped(batches, function, key)
