"""One arena for everything that is stored between steps, planned by who is alive when.

The largest buffers are placed first, each at the lowest offset that is free for its whole life. If that
leaves gaps, other orders are tried: those that live long first, say.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.steps import Band, HostCall, Plan, Schedule, Step, reads, writes
from transforms.graph.ir import Variable
from transforms.types import ArrayType

ALIGNMENT = 64  # bytes of a cache line, and of the widest vector
_PAGE = 4096
# Buffers of whole pages, so many at least, are so many lines apart.
_MANY_PAGES = 8
_LINES_APART = 17
# So many of the largest buffers are placed with a look at all others, which takes the square of their number.
_LARGEST = 512
# An arena so many times as large as what is alive is good enough.
_GOOD = 1.01


def plan_memory(schedule: Schedule, threads: int) -> Plan:
    """Give each buffer that is neither given, nor returned, nor NumPy's own a place in the arena."""
    returned = {output[0] for output in schedule.outputs if isinstance(output, tuple)}
    lives = _lives(schedule.steps, returned)
    sizes = {x: _room(max(x.type.nbytes, 1)) for x in lives}
    frames = [_frame(step, index) for index, step in enumerate(schedule.steps) if isinstance(step, Band)]
    for frame in frames:
        for x in frame.offsets:
            del lives[x], sizes[x]
        if frame.offsets:
            lives[frame.buffer] = (frame.place, frame.place)
            sizes[frame.buffer] = frame.size * threads
    offsets, size = _place(lives, sizes)
    parts: dict[Variable, int] = {}
    for frame in frames:
        begin = offsets.pop(frame.buffer, 0)
        offsets.update((x, begin + offset) for x, offset in frame.offsets.items())
        parts.update(dict.fromkeys(frame.offsets, frame.size))
    return Plan(size, offsets, parts, threads)


class _Frame(NamedTuple):
    """What a thread needs to run a unit of a band.

    Attributes:
        buffer: stands for the frames of all threads.
        place: of the band among the steps.
        offsets: of the band's local buffers in the frame.
        size: in bytes.
    """

    buffer: Variable
    place: int
    offsets: dict[Variable, int]
    size: int


def _frame(band: Band, index: int) -> _Frame:
    """Plan the frame of a band, whose steps a unit runs in order."""
    local = {*band.local}
    lives = {x: life for x, life in _lives(band.steps, set()).items() if x in local}
    offsets, size = _place(lives, {x: _room(x.type.nbytes // band.units) for x in lives})
    return _Frame(Variable(ArrayType((size,), np.dtype(np.uint8))), index, offsets, _room(size))


def _place(
    lives: dict[Variable, tuple[int, int]], sizes: dict[Variable, int]
) -> tuple[dict[Variable, int], int]:
    """Return an offset for each buffer, and the bytes of all."""
    order = sorted(lives, key=lambda x: (-sizes[x], lives[x]))
    offsets, size = _place_largest(order[:_LARGEST], lives, sizes)
    rest, above = _place_in_time(order[_LARGEST:], lives, sizes)
    offsets.update((x, size + offset) for x, offset in rest.items())
    return offsets, size + above


def _place_largest(
    buffers: list[Variable], lives: dict[Variable, tuple[int, int]], sizes: dict[Variable, int]
) -> tuple[dict[Variable, int], int]:
    """Return an offset for each of the largest buffers, and the bytes of all, by the best of some orders."""
    needed = _most_alive(buffers, lives, sizes)

    def length(x: Variable) -> int:
        first, last = lives[x]
        return last - first

    orders: tuple[Callable[[Variable], int], ...] = (
        lambda x: -sizes[x],
        lambda x: -sizes[x] * length(x),
        lambda x: -length(x),
        lambda x: lives[x][0],
    )
    best: tuple[dict[Variable, int], int] | None = None
    for key in orders:
        found = _place_in_order(sorted(buffers, key=key), lives, sizes)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] <= _GOOD * needed:
            break
    assert best is not None
    return best


def _most_alive(
    buffers: list[Variable], lives: dict[Variable, tuple[int, int]], sizes: dict[Variable, int]
) -> int:
    """Return the most bytes that are alive at once."""
    change: dict[int, int] = {}
    for x in buffers:
        first, last = lives[x]
        change[first] = change.get(first, 0) + sizes[x]
        change[last + 1] = change.get(last + 1, 0) - sizes[x]
    return max(itertools.accumulate(change[step] for step in sorted(change)), default=0)


def _place_in_order(
    order: list[Variable], lives: dict[Variable, tuple[int, int]], sizes: dict[Variable, int]
) -> tuple[dict[Variable, int], int]:
    """Return the lowest offset for each buffer that those placed before leave, and the bytes of all."""
    offsets: dict[Variable, int] = {}
    placed: list[tuple[int, int, int, int]] = []  # offset, end, and life of each, in order
    most = 0
    for buffer in order:
        first, last = lives[buffer]
        size, begin = sizes[buffer], 0
        for other, end, born, died in placed:
            if born <= last and first <= died:
                if other - begin >= size:
                    break
                if end > begin:
                    begin = end
        offsets[buffer] = begin
        insort(placed, (begin, begin + size, first, last))
        most = max(most, begin + size)
    return offsets, most


def _place_in_time(
    buffers: list[Variable], lives: dict[Variable, tuple[int, int]], sizes: dict[Variable, int]
) -> tuple[dict[Variable, int], int]:
    """Return an offset for each buffer, in the order of their births, and the bytes of all.

    A place that nobody needs any more is given to the next buffer that fits.
    """
    offsets: dict[Variable, int] = {}
    taken: list[tuple[int, int, int]] = []  # offset, end, and the last step of each, in order
    most = 0
    for buffer in sorted(buffers, key=lives.__getitem__):
        first, last = lives[buffer]
        taken = [x for x in taken if x[2] >= first]
        begin = 0
        for other, end, _ in taken:
            if other - begin >= sizes[buffer]:
                break
            begin = end
        offsets[buffer] = begin
        insort(taken, (begin, begin + sizes[buffer], last))
        most = max(most, begin + sizes[buffer])
    return offsets, most


def _lives(steps: Sequence[Step], returned: set[Variable]) -> dict[Variable, tuple[int, int]]:
    """Return for each buffer of the arena the first step that writes it and the last that touches it."""
    lives: dict[Variable, tuple[int, int]] = {}
    for index, step in enumerate(steps):
        if not isinstance(step, HostCall):
            for buffer in writes(step):
                if buffer not in returned:
                    lives[buffer] = (lives.get(buffer, (index, 0))[0], index)
        for buffer in reads(step):
            if buffer in lives:
                lives[buffer] = (lives[buffer][0], index)
    return lives


def _room(size: int) -> int:
    """Return how far from a buffer the next one begins.

    Processors take a read for one of what was just written if both are at the same place of their pages, and
    what a loop reads and writes would be if all buffers were pages.
    """
    lines = -(-size // ALIGNMENT)
    apart = size >= _MANY_PAGES * _PAGE and not lines * ALIGNMENT % _PAGE
    return (lines + _LINES_APART * apart) * ALIGNMENT
