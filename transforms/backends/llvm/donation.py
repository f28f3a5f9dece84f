"""Results in the memory of donated inputs: which result may lie where which input lies.

A result may take the memory of an input if whatever reads the input comes before what writes the result. In a
kernel that reads an element just before it writes the same one, both may happen in turn; units of a band, if
each stays in a part of its own. Then the result gets the input's name: a step must not know one piece of
memory under two names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from transforms.backends.llvm.bands import unit_parts
from transforms.backends.llvm.steps import (
    Access,
    Band,
    Contraction,
    Gather,
    Kernel,
    Load,
    Schedule,
    reads,
    writes,
)
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Variable
from transforms.types import Shape


class _Place(NamedTuple):
    """Where a step stands: the number of its band, or of itself outside of bands, and that in the band."""

    step: int
    inner: int


def can_hold_results(x: Variable) -> bool:
    """Say whether an input is an array that kernels can write to, and not a number."""
    return bool(x.type.shape) and x.type.size > 0 and x.weak is None and x.type.dtype in NATIVE


def write_over(schedule: Schedule, donated: Collection[Variable]) -> Schedule:
    """Return a schedule that writes as many results as it can over inputs whose elements are not wanted.

    Args:
        schedule: what to do.
        donated: those inputs, each of which `can_hold_results`.
    """
    returned = [x for x in schedule.outputs if isinstance(x, tuple)]
    kept = {buffer for buffer, _ in returned}
    unchanged = [x for x in donated if x in kept]
    found = _Pairs(schedule).find(returned, [x for x in donated if x not in kept])
    if not found:
        return schedule._replace(donated=tuple(unchanged))
    return schedule._replace(
        steps=tuple(_renamed_band(x, found) if isinstance(x, Band) else x for x in schedule.steps),
        outputs=tuple((found.get(x[0], x[0]), x[1]) if isinstance(x, tuple) else x for x in schedule.outputs),
        donated=(*unchanged, *found.values()),
    )


class _Pairs:
    """Finds for results the inputs whose memory they take."""

    def __init__(self, schedule: Schedule) -> None:
        self.steps = schedule.steps
        self.readers: dict[Variable, list[_Place]] = {}
        self.writers: dict[Variable, list[_Place]] = {}
        self.elsewhere: set[Variable] = set()  # what others than kernels and contractions touch
        for number, step in enumerate(schedule.steps):
            inner = step.steps if isinstance(step, Band) else (step,)
            for position, part in enumerate(inner):
                for buffer in dict.fromkeys(reads(part)):
                    self.readers.setdefault(buffer, []).append(_Place(number, position))
                for buffer in dict.fromkeys(writes(part)):
                    self.writers.setdefault(buffer, []).append(_Place(number, position))
            if not isinstance(step, Band):
                self.elsewhere.update((*reads(step), *writes(step)))

    def find(
        self, returned: Collection[tuple[Variable, Shape]], inputs: Collection[Variable]
    ) -> dict[Variable, Variable]:
        """Return for results the inputs, preferring for each one that it is computed of element by element."""
        free = list(inputs)
        results = [(y, shape) for y, shape in returned if y in self.writers and y not in self.elsewhere]
        found: dict[Variable, Variable] = {}
        for in_turn in (True, False):
            for y, shape in results:
                for x in free if y not in found else ():
                    alike = x.type.shape == shape and x.type.dtype == y.type.dtype
                    if alike and self._are_in_one_kernel(x, y) >= in_turn and self._may_take(y, x):
                        found[y] = x
                        free.remove(x)
                        break
        return found

    def _are_in_one_kernel(self, x: Variable, y: Variable) -> bool:
        return any(place in self.readers.get(x, ()) for place in self.writers[y])

    def _may_take(self, y: Variable, x: Variable) -> bool:
        """Say whether all that reads an input comes before what writes a result."""
        first = self.writers[y][0].step
        if any(place.step > first for place in self.readers.get(x, ())):
            return False
        band = self.steps[first]
        assert isinstance(band, Band)
        reading = [place.inner for place in self.readers.get(x, ()) if place.step == first]
        writing = [place.inner for place in self.writers[y] if place.step == first]
        return all(_come_in_turn(band, i, x, k, y) for i in reading for k in writing)


def _come_in_turn(band: Band, reader: int, x: Variable, writer: int, y: Variable) -> bool:
    """Say whether a step of a band reads all elements of x before a step writes those of y in their places."""
    step = band.steps[reader]
    if reader == writer:
        return isinstance(step, Kernel) and _is_element_by_element(step, x, y)
    return (
        reader < writer and _keeps_apart(band, reader, x) and _keeps_apart(band, writer, y)
    )


def _keeps_apart(band: Band, position: int, buffer: Variable) -> bool:
    """Say whether each unit of a step stays in its own part of a buffer."""
    return all(
        apart for other, apart in unit_parts(band.steps[position], band.units) if other is buffer
    )


def _is_element_by_element(kernel: Kernel, x: Variable, y: Variable) -> bool:
    """Say whether a kernel writes each element of y once, and before that reads of x only the same one."""
    combined = {z.access.buffer for z in (*kernel.reductions, *kernel.scatters)}
    stores = [z.access for z in kernel.stores if z.access.buffer is y]
    if y in combined or len(stores) != 1:
        return False
    target = _moving(stores[0], kernel.shape)
    loads = [z for z in kernel.values if isinstance(z, (Load, Gather)) and z.access.buffer is x]
    return _is_onto(target, y.type.size) and all(
        isinstance(z, Load) and _moving(z.access, kernel.shape) == target for z in loads
    )


_Moving = tuple[int, list[tuple[int, int]]]


def _moving(access: Access, shape: Shape) -> _Moving:
    """Return the offset of an access, and the stride and length of each loop that is one."""
    return access.offset, [(s, n) for s, n in zip(access.strides, shape, strict=True) if n != 1]


def _is_onto(moving: _Moving, size: int) -> bool:
    """Say whether loops come once to each element of a buffer."""
    offset, loops = moving
    expected = 1
    for stride, length in sorted(loops):
        if stride != expected:
            return False
        expected *= length
    return offset == 0 and expected == size


def _renamed_band(band: Band, names: dict[Variable, Variable]) -> Band:
    return band._replace(steps=tuple(_renamed(step, names) for step in band.steps))


def _renamed(step: Kernel | Contraction, names: dict[Variable, Variable]) -> Kernel | Contraction:
    """Return a step with buffers under other names."""
    if names.keys().isdisjoint((*reads(step), *writes(step))):
        return step

    def named(access: Access) -> Access:
        return access._replace(buffer=names.get(access.buffer, access.buffer))

    if isinstance(step, Contraction):
        return step._replace(left=named(step.left), right=named(step.right), out=named(step.out))
    return step._replace(
        values=tuple(
            z._replace(access=named(z.access)) if isinstance(z, (Load, Gather)) else z for z in step.values
        ),
        stores=tuple(z._replace(access=named(z.access)) for z in step.stores),
        reductions=tuple(z._replace(access=named(z.access)) for z in step.reductions),
        scatters=tuple(z._replace(access=named(z.access)) for z in step.scatters),
    )
