"""Checks of the numbers that an optimizer or a schedule is made with.

A concrete number comes back as a Python float, because NumPy does not promote to that (an ``np.float64``
would turn float32 parameters into float64). A traced scalar comes back as it is, unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def number(where: str, what: str, value: Any) -> Any:
    """Return a finite real number as a float.

    Args:
        where: the callable to name in an error.
        what: what the number is.
        value: a Python or NumPy scalar, or a tracer.

    Raises:
        TypeError: ``value`` is not a real scalar.
        ValueError: ``value`` is out of range.

    >>> number("scale", "the factor", np.float64(2))
    2.0
    """
    return _checked(where, what, value, "be finite", math.isfinite)


def non_negative(where: str, what: str, value: Any) -> Any:
    """Like `number`, in [0, inf)."""
    return _checked(where, what, value, "be in [0, inf)", lambda x: 0.0 <= x < math.inf)


def positive(where: str, what: str, value: Any) -> Any:
    """Like `number`, in (0, inf)."""
    return _checked(where, what, value, "be in (0, inf)", lambda x: 0.0 < x < math.inf)


def fraction(where: str, what: str, value: Any) -> Any:
    """Like `number`, in [0, 1): a rate of decay."""
    return _checked(where, what, value, "be in [0, 1)", lambda x: 0.0 <= x < 1.0)


def steps(where: str, what: str, value: Any, *, least: int) -> int:
    """Return a number of steps as an int.

    Raises:
        TypeError: ``value`` is not an integer.
        ValueError: ``value`` is below ``least``.

    >>> steps("schedules.warmup", "warmup_steps", 10, least=0)
    10
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(message(where, what, "be an integer", repr(value)))
    if value < least:
        raise ValueError(message(where, what, f"be at least {least}", value))
    return int(value)


def unpromoting(value: Array) -> Any:
    """Return a concrete scalar as a Python float, and a traced one as it is."""
    return float(value) if isinstance(value, (float, int, np.generic, np.ndarray)) else value


def is_zero(value: Any) -> bool:
    """Whether a number is known to be 0, so that what it multiplies can be left out."""
    return isinstance(value, float) and value == 0.0


def _checked(where: str, what: str, value: Any, rule: str, holds: Callable[[float], bool]) -> Any:
    shape, dtype = type_of(value)
    if shape != () or dtype.kind not in "iuf":
        raise TypeError(message(where, what, "be a real number", repr(value)))
    value = unpromoting(value)
    if isinstance(value, float) and not holds(value):
        raise ValueError(message(where, what, rule, value))
    return value
