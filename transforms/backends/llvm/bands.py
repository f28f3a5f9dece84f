"""Bands: which steps run together unit by unit, so that a result is read while it is in cache.

A band begins with the first step that can run, and takes up what can follow, as far as its units allow; what
must wait for other units, such as a sum over all examples, begins another band.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from transforms.backends.llvm.layouts import in_source_order
from transforms.backends.llvm.overwriting import write_in_place
from transforms.backends.llvm.steps import (
    Apply,
    Band,
    Contraction,
    Kernel,
    Step,
    accesses,
    is_running,
    reads,
    writes,
)
from transforms.backends.llvm.tiling import tile_axis
from transforms.backends.llvm.units import (
    Splittable,
    divisors,
    has_units,
    in_place,
    leading,
    note_parts,
    periods,
    rows_of,
    split_columns,
    split_rows,
    split_step,
    unit_parts,
    with_first,
)
from transforms.graph.ir import Variable

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
# A unit that touches less than this is not made to touch more for the sake of steps that have fewer units.
_HUGE = 1 << 23
# A step that makes no more bytes, in no more nanoseconds, runs before others wait for it.
_SMALL, _AT_ONCE = 1 << 12, 1000.0
# A kernel that joins along features reads no more bytes of what the band did not make.
_ASIDE = 1 << 15
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
    del steps
    formed: list[Step] = []
    while queue.waiting:
        first, step = queue.next()
        columns = _column_units(step, threads) if isinstance(step, Contraction) else 1
        if columns > 1 and isinstance(step, Contraction):
            formed.append(Band((split_columns(step, columns),), columns, parallel=True))
        elif isinstance(step, (Kernel, Contraction)):
            band = _Forming(step, threads)
            if not queue.is_small[first]:
                queue.extend(band)
            formed += band.finish()
        else:
            formed.append(step)
    return _with_local_buffers(formed, returned)


class _Queue:
    """The steps that no band has yet, in the order in which memory is needed least.

    A band takes up what comes next. What comes later it takes ahead of its turn only if that reads what the
    band holds, and comes soon or needs no more memory than it frees: what is made early takes room until
    it is read.

    Attributes:
        read, written: for each step the buffers.
        after: for each step those that must come before.
        waiting: the steps that are left, by their numbers.
        is_small: for each step whether it takes next to no time and room.
        small: which of those that are left do.
        left: how many of these read a buffer.
        stored: the buffers that take room only as long as something reads them.
    """

    def __init__(self, steps: Sequence[Step], returned: set[Variable]) -> None:
        self.read = [frozenset(reads(step)) for step in steps]
        self.written = [frozenset(writes(step)) for step in steps]
        self.after = _dependencies(self.read, self.written)
        self.waiting = dict(enumerate(steps))
        self.is_small = [self._is_small(index, returned) for index in self.waiting]
        self.small = {index for index in self.waiting if self.is_small[index]}
        self.done: set[int] = set()
        self.left = Counter(x for read in self.read for x in read)
        self.stored = frozenset().union(*self.written) - returned

    def _is_small(self, index: int, returned: set[Variable]) -> bool:
        """Say whether a step is done at once; what may take the room of an input is not."""
        written = self.written[index]
        is_native = isinstance(self.waiting[index], (Kernel, Contraction))
        if not is_native or not self.read[index] or not written.isdisjoint(returned):
            return False
        return _bytes(written) <= _SMALL and nanoseconds(self.waiting[index]) <= _AT_ONCE

    def next(self) -> tuple[int, Step]:
        """Take the next step: a small one that is ready, so that no band has to stop for it."""
        ready = (index for index in self.small if self.after[index] <= self.done)
        first: int = min(ready, default=next(iter(self.waiting)))
        return first, self._take(first)

    def extend(self, band: _Forming) -> None:
        """Add to a band what can join it."""
        passed: int | None = None  # the first step that was left out
        fills: dict[int, Splittable] = {}  # what reads nothing, and comes along with its reader
        for index in tuple(itertools.islice(self.waiting, _WINDOW)):
            step = self.waiting[index]
            if isinstance(step, (Kernel, Contraction)):
                if passed is not None and not self.read[index]:
                    fills[index] = step
                    continue
                if passed is None or self._is_welcome(index, band, index - passed):
                    missing = self.after[index] - self.done
                    if missing <= fills.keys():
                        joining = {**{i: fills[i] for i in sorted(missing)}, index: step}
                        if band.join(tuple(joining.values()), self._ending(index)):
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
        return _bytes(x for x in self.written[index] if x in self.stored) <= _bytes(self._ending(index))

    def _ending(self, index: int) -> set[Variable]:
        """Return the buffers that nothing reads after a step."""
        return {x for x in self.read[index] if x in self.stored and self.left[x] == 1}

    def _take(self, index: int) -> Step:
        step = self.waiting.pop(index)
        self.small.discard(index)
        self.done.add(index)
        for x in self.read[index]:
            self.left[x] -= 1
        return step


def _with_local_buffers(steps: list[Step], returned: set[Variable]) -> tuple[Step, ...]:
    """Give each thread its own room for what only one band touches, and each unit apart."""
    touched: dict[Variable, set[int]] = {}
    for index, step in enumerate(steps):
        for buffer in (*reads(step), *writes(step)):
            touched.setdefault(buffer, set()).add(index)
    for index, step in enumerate(steps):
        if isinstance(step, Band) and step.units > 1:
            own = {x for x in writes(step) if x not in returned and len(touched[x]) == 1}
            band = write_in_place(step, own)
            apart = periods(band.steps)
            local = {x: apart[x] for x in writes(band) if x in own and apart[x]}
            inner = tuple(in_place(x, band.units, local) for x in band.steps)
            steps[index] = band._replace(local=tuple(local), steps=inner)
    return tuple(steps)


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
        apart: for each buffer the period in which each unit has a part of its own; 0 if units share parts.
    """

    def __init__(self, step: Splittable, threads: int) -> None:
        self.threads = threads
        self.steps = [step]
        self.units = leading(step)
        self.most = _most_units(step)
        self.apart: dict[Variable, int] = {}
        self.written = set(writes(step))
        note_parts(self.apart, unit_parts(split_step(step, self.units)))

    def join(self, steps: tuple[Splittable, ...], ending: set[Variable]) -> bool:
        """Add all of some steps, or none, given what nothing reads after them; say which."""
        if len(steps) == 1:
            (step,) = steps
            return self._joins(step) or self._joins_turned(step) or self._joins_along(step, ending)
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

    def _joins_along(self, step: Splittable, ending: set[Variable]) -> bool:
        """Add a kernel along the axis of which each unit has a part in each row, as of some features.

        It has to be the last that reads these, and to read little else, of which it takes short parts, too.
        """
        if not isinstance(step, Kernel) or step.scatters or is_running(step):
            return False
        if _bytes({*reads(step)} - self.written) > _ASIDE:
            return False
        for access in accesses(step):
            x, period = access.buffer, self.apart.get(access.buffer, 0)
            if x in self.written and x in ending and 0 < period < x.type.size:
                lengths = zip(step.shape, access.strides, strict=True)
                axis = next((k for k, (n, stride) in enumerate(lengths) if n * stride == period), 0)
                return axis > 0 and self._joins(with_first(step, axis))
        return False

    def _joins(self, step: Splittable) -> bool:
        """Add a step if its units fit those of the others; say whether they do."""
        if isinstance(step, Contraction) and _column_units(step, self.threads) > 1:
            return False
        units = math.gcd(self.units, leading(step))
        if units < min(self.units, _FEWEST_UNITS) and has_units(step, self.units):
            units = self.units
        if units == 1 or units < min(self.units, _FEWEST_UNITS):
            return False
        if _HUGE * units < self._size() <= _HUGE * self.units:
            return False
        if not all(has_units(x, units) for x in self.steps):
            return False
        written = set(writes(step))
        shared = {x for x in reads(step) if x in self.written} | {x for x in written if x in self.apart}
        parts = list(unit_parts(split_step(step, units)))
        if any(x in shared and not (period and period == self.apart[x]) for x, period in parts):
            return False
        most = min(self.most, _most_units(step))
        size = self._size() + _bytes(x for x, period in parts if period and x not in self.apart)
        if size > _COARSEST * most * _UNIT_BYTES:
            return False
        self.units, self.most = units, most
        self.steps.append(step)
        self.written |= written
        note_parts(self.apart, parts)
        return True

    def _size(self) -> int:
        """Return the bytes of all that units have a part of."""
        return _bytes(x for x, apart in self.apart.items() if apart)

    def finish(self) -> list[Band]:
        """Return the band, or its steps one by one if units would be of no use."""
        units = self._useful_units()
        if units == 1:
            return [Band((step,), 1, parallel=False) for step in self.steps]
        parallel = sum(map(nanoseconds, self.steps)) > _WORTH_THREADS
        whole = Band(tuple(split_step(step, units) for step in self.steps), units, parallel)
        if self._size() <= _COARSEST * units * _UNIT_BYTES:
            return [whole]
        bands = [_in_blocks(steps, units, rows, parallel) for steps, rows in _runs(self.steps, units)]
        return bands if _take_less(bands, whole, self.threads) else [whole]

    def _useful_units(self) -> int:
        """Return the fewest units that stay in cache, as long as there is work for all threads."""
        size = self._size()
        if sum(map(nanoseconds, self.steps)) < _WORTH_THREADS and size < _UNIT_BYTES:
            return 1
        wanted = min(max(size // _UNIT_BYTES, _FEWEST_UNITS), self.most)
        counts = [n for n in divisors(self.units) if all(has_units(step, n) for step in self.steps)]
        return next((n for n in counts if n >= wanted), counts[-1])


def _runs(steps: Sequence[Splittable], units: int) -> list[tuple[list[Splittable], int]]:
    """Return the steps in runs whose units can be divided into blocks of the same rows, and how many rows."""
    runs: list[tuple[list[Splittable], int]] = []
    for step in steps:
        rows = rows_of(step, units)
        if runs and runs[-1][1] == rows and (not rows or _keeps_to_rows([*runs[-1][0], step], units, rows)):
            runs[-1][0].append(step)
        else:
            runs.append(([step], rows))
    return runs


def _keeps_to_rows(steps: Sequence[Splittable], units: int, rows: int) -> bool:
    """Say whether of what some steps make they read the same rows only."""
    apart = periods(split_rows(step, units, rows) for step in steps)
    return all(apart[x] for step in steps for x in writes(step))


def _in_blocks(steps: Sequence[Splittable], units: int, rows: int, parallel: bool) -> Band:
    """Return a band whose units are blocks of rows that stay in cache, if there are rows."""
    most = rows // _UNIT_ROWS
    if most < 2 or len(steps) == 1:
        return Band(tuple(split_step(step, units) for step in steps), units, parallel)
    apart = periods(split_rows(step, units, rows) for step in steps)
    wanted = _bytes(x for x, keeps in apart.items() if keeps) // (units * _UNIT_BYTES)
    counts = [n for n in divisors(rows) if n <= most]
    blocks = next((n for n in counts if n >= wanted), counts[-1])
    return Band(tuple(split_rows(step, units, blocks) for step in steps), units * blocks, parallel)


def _take_less(bands: Sequence[Band], whole: Band, threads: int) -> bool:
    """Say whether threads need less room for bands than for the one that they are of."""

    def local(band: Band) -> int:
        written, apart = set(writes(band)), periods(band.steps)
        return threads * _bytes(x for x in written if apart[x]) // band.units

    written = [{*reads(band), *writes(band)} & {*writes(whole)} for band in bands]
    touched = Counter(x for buffers in written for x in buffers)
    between = _bytes(x for x, count in touched.items() if count > 1)
    return between + max(map(local, bands)) < local(whole)


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
