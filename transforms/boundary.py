"""What crosses the boundary between a user's function and a transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.tracer import Tracer
from transforms.types import Array


def as_array(leaf: Any) -> Array:
    """Return a leaf of an argument as something with a shape and a dtype: a tracer or an array."""
    return leaf if isinstance(leaf, (Tracer, np.ndarray)) else np.asarray(leaf)


def check_outputs(transform: str, f: Callable[..., Any], out: Any, leaves: list[Any]) -> None:
    """Raise `TypeError` unless a function's output is a tree of arrays."""
    name = getattr(f, "__name__", repr(f))
    if out is None:
        raise TypeError(
            message(transform, f"the function {name}", "return an array", "None", "add a return statement")
        )
    for index, leaf in enumerate(leaves):
        if not isinstance(leaf, _ARRAYS):
            path = tree.paths(out)[index]
            place = f"the output of {name}" + (f" at {path!r}" if path else "")
            raise TypeError(
                message(transform, place, "be an array", type(leaf).__name__, "return it through has_aux")
            )


_ARRAYS = (Tracer, np.ndarray, np.generic, int, float, complex)
