"""Checks of the options that layers are made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


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


def array_type(where: str, x: Any) -> ArrayType:
    """Return the type of the example batch that a layer is made for.

    Raises:
        TypeError: it is no array.
    """
    if not hasattr(x, "shape"):
        remedy = "give an example batch, such as np.zeros((8, 4), np.float32)"
        got = f"a {type(x).__name__}"
        raise TypeError(message(where, "x", "be an array or an ArrayType", got, remedy))
    return type_of(x)


def check_params(where: str, params: Tree, names: Sequence[str]) -> None:
    """Check that parameters have the entries that a layer made.

    Raises:
        ValueError: an entry is missing.
    """
    if not isinstance(params, Mapping) or not all(name in params for name in names):
        size = f" with {list(params)}" if isinstance(params, Mapping) else ""
        rule = f"be a dict with {' and '.join(names)}"
        got = f"a {type(params).__name__}{size}"
        raise ValueError(message(where, "params", rule, got, "take what init gave"))


def check_entries(where: str, what: str, entries: Any, count: int) -> None:
    """Check that params or state of several layers have one entry for each.

    Raises:
        ValueError: they have not.
    """
    if not isinstance(entries, (tuple, list)) or len(entries) != count:
        got = (
            f"a {type(entries).__name__} of length {len(entries)}" if hasattr(entries, "__len__") else entries
        )
        raise ValueError(
            message(
                where,
                what,
                f"be a tuple of {count} entries, one for each layer",
                got,
                "take what init gave",
            )
        )


def check_inputs(where: str, params: Tree, x: Any, names: Sequence[str]) -> None:
    """Check what a layer is applied to: that params have its entries, as `check_params`, and x is an array.

    Raises:
        TypeError: the input is no array.
        ValueError: an entry is missing.
    """
    check_params(where, params, names)
    if not hasattr(x, "shape"):
        got = f"a {type(x).__name__}"
        raise TypeError(message(where, "x", "be an array", got, "convert it with np.asarray(x, np.float32)"))


def check_fits_kernel(where: str, x: Array, kernel: Array) -> None:
    """Check that the last axis of an array is as long as the first of the matrix that it is multiplied by.

    Raises:
        ValueError: it is not.
    """
    if x.shape[-1:] != kernel.shape[:1]:
        raise ValueError(
            message(
                where,
                "the last axis of x",
                "be as long as the first of the kernel",
                f"x of shape {x.shape} and a kernel of shape {kernel.shape}",
                "init with an x of the shape that the layer is applied to",
            )
        )


def check_initializer(where: str, what: str, initializer: Any) -> None:
    """Check that an initializer is a function.

    Raises:
        TypeError: it is not.
    """
    if not callable(initializer):
        remedy = "take one of funcdl.initializers, such as lecun_normal()"
        raise TypeError(
            message(where, what, "be a function of (key, shape, dtype)", repr(initializer), remedy)
        )


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


def check_sequence(name: str, x: Array | ArrayType) -> None:
    """Check that an input is a batch of sequences.

    Raises:
        ValueError: it has other than three axes.
    """
    if len(x.shape) != 3:
        raise ValueError(message(name, "x", "have the shape (batch, length, features)", f"shape {x.shape}"))


def with_mask(where: str, x: Any) -> tuple[Any, Any]:
    """Return ``(x, mask)``, with None for no mask.

    Raises:
        TypeError: the input is a tuple of other than two.
    """
    if not isinstance(x, (tuple, list)):
        return x, None
    if len(x) != 2:
        raise TypeError(message(where, "the input", "be x or (x, mask)", f"a tuple of length {len(x)}"))
    return x[0], x[1]
