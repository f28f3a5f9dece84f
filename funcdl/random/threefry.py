"""Threefry-2x32, the counter-based generator behind every random number of this package.

A key of two 32-bit words encrypts a counter of two 32-bit words: twenty rounds of add, rotate and
exclusive or, with a word of the key added after every fourth. Element ``i`` of a draw is the
encryption of the 64-bit counter ``i``, so a draw can be made in any order and in any pieces.

Source: Salmon, Moraes, Dror and Shaw, 2011, "Parallel random numbers: as easy as 1, 2, 3",
doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from transforms.types import Array, Shape

PARITY = 0x1BD11BDA
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
WORD_MASK = 0xFFFFFFFF

# 2**15 words of four bytes: the two operands and the temporaries of a round stay in a level-2 cache.
BLOCK_SIZE = 2**15
# Up to this many counters, Python integers are faster than a hundred NumPy calls on tiny arrays.
SCALAR_SIZE = 4


def _wraps_itself(word: Array) -> Array:
    return word


def _wrap_integer(word: int) -> int:
    return word & WORD_MASK


def threefry2x32(
    first: Array, second: Array, high: Array, low: Array, wrap: Callable[[Any], Any] = _wraps_itself
) -> tuple[Array, Array]:
    """Encrypt the counter ``(high, low)`` under the key ``(first, second)``.

    Args:
        first: the high word of the key, a uint32 array of at least one axis or a Python integer.
        second: the low word of the key, likewise.
        high: the high word of the counter, an array that broadcasts with the key's or an integer.
        low: the low word of the counter, likewise.
        wrap: reduces a word modulo ``2**32``. Arrays of uint32 do that by themselves; Python
            integers need a mask.

    Returns:
        The two encrypted words, of the broadcast shape.

    >>> [hex(word) for word in threefry2x32(0, 0, 0, 0, lambda word: word & 0xFFFFFFFF)]
    ['0x6b200159', '0x99ba4efe']
    """
    schedule = (second, first ^ second ^ PARITY, first)
    high = wrap(high + first)
    low = wrap(low + second)
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            high = wrap(high + low)
            low = (wrap(low << rotation) | (low >> (32 - rotation))) ^ high
        high = wrap(high + schedule[group % 3])
        low = wrap(low + wrap(schedule[(group + 1) % 3] + (group + 1)))
    return high, low


def encrypt(key: Array, high: int, low: Array) -> tuple[Array, Array]:
    """Encrypt counters that share their high word.

    Args:
        key: uint32 array of shape (2,).
        high: the high word of every counter, in [0, 2**32).
        low: the low words, a uint32 array of one axis.

    Returns:
        The two encrypted words, uint32 arrays of the shape of ``low``.
    """
    if isinstance(key, np.ndarray) and isinstance(low, np.ndarray) and low.size <= SCALAR_SIZE:
        first, second = key.tolist()
        words = [threefry2x32(first, second, high, word, _wrap_integer) for word in low.tolist()]
        columns = np.array(words, np.uint32).reshape(low.size, 2)
        return columns[:, 0], columns[:, 1]
    # Slices rather than items: arithmetic on NumPy scalars warns when it wraps, on arrays it does not.
    return threefry2x32(key[:1], key[1:], high, low)


def encrypt_range(key: Array, start: int, stop: int) -> tuple[Array, Array]:
    """Encrypt the counters ``start, ..., stop - 1``, which must share their high word."""
    high, first_low = divmod(start, 2**32)
    return encrypt(key, high, np.arange(stop - start, dtype=np.uint32) + np.uint32(first_low))


def join_words(high: Array, low: Array, width: int) -> Array:
    """Return one unsigned integer of the given width, 8, 16, 32 or 64, for each pair of words."""
    if width == 64:
        return high.astype(np.uint64) << 32 | low
    bits = high ^ low
    return bits if width == 32 else bits.astype(f"uint{width}")


def draw(key: Array, shape: Shape, dtype: DTypeLike, finish: Callable[[Array, Array], Array]) -> Array:
    """Draw an array whose element ``i`` is made from the encryption of the counter ``i``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: dtype of the result.
        finish: makes elements of that dtype from the high and the low words, vectors of equal length.

    >>> draw(np.array([0, 7], np.uint32), (2,), np.uint32, lambda high, low: high ^ low)
    array([2895194379, 4185947648], dtype=uint32)
    """
    size = math.prod(shape)
    # Blocks are for the cache, so a traced key, which stages one program for all counters, has none.
    if not isinstance(key, np.ndarray) or size <= BLOCK_SIZE:
        return finish(*encrypt_range(key, 0, size)).reshape(shape)
    result = np.empty(size, dtype)
    for start in range(0, size, BLOCK_SIZE):
        stop = min(start + BLOCK_SIZE, size)
        result[start:stop] = finish(*encrypt_range(key, start, stop))
    return result.reshape(shape)


def draw_bits(key: Array, shape: Shape, width: int) -> Array:
    """Draw unsigned integers of the given width, 8, 16, 32 or 64, with equal probability."""
    return draw(key, shape, f"uint{width}", lambda high, low: join_words(high, low, width))
