"""Drawing from given elements or categories, and shuffling them."""

from __future__ import annotations

import math
import operator

import numpy as np

from funcdl.random.arguments import (
    broadcast_shape,
    check_axis,
    check_key,
    check_mode,
    check_shape,
    float_dtype,
    is_concrete,
)
from funcdl.random.continuous import gumbel
from funcdl.random.discrete import randint
from funcdl.random.keys import split
from funcdl.random.threefry import draw_bits
from funcdl.random.uniforms import uniform
from transforms.errors import message
from transforms.types import Array, Shape, type_of

# Length of the runs that XLA adds up one by one in a cumulative sum on a CPU.
RUN_LENGTH = 16


def permutation(key: Array, x: Array, axis: int = 0, independent: bool = False) -> Array:
    """Shuffle the slices of an array along an axis, or a range of integers.

    Args:
        key: uint32 array of shape (2,).
        x: an array of at least one axis, or a number ``n`` that stands for ``0, ..., n - 1``.
        axis: the axis to shuffle along.
        independent: whether each vector along the axis is shuffled by itself, rather than all alike.

    Returns:
        Array of the shape and dtype of ``x``, or int32 array of shape ``(n,)``.

    Raises:
        TypeError: the key is not one, or ``x`` is neither an array nor an integer.
        ValueError: ``x`` is a negative number, or has no such axis.

    >>> permutation(np.array([0, 42], np.uint32), 5)
    array([4, 2, 3, 0, 1], dtype=int32)
    """
    where = "random.permutation"
    check_key(where, key)
    if type_of(x).ndim == 0:
        return _shuffle(key, np.arange(_count(where, "x", x), dtype=np.int32), check_axis(where, axis, 1))
    if not hasattr(x, "dtype"):
        raise TypeError(message(where, "x", "be an integer or an array", type(x).__name__))
    axis = check_axis(where, axis, x.ndim)
    if independent or x.ndim == 1:
        return _shuffle(key, x, axis)
    return _take(x, _shuffle(key, np.arange(x.shape[axis]), 0), axis)


def choice(
    key: Array,
    a: Array,
    shape: Shape = (),
    replace: bool = True,
    p: Array | None = None,
    axis: int = 0,
    mode: str = "low",
) -> Array:
    """Draw elements of an array, or slices along an axis of it, or integers.

    Args:
        key: uint32 array of shape (2,).
        a: an array of at least one axis, or a number ``n`` that stands for ``0, ..., n - 1``.
        shape: shape of the draw.
        replace: whether an element can be drawn more than once.
        p: probabilities of the elements, a vector; need not add up to 1. A list counts as float32.
            By default all are equal.
        axis: the axis of ``a`` to draw along.
        mode: "low" or "high", see `gumbel`; used with ``p`` and without replacement.

    Returns:
        Array of ``a``'s dtype, in whose shape the draw's shape replaces the axis; int32 for a number.

    Raises:
        TypeError: the key or the shape is not one, or ``a`` is neither an array nor an integer.
        ValueError: there is nothing to draw from, more is to be drawn without replacement than there
            is, or ``p`` does not fit ``a``, is negative or not finite, or has too few positive entries.

    Source: without replacement from ``p``, the Gumbel top-k trick, Kool, van Hoof and Welling, 2019,
    arXiv:1903.06059.

    >>> choice(np.array([0, 42], np.uint32), np.array([10.0, 20.0, 30.0]), (4,))
    array([10., 10., 10., 20.])
    """
    where = "random.choice"
    check_key(where, key)
    check_mode(where, mode)
    shape = check_shape(where, shape)
    if type_of(a).ndim == 0:
        population = _count(where, "a", a)
    elif hasattr(a, "dtype"):
        axis = check_axis(where, axis, a.ndim)
        population = a.shape[axis]
    else:
        raise TypeError(message(where, "a", "be an integer or an array", type(a).__name__))
    draws = math.prod(shape)
    if draws and not population:
        raise ValueError(message(where, "a", "have something to draw", f"{population} elements"))
    if not replace and draws > population:
        remedy = "draw with replace=True"
        raise ValueError(message(where, "shape", f"have at most {population} elements", shape, remedy))
    indices = _draw_indices(key, population, draws, replace, p, mode).reshape(shape)
    return indices if type_of(a).ndim == 0 else _take(a, indices, axis)


def categorical(
    key: Array,
    logits: Array,
    axis: int = -1,
    shape: Shape | None = None,
    replace: bool = True,
    mode: str = "low",
) -> Array:
    """Draw categories with the probabilities ``softmax(logits)``, by the Gumbel max trick.

    Args:
        key: uint32 array of shape (2,).
        logits: logarithms of the probabilities, up to a constant; a floating array, or a list,
            which counts as float32.
        axis: the axis of the categories.
        shape: shape of the result, which ends with the shape of ``logits`` without the axis, or
            broadcasts with it; by default that shape itself.
        replace: whether a category can be drawn more than once from the same logits.
        mode: "low" or "high", see `gumbel`.

    Returns:
        int32 array of indices along the axis.

    Raises:
        TypeError: the key or the shape is not one, or the logits are not floating.
        ValueError: the shape or the axis does not fit the logits, or more categories are to be drawn
            without replacement than there are.

    Source: without replacement, Kool, van Hoof and Welling, 2019, arXiv:1903.06059.

    >>> categorical(np.array([0, 42], np.uint32), np.log(np.array([0.1, 0.2, 0.7], np.float32)), shape=(5,))
    array([2, 2, 2, 2, 1], dtype=int32)
    """
    where = "random.categorical"
    check_key(where, key)
    check_mode(where, mode)
    logits = logits if hasattr(logits, "dtype") else np.asarray(logits, np.float32)
    dtype = float_dtype(where, logits.dtype, "logits")
    axis = check_axis(where, axis, logits.ndim)
    batch_shape = logits.shape[:axis] + logits.shape[axis + 1 :]
    shape = broadcast_shape(where, shape, batch_shape)
    prefix, inner = shape[: len(shape) - len(batch_shape)], shape[len(shape) - len(batch_shape) :]
    categories = logits.shape[axis]
    if replace:
        noise_shape = (*prefix, *inner[:axis], categories, *inner[axis:])
        noise = gumbel(key, noise_shape, dtype, mode)
        return np.argmax(noise + logits, axis=len(prefix) + axis).astype(np.int32)
    if inner != batch_shape:
        raise ValueError(message(where, "shape", f"end with {batch_shape}, without replacement", shape))
    draws = math.prod(prefix)
    if draws > categories:
        raise ValueError(message(where, "shape", f"start with at most {categories} draws", prefix))
    scores = np.moveaxis(logits + gumbel(key, logits.shape, dtype, mode), axis, -1)
    return np.moveaxis(_largest(scores, draws), -1, 0).reshape(shape)


def _count(where: str, what: str, number: Array) -> int:
    try:
        count = operator.index(number)
    except TypeError:
        remedy = "" if is_concrete(number) else "a traced number cannot be the size of an array"
        got = type_of(number)
        raise TypeError(message(where, what, "be an integer or an array", got, remedy)) from None
    if count < 0:
        raise ValueError(message(where, what, "not be negative", count))
    return count


def _shuffle(key: Array, x: Array, axis: int) -> Array:
    """Sort by random words, so often that two elements hardly ever draw equal words each time.

    Three times the logarithm of the size, in units of 32 bits, is XLA's rule for the number of sorts.
    """
    sorts = math.ceil(3 * math.log(max(1, math.prod(x.shape))) / math.log(2**32 - 1))
    for _ in range(sorts):
        keys = split(key)
        key = keys[0]
        x = np.take_along_axis(x, _stable_order(draw_bits(keys[1], x.shape, 32), axis), axis=axis)
    return x


def _stable_order(words: Array, axis: int) -> Array:
    """Return the stable argsort of uint32 words.

    Each word is sorted together with its position below it: NumPy sorts integers of 64 bits many
    times faster than it sorts indirectly and stably.
    """
    count = words.shape[axis]
    positions = np.arange(count, dtype=np.uint64).reshape((count,) + (1,) * (words.ndim - 1 - axis))
    return np.sort(words.astype(np.uint64) << 32 | positions, axis=axis).astype(np.uint32)


def _draw_indices(
    key: Array, population: int, draws: int, replace: bool, p: Array | None, mode: str
) -> Array:
    if not draws:
        return np.zeros(0, np.int32)
    if p is None:
        if replace:
            return randint(key, (draws,), 0, population)
        return permutation(key, population)[:draws]
    p = p if hasattr(p, "dtype") else np.asarray(p, np.float32)
    p = p if p.dtype.kind == "f" else p.astype(np.float32)
    _check_probabilities(p, population, 1 if replace else draws)
    if replace:
        cumulative = _cumulative_sum(p)
        thresholds = cumulative[-1:] * (1 - uniform(key, (draws,), p.dtype))
        return np.searchsorted(cumulative, thresholds).astype(np.int32)
    with np.errstate(divide="ignore"):
        return _largest(gumbel(key, (population,), p.dtype, mode) + np.log(p), draws)


def _check_probabilities(p: Array, population: int, needed: int) -> None:
    if p.shape != (population,):
        raise ValueError(message("random.choice", "p", f"have shape ({population},)", type_of(p)))
    if not is_concrete(p):
        return
    if not (np.all(p >= 0) and np.all(np.isfinite(p))):
        raise ValueError(message("random.choice", "p", "be finite and not negative", p))
    positive = int(np.count_nonzero(p))
    if positive < needed:
        raise ValueError(message("random.choice", "p", f"have at least {needed} positive entries", positive))


def _cumulative_sum(p: Array) -> Array:
    """Add up in runs, and then the sums of the runs, in the order that XLA does on a CPU.

    The order decides the last bit, and the last bit now and then decides which element is drawn.
    """
    size = p.shape[0]
    if size <= RUN_LENGTH:
        return np.cumsum(p)
    runs = np.pad(p, (0, -size % RUN_LENGTH)).reshape(-1, RUN_LENGTH)
    within = np.cumsum(runs, axis=1)
    before = np.pad(_cumulative_sum(within[:, -1])[:-1], (1, 0))
    return (within + before[:, None]).reshape(-1)[:size]


def _take(x: Array, indices: Array, axis: int) -> Array:
    """Return ``np.take(x, indices, axis)``, also of a plain array by traced indices.

    NumPy shows neither `np.take` nor ``x[indices]`` to a tracer that is only among the indices; it
    does show `np.take_along_axis`, which is slower.
    """
    if is_concrete(indices):
        return np.take(x, indices, axis=axis)
    flat = indices.reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    return np.take_along_axis(x, np.broadcast_to(flat, (1,) * axis + flat.shape), axis=axis).reshape(shape)


def _largest(scores: Array, count: int) -> Array:
    """Return the indices of the largest scores along the last axis, the largest first, ties in order."""
    return np.argsort(-scores, axis=-1, kind="stable")[..., :count].astype(np.int32)
