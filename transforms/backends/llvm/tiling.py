"""How the axes of a contraction become tiles: which go into registers, which stay in cache."""

from __future__ import annotations

from transforms.backends.llvm.steps import Contraction
from transforms.types import Shape

# Cycles before a sum can be added to again, at least: so many independent ones keep the multipliers busy.
_LATENCY = 8
# So many sums, twice that, has a tile where it matters which elements it covers.
_FEW_SUMS = 16
# And otherwise so many vectors, which leave enough registers for rows.
_MOST_VECTORS = 4
# An axis of so many rows can fill tiles.
_LONG = 6


def arranged(contraction: Contraction) -> Contraction:
    """Sum along the elements that are near each other last, and tile the rows that are.

    The axis of the units stays the first.
    """
    stacked, rows = len(contraction.stack), len(contraction.rows)
    left, right, out = contraction.left.strides, contraction.right.strides, contraction.out.strides
    first = 1 if stacked in contraction.unit_axes else 0
    inner_order = sorted(
        range(len(contraction.inner)),
        key=lambda axis: (-abs(right[stacked + axis]), -abs(left[stacked + rows + axis])),
    )
    tile = tile_axis(contraction)
    row_order = [*(axis for axis in range(rows) if axis != tile), tile]
    if first:
        row_order = [0, *(axis for axis in row_order if axis)]
    return contraction._replace(
        rows=tuple(contraction.rows[axis] for axis in row_order),
        inner=tuple(contraction.inner[axis] for axis in inner_order),
        left=contraction.left._replace(
            strides=(
                *left[:stacked],
                *(left[stacked + axis] for axis in row_order),
                *(left[stacked + rows + axis] for axis in inner_order),
            )
        ),
        right=contraction.right._replace(
            strides=(*right[:stacked], *(right[stacked + axis] for axis in inner_order), right[-1])
        ),
        out=contraction.out._replace(
            strides=(*out[:stacked], *(out[stacked + axis] for axis in row_order), out[-1])
        ),
    )


def tile_axis(contraction: Contraction) -> int:
    """Return the axis of rows that fills tiles: of the long ones that whose elements are nearest."""
    stacked = len(contraction.stack)
    first = 1 if stacked in contraction.unit_axes else 0
    axes = range(first, len(contraction.rows))
    longest = max(contraction.rows[axis] for axis in axes)
    long = [axis for axis in axes if contraction.rows[axis] >= min(longest, _LONG)]
    return min(long, key=lambda axis: abs(contraction.left.strides[stacked + axis]))


def tile_rows(rows: int, vectors: int, registers: int, *, is_near: bool = False) -> int:
    """Return how many rows a tile should have: those that waste the least at the end of the rows.

    Of a matrix that is only wanted, or other than 0, near a diagonal, smaller tiles cover less beside it.

    >>> tile_rows(64, 4, 32), tile_rows(6, 4, 32), tile_rows(1000, 1, 32), tile_rows(64, 4, 32, is_near=True)
    (6, 6, 30, 4)
    """
    sums = min(registers - 1 - vectors, _FEW_SUMS if is_near else registers)
    most = max(sums // vectors, 1)

    def cycles(count: int) -> float:
        return max(count * vectors, _LATENCY) + 1.0 if count else 0.0

    def cost(count: int) -> float:
        return rows // count * cycles(count) + cycles(rows % count)

    return min(range(min(rows, most), 0, -1), key=cost)


def panels(columns: int, lanes: int, *, is_near: bool = False) -> list[tuple[int, int]]:
    """Return for each panel of columns where it begins and how many columns it has, all about as many.

    A result that is only wanted near a diagonal has panels of one vector.

    >>> panels(96, 16), panels(10, 16), panels(130, 16), panels(32, 16, is_near=True)
    ([(0, 48), (48, 48)], [(0, 10)], [(0, 48), (48, 48), (96, 34)], [(0, 16), (16, 16)])
    """
    vectors = -(-columns // lanes)
    count = vectors if is_near else -(-vectors // _MOST_VECTORS)
    width = -(-vectors // count) * lanes
    return [(start, min(width, columns - start)) for start in range(0, columns, width)]


def split_inner(inner: Shape, most: int) -> list[tuple[int, int]]:
    """Return for each summed axis the lengths of its part outside and inside of a tile's loops.

    Inside is as much of the last axes as there are at most that many elements of.

    >>> split_inner((3, 784), 512)
    [(3, 1), (2, 392)]
    """
    parts = []
    for length in reversed(inner):
        within = next(n for n in range(min(length, most), 0, -1) if not length % n)
        if within * 4 < min(length, most):  # a length without fitting divisors
            within = length
        parts.append((length // within, within))
        most //= within
        if within < length:
            most = 1
    return parts[::-1]
