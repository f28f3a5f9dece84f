"""What functions of spatial axes have in common: where these axes stand, and options for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.errors import message
from transforms.types import Array


def spatial_rank(where: str, x: Array) -> int:
    """Return how many axes stand between the examples and the channels.

    Raises:
        ValueError: there are none.
    """
    rank: int = x.ndim - 2
    if rank < 1:
        raise ValueError(
            message(where, "x", "have the shape (batch, *spatial, channels)", f"shape {x.shape}", "add axes")
        )
    return rank


def for_each_axis(where: str, what: str, value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """Return one positive number for each spatial axis, from one for all or a sequence.

    Raises:
        ValueError: a number is not a positive integer, or there are more or fewer than axes.
    """
    numbers = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
    if len(numbers) != rank or not all(isinstance(n, (int, np.integer)) and n > 0 for n in numbers):
        raise ValueError(
            message(where, what, f"be a positive integer or {rank} of them, one a spatial axis", value)
        )
    return tuple(int(n) for n in numbers)


def check_padding_name(where: str, padding: Any, names: Sequence[str]) -> None:
    """Refuse padding by a name that is none.

    Raises:
        ValueError: it is a string, but none of the names.
    """
    if isinstance(padding, str) and padding not in names:
        rule = f"be {', '.join(map(repr, names))} or a pair for each spatial axis"
        raise ValueError(message(where, "padding", rule, repr(padding)))


def border_pairs(where: str, what: str, value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Return a pair of numbers (before, after) for each spatial axis.

    Args:
        where: the callable to name in an error.
        what: the option to name in an error.
        value: one number for all ends, or for each axis a number for both ends or a pair.
        rank: how many spatial axes there are.

    Raises:
        ValueError: a number is negative or no integer, or there are more or fewer than axes.
    """
    whole = (int, np.integer)
    entries = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    pairs = tuple(tuple(entry) if isinstance(entry, Sequence) else (entry, entry) for entry in entries)
    if len(pairs) != rank or not all(
        len(pair) == 2 and all(isinstance(n, whole) and n >= 0 for n in pair) for pair in pairs
    ):
        raise ValueError(
            message(where, what, f"be a number of elements, or a pair for each of {rank} spatial axes", value)
        )
    return tuple((int(before), int(after)) for before, after in pairs)
