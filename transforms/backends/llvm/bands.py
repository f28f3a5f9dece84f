"""Bands: which steps run together unit by unit, so that a result is read while it is in cache.

A band begins with the first step that can run, and takes up what can follow, as far as its units allow; what
must wait for other units, such as a sum over all examples, begins another band.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from transforms.backends.llvm.contraction import tile_axis
from transforms.backends.llvm.layouts import in_source_order
from transforms.backends.llvm.steps import (
    Access,
    Apply,
    Band,
    Contraction,
    Gather,
    Kernel,
    Load,
    Step,
    accesses,
    reads,
    writes,
)
from transforms.graph.ir import Variable
from transforms.types import Shape

Splittable: TypeAlias = Kernel | Contraction

# A unit should touch no more bytes than this, or they would not stay in the second cache.
_UNIT_BYTES = 1 << 19
# Fewer rows than this make a contraction slow, because it reads the right operand anew for each unit.
_UNIT_ROWS = 64
# And if their axis is the one that fills tiles, fewer than this.
_TILED_ROWS = 16
# A unit of columns has so many of them.
_COLUMNS = 64
# Below this many nanoseconds it takes longer to wake another thread than it helps.
_WORTH_THREADS = 12_000.0
_FEWEST_UNITS = 8
# How many times as much as it should a unit may touch for the sake of a contraction of few rows.
_COARSEST = 4
# A step that makes no more bytes, in no more nanoseconds, runs before others wait for it.
_SMALL, _AT_ONCE = 1 << 12, 1000.0
# How many steps are looked at for each band, so that a program of many takes no more than that many times
# as long.
_WINDOW = 64
# What comes fewer steps later than the first that was left out may take memory a little earlier than need be.
_NEAR = 8


def form_bands(steps: Sequence[Step], returned: set[Variable], threads: int) -> tuple[Step, ...]:
    """Order the steps, each after what it depends on, and take together what can run unit by unit.

    The number of threads decides how much is divided, and never what is computed.
    """
    queue = _Queue(steps, returned)
    formed: list[Step] = []
    apart: dict[int, dict[Variable, bool]] = {}
    while queue.waiting:
        first = queue.next()
        step = steps[first]
        columns = _column_units(step, threads) if isinstance(step, Contraction) else 1
        if columns > 1 and isinstance(step, Contraction):
            apart[len(formed)] = dict.fromkeys((*reads(step), *writes(step)), False)
            formed.append(Band((_split_columns(step, columns),), columns, parallel=True))
        elif isinstance(step, (Kernel, Contraction)):
            band = _Forming(step, threads)
            if not queue.is_small[first]:
                queue.extend(band)
            apart[len(formed)] = band.apart
            formed += band.finish()
        else:
            formed.append(step)
    return _with_local_buffers(formed, apart, returned)


class _Queue:
    """The steps that no band has yet, in the order in which memory is needed least.

    A band takes up what comes next. What comes later it takes ahead of its turn only if that reads what the
    band holds, and comes soon or needs no more memory than it frees: what is made early takes room until
    it is read.

    Attributes:
        steps: all of them.
        read, written: for each step the buffers.
        after: for each step those that must come before.
        waiting: the steps that are left.
        is_small: for each step whether it takes next to no time and room.
        small: which of those that are left do.
        left: how many of these read a buffer.
        stored: the buffers that take room only as long as something reads them.
    """

    def __init__(self, steps: Sequence[Step], returned: set[Variable]) -> None:
        self.steps = steps
        self.read = [frozenset(reads(step)) for step in steps]
        self.written = [frozenset(writes(step)) for step in steps]
        self.after = _dependencies(self.read, self.written)
        self.waiting = dict.fromkeys(range(len(steps)))
        self.is_small = [self._is_small(index, returned) for index in self.waiting]
        self.small = {index for index in self.waiting if self.is_small[index]}
        self.done: set[int] = set()
        self.left = Counter(x for read in self.read for x in read)
        self.stored = frozenset().union(*self.written) - returned

    def _is_small(self, index: int, returned: set[Variable]) -> bool:
        """Say whether a step is done at once; what may take the room of an input is not."""
        written = self.written[index]
        is_native = isinstance(self.steps[index], (Kernel, Contraction))
        if not is_native or not self.read[index] or not written.isdisjoint(returned):
            return False
        return _bytes(written) <= _SMALL and nanoseconds(self.steps[index]) <= _AT_ONCE

    def next(self) -> int:
        """Take the next step: a small one that is ready, so that no band has to stop for it."""
        ready = (index for index in self.small if self.after[index] <= self.done)
        first: int = min(ready, default=next(iter(self.waiting)))
        self._take(first)
        return first

    def extend(self, band: _Forming) -> None:
        """Add to a band what can join it."""
        passed: int | None = None  # the first step that was left out
        fills: dict[int, Splittable] = {}  # what reads nothing, and comes along with its reader
        for index in tuple(itertools.islice(self.waiting, _WINDOW)):
            step = self.steps[index]
            if isinstance(step, (Kernel, Contraction)):
                if passed is not None and not self.read[index]:
                    fills[index] = step
                    continue
                if passed is None or self._is_welcome(index, band, index - passed):
                    missing = self.after[index] - self.done
                    if missing <= fills.keys():
                        joining = {**{i: fills[i] for i in sorted(missing)}, index: step}
                        if band.join(tuple(joining.values())):
                            for i in joining:
                                self._take(i)
                            continue
            if passed is None:
                passed = index

    def _is_welcome(self, index: int, band: _Forming, ahead: int) -> bool:
        """Say whether a band should take a step ahead of its turn."""
        if band.apart.keys().isdisjoint(self.read[index]):
            return False
        if ahead < _NEAR:
            return True
        ending = _bytes(x for x in self.read[index] if x in self.stored and self.left[x] == 1)
        return _bytes(x for x in self.written[index] if x in self.stored) <= ending

    def _take(self, index: int) -> None:
        del self.waiting[index]
        self.small.discard(index)
        self.done.add(index)
        for x in self.read[index]:
            self.left[x] -= 1


def _with_local_buffers(
    steps: list[Step], apart: dict[int, dict[Variable, bool]], returned: set[Variable]
) -> tuple[Step, ...]:
    """Give each thread its own room for what only one band touches, and each unit apart."""
    touched: dict[Variable, set[int]] = {}
    for index, step in enumerate(steps):
        for buffer in (*reads(step), *writes(step)):
            touched.setdefault(buffer, set()).add(index)
    finished: list[Step] = []
    for index, step in enumerate(steps):
        if isinstance(step, Band) and step.units > 1:
            written = dict.fromkeys(writes(step))
            local = tuple(
                x for x in written if x not in returned and len(touched[x]) == 1 and apart[index][x]
            )
            finished.append(step._replace(local=local, steps=tuple(_in_place(x, local) for x in step.steps)))
        else:
            finished.append(step)
    return tuple(finished)


def _in_place(step: Splittable, local: tuple[Variable, ...]) -> Splittable:
    """Return a split step whose accesses to local buffers do not move along the units."""

    def still(access: Access, axis: int) -> Access:
        strides = access.strides
        return access._replace(strides=(*strides[:axis], 0, *strides[axis + 1 :]))

    return _along_units(step, lambda x, axis: still(x, axis) if x.buffer in local else x)


def _along_units(step: Splittable, change: Callable[[Access, int], Access]) -> Splittable:
    """Return a step with those accesses changed that move along its units, given which stride that is."""
    if isinstance(step, Contraction):
        axis = step.outermost
        right = step.right if step.splits_rows else change(step.right, 0)
        return step._replace(left=change(step.left, axis), right=right, out=change(step.out, axis))
    return step._replace(
        values=tuple(
            x._replace(access=change(x.access, 0)) if isinstance(x, (Load, Gather)) else x
            for x in step.values
        ),
        stores=tuple(x._replace(access=change(x.access, 0)) for x in step.stores),
        reductions=tuple(x._replace(access=change(x.access, 0)) for x in step.reductions),
        scatters=tuple(x._replace(access=change(x.access, 0)) for x in step.scatters),
    )


def _dependencies(
    read: Sequence[frozenset[Variable]], written: Sequence[frozenset[Variable]]
) -> list[set[int]]:
    """Return for each step those that must come before."""
    writers: dict[Variable, list[int]] = {}
    readers: dict[Variable, list[int]] = {}
    after: list[set[int]] = []
    for index, (reading, writing) in enumerate(zip(read, written, strict=True)):
        before: set[int] = set()
        for buffer in reading:
            before.update(writers.get(buffer, ()))
            readers.setdefault(buffer, []).append(index)
        for buffer in writing:
            before.update(writers.get(buffer, ()))
            before.update(readers.get(buffer, ()))
            writers.setdefault(buffer, []).append(index)
        before.discard(index)
        after.append(before)
    return after


class _Forming:
    """A band in the making.

    Attributes:
        steps: so far.
        units: how many units there can be.
        most: how many units there should be at most.
        apart: for each buffer whether each unit touches a part of its own.
    """

    def __init__(self, step: Splittable, threads: int) -> None:
        self.threads = threads
        self.steps = [step]
        self.units = _leading(step)
        self.most = _most_units(step)
        self.apart: dict[Variable, bool] = {}
        self.written = set(writes(step))
        self._note(step)

    def join(self, steps: tuple[Splittable, ...]) -> bool:
        """Add all of some steps, or none; say which."""
        if len(steps) == 1:
            return self._joins(steps[0]) or self._joins_turned(steps[0])
        before = list(self.steps), self.units, self.most, dict(self.apart), set(self.written)
        if all(map(self._joins, steps)):
            return True
        self.steps, self.units, self.most, self.apart, self.written = before
        return False

    def _joins_turned(self, step: Splittable) -> bool:
        """Add a copy of what the band makes, if the lines stay in cache that its units write parts of."""
        turned = in_source_order(step)
        if turned is None or _bytes(writes(turned)) > _UNIT_BYTES:
            return False
        return self.written.issuperset(reads(turned)) and self._joins(turned)

    def _joins(self, step: Splittable) -> bool:
        """Add a step if its units fit those of the others; say whether they do."""
        if isinstance(step, Contraction) and _column_units(step, self.threads) > 1:
            return False
        units = math.gcd(self.units, _leading(step))
        if units == 1 or units < min(self.units, _FEWEST_UNITS):
            return False
        written = set(writes(step))
        shared = {x for x in reads(step) if x in self.written} | {x for x in written if x in self.apart}
        parts = list(unit_parts(step, units))
        if any(x in shared and not (apart and self.apart[x]) for x, apart in parts):
            return False
        most = min(self.most, _most_units(step))
        size = self._size() + _bytes(x for x, apart in parts if apart and x not in self.apart)
        if size > _COARSEST * most * _UNIT_BYTES:
            return False
        self.units, self.most = units, most
        self.steps.append(step)
        self.written |= written
        self._note(step)
        return True

    def _note(self, step: Splittable) -> None:
        for buffer, apart in unit_parts(step, self.units):
            self.apart[buffer] = self.apart.get(buffer, True) and apart

    def _size(self) -> int:
        """Return the bytes of all that units have a part of."""
        return _bytes(x for x, apart in self.apart.items() if apart)

    def finish(self) -> list[Band]:
        """Return the band, or its steps one by one if units would be of no use."""
        units = self._useful_units()
        if units == 1:
            return [Band((step,), 1, parallel=False) for step in self.steps]
        parallel = sum(map(nanoseconds, self.steps)) > _WORTH_THREADS
        return [Band(tuple(split_step(step, units) for step in self.steps), units, parallel)]

    def _useful_units(self) -> int:
        """Return the fewest units that stay in cache, as long as there is work for all threads."""
        size = self._size()
        if sum(map(nanoseconds, self.steps)) < _WORTH_THREADS and size < _UNIT_BYTES:
            return 1
        wanted = min(max(size // _UNIT_BYTES, _FEWEST_UNITS), self.most)
        divisors = [n for n in range(1, self.units + 1) if not self.units % n]
        return next((n for n in divisors if n >= wanted), divisors[-1])


def _bytes(buffers: Iterable[Variable]) -> int:
    return sum(x.type.nbytes for x in buffers)


def _most_units(step: Splittable) -> int:
    """Return how many units a step should have at most, two at least."""
    if not isinstance(step, Contraction) or not step.splits_rows:
        return sys.maxsize
    rows = math.prod(step.rows) // _UNIT_ROWS
    if not tile_axis(step):
        rows = min(rows, step.rows[0] // _TILED_ROWS)
    return max(rows, 2)


def split_step(step: Splittable, units: int) -> Splittable:
    """Return a step of which one call does one of so many units of its first axis."""
    if _leading(step) == 1:
        return step
    length = _leading(step) // units

    split = split_accesses(step, length)
    if isinstance(split, Kernel):
        return split._replace(
            shape=(units, length, *split.shape[1:]), reduced=(False, *split.reduced), split=True
        )
    if isinstance(step, Contraction) and step.splits_rows:
        return split._replace(rows=(units, length, *split.rows[1:]), split="rows")
    return split._replace(stack=(units, length, *split.stack[1:]), split="stack")


def _column_units(step: Contraction, threads: int) -> int:
    """Return into how many units of columns a contraction of too few rows should be divided.

    Where the right operand stays in cache, a unit of rows for each thread is enough, and others can join.
    """
    units, rest = divmod(step.columns, _COLUMNS)
    if step.stack or rest or units < _FEWEST_UNITS or _most_units(step) >= _FEWEST_UNITS:
        return 1
    if _most_units(step) >= threads and step.right.buffer.type.nbytes <= _UNIT_BYTES:
        return 1
    return units if nanoseconds(step) > _WORTH_THREADS else 1


def _split_columns(step: Contraction, units: int) -> Contraction:
    """Return a contraction of which one call does one of so many units of columns."""
    width = step.columns // units

    def along(access: Access, stride: int) -> Access:
        return access._replace(strides=(stride, *access.strides))

    return step._replace(
        stack=(units,),
        columns=width,
        left=along(step.left, 0),
        right=along(step.right, width),
        out=along(step.out, width),
        split="stack",
    )


def split_accesses(step: Splittable, length: int) -> Splittable:
    """Return a step whose accesses have two strides for the units: from part to part, and within one."""

    def along(access: Access, axis: int) -> Access:
        stride = access.strides[axis]
        both = (stride * length, stride)
        return access._replace(strides=(*access.strides[:axis], *both, *access.strides[axis + 1 :]))

    return _along_units(step, along)


def _leading(step: Splittable) -> int:
    """Return how many units a step can have at most."""
    if isinstance(step, Contraction):
        return (step.rows if step.splits_rows else step.stack)[0]
    splits = 0 not in step.shape and step.shape and not step.reduced[0] and not step.scatters
    return step.shape[0] if splits else 1


def unit_parts(step: Splittable, units: int) -> Iterator[tuple[Variable, bool]]:
    """Return for each access its buffer, and whether each unit stays in a part of that of its own."""
    split = split_step(step, units)
    if isinstance(split, Kernel):
        moved = {x.access for x in split.values if isinstance(x, Gather)}
        for access in accesses(split):
            apart = access not in moved and _keeps_apart(access, split.shape, units, 0)
            yield access.buffer, apart
        yield from ((wait.buffer, False) for wait in split.waits if wait.whole)
        return
    outer, axis = (*split.stack, *split.rows), split.outermost
    yield split.left.buffer, _keeps_apart(split.left, (*outer, *split.inner), units, axis)
    yield split.out.buffer, _keeps_apart(split.out, (*outer, split.columns), units, axis)
    inner = (*split.stack, *split.inner, split.columns)
    yield split.right.buffer, not split.splits_rows and _keeps_apart(split.right, inner, units, axis)


def _keeps_apart(access: Access, loops: Shape, units: int, axis: int) -> bool:
    """Say whether for each unit, an index of one loop, an access stays in that unit's part of the buffer."""
    part, rest = divmod(access.buffer.type.size, units)
    if units == 1 or rest or not part or access.strides[axis] != part:
        return False
    lengths = zip(loops, access.strides, strict=True)
    inner = [(n - 1) * stride for k, (n, stride) in enumerate(lengths) if k != axis]
    low = access.offset + sum(x for x in inner if x < 0)
    high = access.offset + sum(x for x in inner if x > 0)
    return low >= 0 and high < part


def nanoseconds(step: Step) -> float:
    """Return about how long a step takes on one thread."""
    if isinstance(step, Contraction):
        return 2e-2 * math.prod((*step.stack, *step.rows, *step.inner, max(step.columns, 8)))
    if isinstance(step, Kernel):
        operations = sum(isinstance(x, Apply) for x in step.values)
        return math.prod(step.shape) * (0.15 * len(accesses(step)) + 0.05 * operations)
    if isinstance(step, Band):
        return sum(map(nanoseconds, step.steps))
    return 0.0
