"""One arena for everything that is stored between steps, planned by who is alive when."""

from __future__ import annotations

from typing import NamedTuple

from transforms.backends.llvm.steps import HostCall, Schedule, reads, writes
from transforms.graph.ir import Variable

ALIGNMENT = 64  # bytes of a cache line, and of the widest vector


class Plan(NamedTuple):
    """Where buffers are in the arena.

    Attributes:
        size: bytes of the arena.
        offsets: of each buffer that is there.
    """

    size: int
    offsets: dict[Variable, int]


def plan_memory(schedule: Schedule) -> Plan:
    """Give each buffer that is neither given, nor returned, nor NumPy's own a place in the arena.

    A place is free again after the last step that reads it. Each buffer takes the first gap that it fits.
    """
    lives = _lives(schedule)
    ending: dict[int, list[Variable]] = {}
    starting: dict[int, list[Variable]] = {}
    for buffer, (first, last) in lives.items():
        starting.setdefault(first, []).append(buffer)
        ending.setdefault(last, []).append(buffer)
    offsets: dict[Variable, int] = {}
    taken: list[tuple[int, int]] = []  # begin and end of each place in use, in order
    size = 0
    for index in range(len(schedule.steps)):
        for buffer in starting.get(index, ()):
            begin = _first_gap(taken, _bytes(buffer))
            offsets[buffer] = begin
            taken.append((begin, begin + _bytes(buffer)))
            taken.sort()
            size = max(size, begin + _bytes(buffer))
        for buffer in ending.get(index, ()):
            taken.remove((offsets[buffer], offsets[buffer] + _bytes(buffer)))
    return Plan(size, offsets)


def _lives(schedule: Schedule) -> dict[Variable, tuple[int, int]]:
    """Return for each buffer of the arena the first step that writes it and the last that touches it."""
    returned = {output[0] for output in schedule.outputs if isinstance(output, tuple)}
    lives: dict[Variable, tuple[int, int]] = {}
    for index, step in enumerate(schedule.steps):
        if not isinstance(step, HostCall):
            for buffer in writes(step):
                if buffer not in returned:
                    lives[buffer] = (lives.get(buffer, (index, 0))[0], index)
        for buffer in reads(step):
            if buffer in lives:
                lives[buffer] = (lives[buffer][0], index)
    return lives


def _bytes(buffer: Variable) -> int:
    size = max(buffer.type.size * buffer.type.dtype.itemsize, 1)
    return -(-size // ALIGNMENT) * ALIGNMENT


def _first_gap(taken: list[tuple[int, int]], size: int) -> int:
    begin = 0
    for other_begin, other_end in taken:
        if other_begin - begin >= size:
            break
        begin = other_end
    return begin
