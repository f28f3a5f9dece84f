"""One arena for everything that is stored between steps, planned by who is alive when."""

from __future__ import annotations

from transforms.backends.llvm.steps import Band, HostCall, Plan, Schedule, reads, writes
from transforms.graph.ir import Variable

ALIGNMENT = 64  # bytes of a cache line, and of the widest vector


def plan_memory(schedule: Schedule, threads: int) -> Plan:
    """Give each buffer that is neither given, nor returned, nor NumPy's own a place in the arena.

    A place is free again after the last step that reads it. Each buffer takes the first gap that it fits.
    """
    lives = _lives(schedule)
    bands = [step for step in schedule.steps if isinstance(step, Band)]
    parts = {x: _round_up(_bytes(x) // band.units) for band in bands for x in band.local}
    sizes = {x: parts[x] * threads if x in parts else _round_up(_bytes(x)) for x in lives}
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
            begin = _first_gap(taken, sizes[buffer])
            offsets[buffer] = begin
            taken.append((begin, begin + sizes[buffer]))
            taken.sort()
            size = max(size, begin + sizes[buffer])
        for buffer in ending.get(index, ()):
            taken.remove((offsets[buffer], offsets[buffer] + sizes[buffer]))
    return Plan(size, offsets, parts, threads)


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
    return max(buffer.type.size * buffer.type.dtype.itemsize, 1)


def _round_up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _first_gap(taken: list[tuple[int, int]], size: int) -> int:
    begin = 0
    for other_begin, other_end in taken:
        if other_begin - begin >= size:
            break
        begin = other_end
    return begin
