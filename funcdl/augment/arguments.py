"""Checks of the arguments that the augmentations share."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def check_image(where: str, image: Array, *, channels: int | None = None) -> None:
    """Refuse what is not one image of floating-point numbers.

    Raises:
        TypeError: the image is not floating.
        ValueError: it has not the three axes, or another number of channels.
    """
    found = type_of(image)
    if found.dtype.kind != "f":
        remedy = "divide it, for instance by np.float32(255)"
        raise TypeError(message(where, "the image", "be floating", f"dtype {found.dtype}", remedy))
    if found.ndim != 3:
        remedy = "map over images with augment.batched or vmap" if found.ndim == 4 else "add an axis"
        rule = "have the shape (height, width, channels)"
        raise ValueError(message(where, "the image", rule, f"shape {found.shape}", remedy))
    if channels is not None and found.shape[2] != channels:
        raise ValueError(message(where, "the image", f"have {channels} channels", found.shape[2]))


def pair(where: str, what: str, value: Any, *, least: int) -> tuple[int, int]:
    """Return whole numbers for height and width, from one for both or two.

    Raises:
        ValueError: they are not whole numbers, or too small.
    """
    numbers = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    whole = all(isinstance(number, (int, np.integer)) and number >= least for number in numbers)
    if len(numbers) != 2 or not whole:
        rule = f"be an integer of at least {least}, or two of them: height and width"
        raise ValueError(message(where, what, rule, value))
    return int(numbers[0]), int(numbers[1])


def check_at_least(where: str, what: str, value: float, least: float) -> None:
    """Refuse a number that is too small, or NaN.

    Raises:
        ValueError: it is.
    """
    if not value >= least:
        raise ValueError(message(where, what, f"be at least {least:g}", value))
