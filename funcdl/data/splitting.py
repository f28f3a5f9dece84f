"""Data divided at random into a part to learn from and a part to test on."""

from __future__ import annotations

from funcdl import random
from funcdl.data.arguments import examples
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


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

    >>> import numpy as np
    >>> train, test = train_test_split({"x": np.arange(10)}, 0.3, key=random.key(0))
    >>> len(train["x"]), len(test["x"])
    (7, 3)
    """
    arrays, size = examples("train_test_split", arrays)
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(message("train_test_split", "test_fraction", "be in (0, 1)", test_fraction))
    test_size = round(size * test_fraction)
    if not 0 < test_size < size:
        got = f"{size - test_size} and {test_size} of them with test_fraction={test_fraction}"
        raise ValueError(message("train_test_split", "both parts", "have examples", got))
    order = random.permutation(key, size)
    train, test = order[test_size:], order[:test_size]
    return tree.map(lambda leaf: leaf[train], arrays), tree.map(lambda leaf: leaf[test], arrays)
