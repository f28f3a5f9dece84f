"""Checks of the options that layers are made with."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.errors import message


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
