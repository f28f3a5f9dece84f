"""Mini-batches and splits of data that lies in arrays.

Data is a tree of arrays with one entry per example along their first axes: ``(x, y)``, or
``{"image": ..., "label": ...}``. A batch is a tree of the same structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from funcdl import random
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Batches:
    """A view of data as epochs of mini-batches; made by `batches`.

    It holds no position. Which examples a batch has depends on the key, the epoch and the batch's index
    in the epoch alone, so that ``epoch(e, start=i)`` goes on exactly where a run left off, in this
    process or another one.

    Attributes:
        arrays: tree of arrays, as read-only views of those it was made from.
        size: number of examples.
        batch_size: number of examples in a batch, except perhaps the last one.
        key: random key of the order of the examples, or None: as they lie in the arrays.
        drop_last: whether the examples that do not fill a batch are left out.
    """

    arrays: Tree
    size: int
    batch_size: int
    key: Array | None
    drop_last: bool

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(self.size, self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[Tree]:
        """Iterate over the batches of epoch 0."""
        return self.epoch(0)

    def __repr__(self) -> str:
        order = "in order" if self.key is None else "shuffled"
        return f"Batches({self.size} examples, {order}, {len(self)} batches of {self.batch_size})"

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Tree]:
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

        >>> data = batches(np.arange(5), 2)
        >>> list(data.epoch(0, start=1))
        [array([2, 3]), array([4])]
        """
        epoch = _integer("Batches.epoch", "the epoch", epoch, least=0)
        start = _integer("Batches.epoch", "start", start, least=0)
        if start > len(self):
            rule = f"be at most {len(self)}, the number of batches"
            raise ValueError(message("Batches.epoch", "start", rule, start))
        return self._batches_of(epoch, start)

    def _batches_of(self, epoch: int, start: int) -> Iterator[Tree]:
        leaves, structure = tree.flatten(self.arrays)
        order = None
        if self.key is not None:
            order = random.permutation(random.fold_in(self.key, epoch), self.size).astype(np.intp)
        for index in range(start, len(self)):
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
            if order is None:
                batch = [leaf[rows] for leaf in leaves]
            else:
                batch = [leaf.take(order[rows], axis=0) for leaf in leaves]
            yield tree.unflatten(structure, batch)


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
    arrays, size = _examples("batches", arrays)
    batch_size = _integer("batches", "batch_size", batch_size, least=1)
    if drop_last and batch_size > size:
        rule = f"be at most {size}, the number of examples, with drop_last=True"
        raise ValueError(message("batches", "batch_size", rule, batch_size, "there would be no batch"))
    if key is not None:
        random.fold_in(key, 0)  # raises here, not in the first epoch, if this is no key
    return Batches(arrays, size, batch_size, key, drop_last)


def train_test_split(arrays: Tree, test_fraction: float, *, key: Array) -> tuple[Tree, Tree]:
    """Divide data at random into two parts.

    Args:
        arrays: tree of arrays of the same length.
        test_fraction: share of the second part, in (0, 1). Its number of examples is rounded.
        key: random key.

    Returns:
        Two trees of new arrays, for training and for testing; no example is in both.

    Raises:
        ValueError: the data is empty or its arrays differ in length, the fraction is out of range, or
            a part would be empty.

    >>> train, test = train_test_split({"x": np.arange(10)}, 0.3, key=random.key(0))
    >>> len(train["x"]), len(test["x"])
    (7, 3)
    """
    arrays, size = _examples("train_test_split", arrays)
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(message("train_test_split", "test_fraction", "be in (0, 1)", test_fraction))
    test_size = round(size * test_fraction)
    if not 0 < test_size < size:
        got = f"{size - test_size} and {test_size} of them with test_fraction={test_fraction}"
        raise ValueError(message("train_test_split", "both parts", "have examples", got))
    order = random.permutation(key, size)
    train, test = order[test_size:], order[:test_size]
    return tree.map(lambda leaf: leaf[train], arrays), tree.map(lambda leaf: leaf[test], arrays)


def _examples(where: str, arrays: Tree) -> tuple[Tree, int]:
    """Return the arrays, protected from writing, and their common length."""
    leaves, structure = tree.flatten(arrays)
    paths = [f"the array at {path!r}" if path else "the array" for path in tree.paths(arrays)]
    views = [np.asarray(leaf).view() for leaf in leaves]
    for path, leaf, view in zip(paths, leaves, views, strict=True):
        if view.ndim == 0:
            remedy = "a list is a tree of its elements: make it an array"
            raise ValueError(message(where, path, "be an array with one entry per example", leaf, remedy))
        if len(view) != len(views[0]):
            got = f"{len(views[0])} for {paths[0]} and {len(view)} for {path}"
            raise ValueError(message(where, "all arrays", "have the same length", got))
        view.flags.writeable = False
    if not views or len(views[0]) == 0:
        raise ValueError(message(where, "the data", "have at least one example", "none"))
    return tree.unflatten(structure, views), len(views[0])


def _integer(where: str, what: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(message(where, what, "be an integer", repr(value)))
    if value < least:
        raise ValueError(message(where, what, f"be at least {least}", value))
    return int(value)
