"""How steps are divided into units, and what of a buffer each unit touches.

A unit is one index of a step's first axis; or, where that takes more than fits the cache, one index of the
first axis and one block of rows, as of the scores of a head.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeVar

from transforms.backends.llvm.steps import (
    Access,
    Contraction,
    Gather,
    Kernel,
    accesses,
    is_running,
    reads,
    with_accesses,
    writes,
)
from transforms.graph.ir import Variable
from transforms.types import Shape

Splittable: TypeAlias = Kernel | Contraction
_T = TypeVar("_T")


def divisors(number: int) -> list[int]:
    """Return what divides a positive number, in order.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [n for n in range(1, math.isqrt(number) + 1) if not number % n]
    return [*small, *(number // n for n in reversed(small) if n * n != number)]


def leading(step: Splittable) -> int:
    """Return how many units a step can have at most."""
    if isinstance(step, Contraction):
        return (step.rows if step.splits_rows else step.stack)[0]
    splits = 0 not in step.shape and step.shape and not step.reduced[0] and not step.scatters
    return step.shape[0] if splits else 1


def has_units(step: Splittable, units: int) -> bool:
    """Say whether a step can be divided into so many units, of its first axis or of each index of several."""
    return not leading(step) % units or _outer(step, units) > 0


def _outer(step: Splittable, units: int) -> int:
    """Return of how many of a kernel's first loops so many units would be one index each; 0 if of none."""
    if isinstance(step, Contraction) or step.scatters or is_running(step):
        return 0
    counts = itertools.accumulate(step.shape, operator.mul)
    found = next((axis + 1 for axis, count in enumerate(counts) if count == units), 0)
    return 0 if any(step.reduced[:found]) else found


def split_step(step: Splittable, units: int) -> Splittable:
    """Return a step of which one call does one of so many units."""
    if leading(step) == 1:
        return step
    if isinstance(step, Kernel) and leading(step) % units:
        return step._replace(split=_outer(step, units))
    length = leading(step) // units
    if isinstance(step, Kernel):
        return divided(step, length)._replace(split=1)
    split = _split_accesses(step, length)
    if split.splits_rows:
        return split._replace(rows=(units, length, *split.rows[1:]), split="rows")
    return split._replace(stack=(units, length, *split.stack[1:]), split="stack")


def divided(kernel: Kernel, length: int) -> Kernel:
    """Return a kernel whose first loop is two: over parts of some length, over which no reduction runs."""
    split = with_accesses(kernel, lambda access: _split(access, 0, length))
    shape = (kernel.shape[0] // length, length, *kernel.shape[1:])
    return split._replace(shape=shape, reduced=(False, *kernel.reduced))


def with_first(kernel: Kernel, axis: int) -> Kernel:
    """Return a kernel whose first loop is another one of its loops."""

    def moved(of_loops: tuple[_T, ...]) -> tuple[_T, ...]:
        return (of_loops[axis], *of_loops[:axis], *of_loops[axis + 1 :])

    turned = with_accesses(kernel, lambda access: access._replace(strides=moved(access.strides)))
    return turned._replace(shape=moved(kernel.shape), reduced=moved(kernel.reduced))


def split_columns(step: Contraction, units: int) -> Contraction:
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
        wanted=None,
    )


def rows_of(step: Splittable, units: int) -> int:
    """Return how many rows each index of a step's first axis has, if there are so many; 0 without rows."""
    if isinstance(step, Contraction):
        fits = step.stack[:1] == (units,) and not step.splits_rows and not step.is_empty
        return step.rows[0] if fits else 0
    outer = _outer(step, units)
    fits = 0 < outer < len(step.shape) and not step.reduced[outer]
    return step.shape[outer] if fits else 0


def split_rows(step: Splittable, units: int, blocks: int) -> Splittable:
    """Return a step of which one call does one of so many blocks of the rows of one of its units."""
    axis = len(step.stack) if isinstance(step, Contraction) else _outer(step, units)
    length = (step.rows[0] if isinstance(step, Contraction) else step.shape[axis]) // blocks

    def along(access: Access) -> Access:
        return _split(access, axis, length)

    if isinstance(step, Contraction):
        rows = (blocks, length, *step.rows[1:])
        return step._replace(left=along(step.left), out=along(step.out), rows=rows, split="both")
    shape = (*step.shape[:axis], blocks, length, *step.shape[axis + 1 :])
    reduced = (False, *step.reduced)
    return with_accesses(step, along)._replace(shape=shape, reduced=reduced, split=axis + 1)


def _split_accesses(step: Contraction, length: int) -> Contraction:
    """Return a contraction with two strides for the axis of the units: from part to part, and within one."""
    axis = step.outermost
    right = step.right if step.splits_rows else _split(step.right, 0, length)
    left, out = (_split(access, axis, length) for access in (step.left, step.out))
    return step._replace(left=left, right=right, out=out)


def _split(access: Access, axis: int, length: int) -> Access:
    """Return an access with two strides for an axis: from part to part of some length, and within one."""
    stride = access.strides[axis]
    return access._replace(
        strides=(*access.strides[:axis], stride * length, stride, *access.strides[axis + 1 :])
    )


def unit_parts(step: Splittable) -> Iterator[tuple[Variable, int]]:
    """Return the buffer of each access of a split step, and the period of the parts that units have of it.

    In each period, so many elements, each unit has a part of its own, in order, and touches no other. Of a
    buffer that is one period a unit has one part; of columns of a matrix it has one in each row. The period
    is 0 if units do not stay apart.
    """
    axes = step.unit_axes
    if isinstance(step, Kernel):
        moved = {x.access for x in step.values if isinstance(x, Gather)}
        for access in accesses(step):
            yield access.buffer, 0 if access in moved else _period(access, step.shape, axes)
        yield from ((wait.buffer, 0) for wait in step.waits if wait.whole)
        return
    outer = (*step.stack, *step.rows)
    yield step.left.buffer, _period(step.left, (*outer, *step.inner), axes)
    yield step.out.buffer, _period(step.out, (*outer, step.columns), axes)
    inner = (*step.stack, *step.inner, step.columns)
    yield step.right.buffer, _period(step.right, inner, axes) if step.split == "stack" else 0


def periods(steps: Iterable[Splittable]) -> dict[Variable, int]:
    """Return for each buffer that split steps touch the period of units' parts; 0 if they do not agree."""
    found: dict[Variable, int] = {}
    for step in steps:
        note_parts(found, unit_parts(step))
    return found


def note_parts(found: dict[Variable, int], parts: Iterable[tuple[Variable, int]]) -> None:
    """Note the periods of a step's parts beside those found before; they become 0 where they differ."""
    for buffer, period in parts:
        if found.setdefault(buffer, period) != period:
            found[buffer] = 0


def in_place(step: Splittable, units: int, local: dict[Variable, int]) -> Splittable:
    """Return a split step whose accesses to local buffers, given their periods, stay in one unit's parts.

    These are then next to each other.
    """
    if local.keys().isdisjoint((*reads(step), *writes(step))):
        return step
    axes = step.unit_axes

    def still(access: Access) -> Access:
        if access.buffer not in local:
            return access
        period = local[access.buffer]
        before, within = divmod(access.offset, period)
        strides = (stride if stride % period else stride // units for stride in access.strides)
        return access._replace(
            offset=before * (period // units) + within,
            strides=tuple(0 if axis in axes else stride for axis, stride in enumerate(strides)),
        )

    if isinstance(step, Contraction):
        right = still(step.right) if step.split == "stack" else step.right
        return step._replace(left=still(step.left), right=right, out=still(step.out))
    return with_accesses(step, still)


def _period(access: Access, loops: Shape, axes: tuple[int, ...]) -> int:
    """Return the period of the parts in which an access stays for each unit, an index of some loops."""
    units = math.prod(loops[axis] for axis in axes)
    if units == 1:
        return 0
    part = period = access.strides[axes[0]] * loops[axes[0]]
    if period <= 0 or access.buffer.type.size % period:
        return 0
    for axis in axes:  # the outer one first
        part, rest = divmod(part, loops[axis])
        if rest or not part or access.strides[axis] != part:
            return 0
    lengths = zip(loops, access.strides, strict=True)
    inner = [(n - 1) * x for k, (n, x) in enumerate(lengths) if k not in axes and x % period]
    first = access.offset % period
    low, high = (first + sum(x for x in inner if x * sign > 0) for sign in (-1, 1))
    return period if low >= 0 and high < part else 0
