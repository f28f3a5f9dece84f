"""Checks and conversions of the arguments that the random functions share."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.reuse import use_up
from transforms.errors import message
from transforms.types import Array, Shape, type_of


def check_key(where: str, key: Array) -> None:
    """Refuse what is not one key, or has been used up before, if that is checked.

    Raises:
        TypeError: the key is not an array of uint32.
        ValueError: the key's shape is not (2,).
        KeyReuseError: it was used before.
    """
    check_is_key(where, key)
    use_up(where, key)


def check_is_key(where: str, key: Array) -> None:
    """Refuse what is not one key.

    Raises:
        TypeError: the key is not an array of uint32.
        ValueError: the key's shape is not (2,).
    """
    found = type_of(key)
    if found.shape == (2,) and found.dtype == np.uint32:
        return
    remedy = "make one with random.key(seed)"
    if found.dtype == np.uint32 and found.shape[-1:] == (2,):
        remedy = "map over many keys with vmap"
    error = ValueError if found.dtype == np.uint32 else TypeError
    raise error(message(where, "key", "be a uint32 array of shape (2,)", found, remedy))


def check_shape(where: str, shape: Any) -> Shape:
    """Return a shape as a tuple of integers.

    Raises:
        TypeError: the shape is not a tuple or list of integers.
        ValueError: a size is negative.
    """
    if not isinstance(shape, (tuple, list)):
        remedy = f"write ({shape},)" if isinstance(shape, int) else ""
        raise TypeError(message(where, "shape", "be a tuple of integers", repr(shape), remedy))
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        raise TypeError(message(where, "shape", "be a tuple of integers", repr(shape))) from None
    if any(size < 0 for size in sizes):
        raise ValueError(message(where, "shape", "have no negative size", sizes))
    return sizes


def broadcast_shape(where: str, shape: Any, *parameters: Shape) -> Shape:
    """Return the shape of a draw: as asked, or what the parameters' shapes broadcast to if that is None.

    Raises:
        ValueError: the parameters do not broadcast to the shape.
    """
    wanted = [] if shape is None else [check_shape(where, shape)]
    try:
        result: Shape | None = np.broadcast_shapes(*parameters, *wanted)
    except ValueError:
        result = None
    if result is None or wanted not in ([], [result]):
        rule = f"broadcast to shape {wanted[0]}" if wanted else "broadcast together"
        raise ValueError(message(where, "the parameters", rule, f"shapes {', '.join(map(str, parameters))}"))
    return result


def float_dtype(where: str, dtype: DTypeLike, what: str = "dtype") -> np.dtype[Any]:
    """Return the dtype if it is a real floating one, else raise TypeError."""
    found = np.dtype(dtype)
    if found.kind != "f" or found.itemsize > 8:
        raise TypeError(message(where, what, "be float16, float32 or float64", found))
    return found


def check_draw(where: str, key: Array, shape: Any, dtype: DTypeLike) -> tuple[Shape, np.dtype[Any]]:
    """Check what every draw of floating-point numbers takes, and return the shape and the dtype."""
    check_key(where, key)
    return check_shape(where, shape), float_dtype(where, dtype)


def check_mode(where: str, mode: str) -> None:
    """Refuse a mode that is neither "low" nor "high" with ValueError."""
    if mode not in ("low", "high"):
        raise ValueError(message(where, "mode", "be 'low' or 'high'", repr(mode)))


def check_axis(where: str, axis: int, rank: int) -> int:
    """Return the axis counted from the front, or raise ValueError if there is none such."""
    if not -rank <= axis < rank:
        raise ValueError(message(where, "axis", f"be in [{-rank}, {rank})", axis))
    return axis % rank


def as_dtype(x: Array, dtype: DTypeLike) -> Array:
    """Return a number, an array or a tracer as an array of the given dtype."""
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


def is_concrete(*arrays: Array) -> bool:
    """Whether the values are there to be looked at, that is, none of the arrays is a tracer."""
    return all(isinstance(array, (np.ndarray, np.generic, int, float)) for array in arrays)
