"""Lowerings of casts, and of what is the identity to a program."""

from __future__ import annotations

from typing import Any

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import LOWERINGS, lower
from transforms.types import Array

LOWERINGS["astype"] = cast
LOWERINGS["truncate"] = cast


@lower("stop_gradient")
def _stop_gradient(x: Array) -> Array:
    return x


@lower("name")
def _name(x: Array, tag: Any) -> Array:
    return x
