"""Histories: what the steps of a loop gave, where their number is known only when the program runs.

In a program a history is a variable of dtype object and shape (). Under `vmap` it has the batch's shape, but
all examples share one history, whose entries have the batch's axes before their own.

Histories have derivatives, which are histories as well. Zero stands for one whose entries are all zero: that
is what zeros of dtype object are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from transforms.primitive import zeros_of
from transforms.tracer import Opaque
from transforms.types import Array, ArrayType, Shape


class History(Opaque):
    """The entries of all steps, in the order in which the loop's first run took these.

    What NumPy's functions give of an array of shape () is the object in it; so it passes for one.

    Attributes:
        entries: one array for each step.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: list[Array]) -> None:
        self.entries = entries

    def __add__(self, other: Any) -> Any:
        """Return the sums of entries; another history has as many."""
        if isinstance(other, np.ndarray):
            return np.add(boxed(self), other)
        theirs = history_of(other)
        if theirs is None:
            return self
        return History([a + b for a, b in zip(self.entries, theirs.entries, strict=True)])

    __radd__ = __add__

    def __repr__(self) -> str:
        return f"History({len(self.entries)} steps)"


def boxed(value: Any, shape: Shape = ()) -> Array:
    """Return an array of a shape that holds one object everywhere."""
    box = np.empty((), object)
    box[()] = value
    return np.broadcast_to(box, shape) if shape else box


def collected(entries: list[Array], examples: Shape) -> Array:
    """Return the array that stands in a program for the history of these entries."""
    return boxed(History(entries), examples)


def history_of(box: Any) -> Any:
    """Return the history in an array; None if there is none, because it is zero or another branch ran."""
    if isinstance(box, np.ndarray):
        return next((found for x in box.flat if (found := history_of(x)) is not None), None)
    return box if hasattr(type(box), "entries") else None


def replayed(reverse: bool, types: Sequence[tuple[Shape, Any]], *boxes: Array) -> Iterator[tuple[Array, ...]]:
    """Go through histories step by step.

    Args:
        reverse: whether to begin with the last.
        types: shape and dtype of an entry of each.
        *boxes: arrays that hold histories. The first says how many steps there are; none if it is zero.

    Yields:
        the entries of a step.
    """
    histories = [history_of(box) for box in boxes]
    if histories[0] is None:
        return
    columns = [None if history is None else history.entries for history in histories]
    zeros = [zeros_of(ArrayType(*t)) for t in types]
    steps = range(len(columns[0]))  # type: ignore[arg-type]
    for index in reversed(steps) if reverse else steps:
        yield tuple(
            zero if column is None else _spread(column[index], zero.shape)
            for column, zero in zip(columns, zeros, strict=True)
        )


def _spread(entry: Array, shape: Shape) -> Array:
    """Return an entry of a history that was the same for all examples, when they were put together."""
    return entry if entry.shape == shape else np.broadcast_to(entry, shape)
