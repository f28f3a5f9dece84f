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


def check_callable(transform: str, f: Any, what: str = "f") -> None:
    """Raise `TypeError` unless what is to be transformed, or called, is a function."""
    if not callable(f):
        remedy = "pass the function itself, not what it returns"
        raise TypeError(message(transform, what, "be a function", f"a {type(f).__name__}", remedy))


def split_aux(transform: str, f: Callable[..., Any], out: Any) -> tuple[Any, Any]:
    """Return ``(out, aux)``, which a function returns if ``has_aux`` says so.

    Raises:
        TypeError: it returned something else.
    """
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        what = f"the function {getattr(f, '__name__', repr(f))}"
        raise TypeError(message(transform, what, "return (out, aux) where has_aux is True", described(out)))
    return out[0], out[1]


def described(out: Any) -> str:
    """Return what an error calls something that a function returned."""
    if isinstance(out, (Tracer, np.ndarray)):
        return f"an array of shape {out.shape}"
    return f"a {type(out).__name__}" + (f" of {len(out)}" if isinstance(out, (tuple, list)) else "")


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
