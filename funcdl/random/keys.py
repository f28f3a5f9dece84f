"""Keys, and what is made directly from them: new keys, and bits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.arguments import check_is_key, check_key, check_shape
from funcdl.random.threefry import WORD_MASK, draw_bits, encrypt, encrypt_range
from transforms.errors import message
from transforms.types import Array, Shape, type_of


def key(seed: Array) -> Array:
    """Make a key from an integer: its high and its low 32 bits.

    Args:
        seed: a Python integer in [-2**63, 2**64), or an integer array or tracer without axes. Seeds in
            [0, 2**32) give JAX's keys; of others, JAX keeps the high word only with `jax_enable_x64`.

    Returns:
        uint32 array of shape (2,).

    Raises:
        TypeError: the seed is not an integer.
        ValueError: the seed has axes, or does not fit in 64 bits.

    >>> key(42)
    array([ 0, 42], dtype=uint32)
    """
    if isinstance(seed, int):
        if not -(2**63) <= seed < 2**64:
            raise ValueError(message("random.key", "seed", "be in [-2**63, 2**64)", seed))
        return np.array([seed >> 32 & WORD_MASK, seed & WORD_MASK], np.uint32)
    _check_integer("random.key", "seed", seed)
    # Flattened, because arithmetic on NumPy scalars warns when it wraps.
    low = np.reshape(seed, (1,))
    high = low >> 32 if low.dtype.itemsize == 8 else np.zeros(1, np.uint32)
    return np.concatenate([high.astype(np.uint32), low.astype(np.uint32)])


def split(key: Array, num: int | Sequence[int] = 2) -> Array:
    """Make new, independent keys from a key, which should not be used again.

    Args:
        key: uint32 array of shape (2,).
        num: how many keys, or the shape of an array of keys.

    Returns:
        uint32 array of shape ``(num, 2)`` or ``(*num, 2)``.

    Raises:
        ValueError, TypeError: the key is not one, or the shape is not one.

    >>> split(np.array([0, 42], np.uint32))
    array([[1832780943,  270669613],
           [  64467757, 2916123636]], dtype=uint32)
    """
    check_key("random.split", key)
    shape = check_shape("random.split", (num,) if isinstance(num, (int, np.integer)) else num)
    return np.stack(encrypt_range(key, 0, math.prod(shape)), axis=-1).reshape(*shape, 2)


def fold_in(key: Array, data: Array) -> Array:
    """Make the key that belongs to a number, such as a step or the index of a layer.

    Args:
        key: uint32 array of shape (2,).
        data: a Python integer in [0, 2**32), or an integer array or tracer without axes, which is
            taken modulo 2**32.

    Returns:
        uint32 array of shape (2,).

    Raises:
        TypeError: the key is not one, or the data is not an integer.
        ValueError: the data has axes or, as a Python integer, is out of range.

    >>> fold_in(np.array([0, 42], np.uint32), 1)
    array([  64467757, 2916123636], dtype=uint32)
    """
    check_is_key("random.fold_in", key)
    _check_integer("random.fold_in", "data", data)
    if isinstance(data, int) and not 0 <= data <= WORD_MASK:
        raise ValueError(message("random.fold_in", "data", "be in [0, 2**32)", data))
    return np.concatenate(encrypt(key, 0, np.reshape(data, (1,)).astype(np.uint32)))


def bits(key: Array, shape: Shape = (), dtype: DTypeLike = np.uint32) -> Array:
    """Draw uniformly distributed bits.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: uint8, uint16, uint32 or uint64.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> bits(np.array([0, 42], np.uint32), (2,))
    array([2098992034, 2919706841], dtype=uint32)
    """
    check_key("random.bits", key)
    shape = check_shape("random.bits", shape)
    found = np.dtype(dtype)
    if found.kind != "u":
        raise TypeError(message("random.bits", "dtype", "be an unsigned integer type", found))
    return draw_bits(key, shape, found.itemsize * 8)


def _check_integer(where: str, what: str, x: Array) -> None:
    found = type_of(x)
    if found.dtype.kind not in "iu":
        raise TypeError(message(where, what, "be an integer", found))
    if found.shape:
        raise ValueError(message(where, what, "have no axes", found, "map over many with vmap"))
