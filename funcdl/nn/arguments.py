"""Checks of the options that layers are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.errors import message
from transforms.types import Array


def positive_integer(where: str, what: str, value: Any) -> int:
    """Return a size as an int.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is below 1.

    >>> positive_integer("dense", "features", np.int64(3))
    3
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(message(where, what, "be a positive integer", repr(value)))
    if value < 1:
        raise ValueError(message(where, what, "be a positive integer", value))
    return int(value)


def fraction(where: str, what: str, value: Any) -> float:
    """Return a number in [0, 1) as a Python float, which does not promote float32.

    Raises:
        TypeError: it is not a number.
        ValueError: it is out of range.

    >>> fraction("dropout", "rate", np.float64(0.5))
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(message(where, what, "be a number in [0, 1)", repr(value)))
    if not 0 <= value < 1:
        raise ValueError(message(where, what, "be in [0, 1)", value))
    return float(value)


def positive_integers(where: str, what: str, values: Sequence[Any]) -> tuple[int, ...]:
    """Return sizes as a tuple of ints.

    Raises:
        TypeError: it is not a sequence, or a size is not an integer.
        ValueError: there are none, or one is below 1.

    >>> positive_integers("conv", "window", [3, 5])
    (3, 5)
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(message(where, what, "be a tuple of positive integers", repr(values)))
    if not values:
        raise ValueError(message(where, what, "be a tuple of positive integers", "an empty one"))
    return tuple(positive_integer(where, f"each entry of {what}", value) for value in values)


def required_key(where: str, key: Array | None) -> Array:
    """Return the key that a layer draws with while training.

    Raises:
        ValueError: there is none.
    """
    if key is None:
        raise ValueError(
            message(where, "key", "be given while training", None, "pass apply a key made by random.split")
        )
    return key


def check_features(where: str, x: Array, features: int) -> None:
    """Check that the last axis of an array has the length that the parameters were made for.

    Raises:
        ValueError: it has another.
    """
    if x.shape[-1:] != (features,):
        raise ValueError(
            message(
                where,
                "the last axis of x",
                f"have length {features}, as the parameters have",
                f"x of shape {x.shape}",
                "init with an x of the shape that the layer is applied to",
            )
        )
