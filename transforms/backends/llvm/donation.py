"""Results in the memory of donated inputs: which result may lie where which input lies.

A result may take the memory of an input if whatever reads the input comes before what writes the result. In a
kernel that reads an element just before it writes the same one, both may happen in turn; units of a band, if
each stays in a part of its own. Then the result gets the input's name: a step must not know one piece of
memory under two names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.steps import (
    Access,
    Band,
    Contraction,
    Gather,
    Kernel,
    Load,
    Repeat,
    Schedule,
    Step,
    reads,
    with_accesses,
    writes,
)
from transforms.backends.llvm.units import periods
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Variable
from transforms.types import ArrayType, Shape


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
    found = _Pairs(schedule.steps).find(returned, [x for x in donated if x not in kept])
    if not found:
        return schedule._replace(donated=tuple(unchanged))
    return schedule._replace(
        steps=tuple(_renamed(step, found) for step in schedule.steps),
        outputs=tuple((found.get(x[0], x[0]), x[1]) if isinstance(x, tuple) else x for x in schedule.outputs),
        donated=(*unchanged, *found.values()),
    )


class _Pairs:
    """Finds for results the inputs whose memory they take.

    Attributes:
        steps: in order.
        readers: for each buffer where it is read.
        writers: for each buffer where it is written.
        others: for each buffer the numbers of the steps outside of bands that touch it.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.readers: dict[Variable, list[_Place]] = {}
        self.writers: dict[Variable, list[_Place]] = {}
        self.others: dict[Variable, set[int]] = {}
        for number, step in enumerate(steps):
            for position, part in enumerate(step.steps if isinstance(step, Band) else (step,)):
                place = _Place(number, position)
                for buffer in {*reads(part)}:
                    self.readers.setdefault(buffer, []).append(place)
                for buffer in {*writes(part)}:
                    self.writers.setdefault(buffer, []).append(place)
            if not isinstance(step, Band):
                for buffer in (*reads(step), *writes(step)):
                    self.others.setdefault(buffer, set()).add(number)

    def find(
        self, returned: Iterable[tuple[Variable, Shape]], inputs: Iterable[Variable]
    ) -> dict[Variable, Variable]:
        """Return for results the inputs, for each if possible one that the step reads which writes it."""
        free = dict.fromkeys(inputs)
        results = [(y, shape) for y, shape in returned if y in self.writers]
        found: dict[Variable, Variable] = {}
        for allowed in (self._is_read_there, lambda y, x: True):
            for y, shape in results:
                wanted = ArrayType(shape, y.type.dtype)
                inputs = () if y in found else (x for x in free if x.type == wanted and allowed(y, x))
                x = next((x for x in inputs if self._may_take(y, x)), None)
                if x is not None:
                    found[y] = x
                    del free[x]
        return found

    def _is_read_there(self, y: Variable, x: Variable) -> bool:
        return not set(self.writers[y]).isdisjoint(self.readers.get(x, ()))

    def _may_take(self, y: Variable, x: Variable) -> bool:
        """Say whether all that reads an input comes before what writes a result."""
        first = self.writers[y][0].step
        reading = self.readers.get(x, [])
        if any(place.step > first for place in reading) or self.others.get(y, set()) - {first}:
            return False
        step = self.steps[first]
        if isinstance(step, Repeat):
            return _may_go_round(step, y, x)
        if not isinstance(step, Band) or y in self.others:
            return False
        readers, writers = (
            [place.inner for place in places if place.step == first] for places in (reading, self.writers[y])
        )
        return all(_come_in_turn(step, i, x, k, y) for i in readers for k in writers)


def _may_go_round(loop: Repeat, y: Variable, x: Variable) -> bool:
    """Say whether a loop, which reads an input for its first step at most, may write a result over it."""
    places = [i for i, start in enumerate(loop.start) if start is x]
    if x in (*loop.consts, *loop.stacks) or len(places) > 1:
        return False
    return y in (*loop.carried, *loop.outputs) if not places else loop.carried[places[0]] is y


def _come_in_turn(band: Band, reader: int, x: Variable, writer: int, y: Variable) -> bool:
    """Say whether a step of a band reads all elements of x before a step writes y in their places."""
    step = band.steps[reader]
    if reader == writer:
        return isinstance(step, Kernel) and is_element_by_element(step, x, y)
    if reader > writer:
        return False
    period = periods((step,))[x]
    return period > 0 and period == periods((band.steps[writer],))[y]


def is_element_by_element(kernel: Kernel, x: Variable, y: Variable) -> bool:
    """Say whether a kernel writes each element of y once, and before that reads of x only the same one."""
    combined = [*(z.access for z in kernel.reductions), *(z.access for z in kernel.scatters)]
    stores = [z.access for z in kernel.stores if z.access.buffer is y]
    if len(stores) != 1 or any(access.buffer is y for access in combined):
        return False
    target = _moving(stores[0], kernel.shape)
    loads = [z.access for z in kernel.values if isinstance(z, Load) and z.access.buffer is x]
    gathers = [z for z in kernel.values if isinstance(z, Gather) and z.access.buffer is x]
    same = all(_moving(access, kernel.shape) == target for access in loads)
    return same and not gathers and _is_onto(target, y.type.size)


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


def _renamed(step: Step, names: dict[Variable, Variable]) -> Step:
    """Return a step with results under other names."""
    if names.keys().isdisjoint((*reads(step), *writes(step))):
        return step
    if isinstance(step, Band):
        return step._replace(steps=tuple(renamed_part(part, names) for part in step.steps))
    assert isinstance(step, Repeat)
    carried, outputs = (tuple(names.get(x, x) for x in group) for group in (step.carried, step.outputs))
    return step._replace(carried=carried, outputs=outputs)


def renamed_part(step: Kernel | Contraction, names: dict[Variable, Variable]) -> Kernel | Contraction:
    """Return a step with other names for buffers."""
    if names.keys().isdisjoint((*reads(step), *writes(step))):
        return step

    def named(access: Access) -> Access:
        return access._replace(buffer=names.get(access.buffer, access.buffer))

    if isinstance(step, Contraction):
        return step._replace(left=named(step.left), right=named(step.right), out=named(step.out))
    return with_accesses(step, named)
