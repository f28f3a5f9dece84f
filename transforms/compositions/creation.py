"""Arrays made from traced numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.primitives.declare import promoted_dtype
from transforms.primitives.known_values import known_values
from transforms.tracer import Tracer
from transforms.types import Array, Shape


def array(object: Any, dtype: Any = None) -> Array:
    """Return an array of numbers, of arrays, or of nested lists and tuples of them, traced or not.

    Args:
        object: any shape; what it holds must be of equal shapes. Python numbers promote weakly, so
            that a list of float32 values and Python numbers makes a float32 array.
        dtype: of the result, if not the promoted one.

    Returns:
        An array with an axis for each level of nesting, before the axes of the innermost elements.

    >>> array([[1.0, np.float32(2.0)], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    leaves = _leaves(object)
    if not any(isinstance(leaf, Tracer) for leaf in leaves):
        arrays = [leaf.dtype for leaf in leaves if hasattr(leaf, "dtype")]
        weak = promoted_dtype(*leaves) if arrays and dtype is None else dtype
        return np.array(object, weak)
    return _stack(object, promoted_dtype(*leaves) if dtype is None else np.dtype(dtype))


def _leaves(nested: Any) -> list[Any]:
    if isinstance(nested, (list, tuple)):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


def _stack(nested: Any, dtype: np.dtype[Any]) -> Array:
    if isinstance(nested, (list, tuple)):
        return np.stack([_stack(part, dtype) for part in nested])
    return nested.astype(dtype) if isinstance(nested, Tracer) else np.asarray(nested, dtype)


def asarray(a: Any, dtype: Any = None) -> Array:
    """Return an array, traced or not, as it is, and anything else as `array` does.

    Args:
        a: any shape.
        dtype: to cast to.

    >>> asarray(np.ones(2), np.float32)
    array([1., 1.], dtype=float32)
    """
    if isinstance(a, (Tracer, np.ndarray)):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    return array(a, dtype)


def full(shape: int | Shape, fill_value: Any, dtype: Any = None) -> Array:
    """Return an array of equal values, or of rows that are equal.

    Args:
        shape: of the result.
        fill_value: a value, traced or not, that broadcasts to the shape.
        dtype: of the result, if not the value's.

    >>> full((2, 2), np.array([1.0, 2.0]))
    array([[1., 2.],
           [1., 2.]])
    """
    value = asarray(fill_value, dtype)
    return np.broadcast_to(value, shape) if isinstance(value, Tracer) else np.full(shape, value)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Array:
    """Return ``start + step * i`` for ``i = 0, 1, ...`` while that is before ``stop``.

    The number of elements comes from the values, so these must be known, as they are under `grad` and
    `jvp`; the derivatives are in ``start`` and ``step``.

    Args:
        start: the first element; ``stop``, if that is not given, and then the first element is 0.
        stop: not reached.
        step: not zero.
        dtype: of the result, if not the promoted one.

    Returns:
        An array of one axis.

    Raises:
        ConcreteValueError: the values are not known, as under `vmap` and `jit`.

    >>> arange(1.0, 2.0, 0.25)
    array([1.  , 1.25, 1.5 , 1.75])
    """
    if stop is None:
        start, stop = 0, start
    remedy = "use np.linspace with a fixed number of elements, or step * np.arange(n)"
    first, last, distance = (
        known_values("transforms.numpy.arange", "the number of elements", x, remedy).item()
        for x in (start, stop, step)
    )
    count = max(math.ceil((last - first) / distance), 0)
    if dtype is None:
        dtype = promoted_dtype(start, stop, step)
    return asarray(start + step * np.arange(count), dtype)
