"""Copies that need not be: what makes a buffer writes it in the order in which a copy of it would be.

The products of all heads, say, are copied only so that the features of each place lie side by side. The
contraction can write them there at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.steps import Access, Contraction, Kernel, Load, Step, Store, reads, writes
from transforms.graph.ir import Variable
from transforms.types import Shape


class _Copy(NamedTuple):
    """A step that only copies a whole buffer to another one, in another order.

    Attributes:
        source: what is read.
        target: what is written.
        axes: for each loop of more than one element its length, and its strides in source and target.
    """

    source: Variable
    target: Variable
    axes: tuple[tuple[int, int, int], ...]

    def moved(self, access: Access, loops: Shape) -> Access | None:
        """Return the access to the target that goes with one to the source; None if no strides say it.

        What is adjacent in the source must be so in the target.
        """
        strides = []
        for length, stride in zip(loops, access.strides, strict=True):
            if length == 1 or not stride:
                strides.append(0)
                continue
            fitting = (
                target * (stride // source)
                for n, source, target in self.axes
                if not stride % source and stride * length <= source * n
            )
            strides.append(next(fitting, 0))
            if not strides[-1] or (stride == 1) > (strides[-1] == 1):
                return None
        return None if access.offset else Access(self.target, 0, tuple(strides))


def without_copies(steps: Sequence[Step], returned: set[Variable]) -> list[Step]:
    """Leave out the copies of what earlier steps can write where the copies are."""
    writers = Counter(x for step in steps for x in writes(step))
    readers = Counter(x for step in steps for x in reads(step))
    makers: dict[Variable, int] = {}
    kept: dict[int, Step] = {}
    for index, step in enumerate(steps):
        copy = _as_copy(step)
        if copy is not None and copy.source in makers and writers[copy.target] == 1:
            maker = makers[copy.source]
            is_last = readers[copy.source] == 1 and copy.source not in returned
            changed = _writing(kept[maker], copy, is_last)
            if changed is not None:
                kept[maker] = changed
                readers[copy.source] -= 1
                makers[copy.target] = maker
                continue
        kept[index] = step
        makers.update((x, index) for x in _written_once(step, writers))
    return list(kept.values())


def in_source_order(step: Step) -> Kernel | None:
    """Return a copy of a whole buffer that goes through its source in order; None if it is none, or does."""
    copy = _as_copy(step)
    if copy is None or not isinstance(step, Kernel):
        return None
    axes = sorted(copy.axes, key=lambda axis: -axis[1])
    if axes == [*copy.axes]:
        return None
    shape, sources, targets = zip(*axes, strict=True)
    load = Load(Access(copy.source, 0, sources), copy.source.type.dtype)
    store = Store(0, Access(copy.target, 0, targets))
    return step._replace(shape=shape, values=(load,), stores=(store,), reduced=(False,) * len(shape))


def _written_once(step: Step, writers: Counter[Variable]) -> Iterable[Variable]:
    return (x for x in writes(step) if writers[x] == 1) if isinstance(step, (Kernel, Contraction)) else ()


def _as_copy(step: Step) -> _Copy | None:
    """Return what a step copies, if it does nothing else and gives each element one place."""
    if not isinstance(step, Kernel) or len(step.values) != 1 or len(step.stores) != 1:
        return None
    value, target = step.values[0], step.stores[0].access
    if (
        step.reductions
        or step.scatters
        or not isinstance(value, Load)
        or value.access.offset
        or target.offset
    ):
        return None
    loops = zip(step.shape, value.access.strides, target.strides, strict=True)
    axes = tuple(axis for axis in loops if axis[0] > 1)
    covers = _covers([axis[:2] for axis in axes], value.access.buffer)
    covers = covers and _covers([(n, stride) for n, _, stride in axes], target.buffer)
    return _Copy(value.access.buffer, target.buffer, axes) if covers else None


def _covers(axes: list[tuple[int, int]], buffer: Variable) -> bool:
    """Whether loops reach each element of a buffer once."""
    reached = 1
    for length, stride in sorted(axes, key=lambda axis: axis[1]):
        if stride != reached:
            return False
        reached *= length
    return reached == buffer.type.size


def _writing(step: Step, copy: _Copy, instead: bool) -> Step | None:
    """Return a step that writes what is copied where the copy is: instead, or as well; None if it cannot."""
    if isinstance(step, Contraction):
        step = _divided(step, copy)
        loops = (*step.stack, *step.rows, step.columns)
        out = copy.moved(step.out, loops) if instead and not step.is_empty else None
        return None if out is None else step._replace(out=out)
    if not isinstance(step, Kernel):
        return None
    place = next((i for i, x in enumerate(step.stores) if x.access.buffer is copy.source), None)
    if place is None or math.prod(step.shape) != copy.source.type.size:
        return None
    store = step.stores[place]
    access = copy.moved(store.access, step.shape)
    if access is None:
        return None
    others = step.stores[:place] + step.stores[place + 1 :] if instead else step.stores
    return step._replace(stores=(*others, Store(store.value, access)))


def _divided(step: Contraction, copy: _Copy) -> Contraction:
    """Return a contraction whose first axis is two if those are apart in the target of a copy."""
    if not step.stack:
        return step
    length, stride = step.stack[0], step.out.strides[0]
    inner = next((n for n, source, _ in copy.axes if source == stride and n < length), length)
    if inner == length or length % inner:
        return step

    def along(access: Access) -> Access:
        first, *others = access.strides
        return access._replace(strides=(first * inner, first, *others))

    return step._replace(
        stack=(length // inner, inner, *step.stack[1:]),
        left=along(step.left),
        right=along(step.right),
        out=along(step.out),
    )
