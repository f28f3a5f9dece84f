"""How steps are divided into units, and what of a buffer each unit touches.

A unit is one index of a step's first axis; or, where that takes more than fits the cache, one index of the
first axis and one block of rows, as of the scores of a head.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import TypeAlias

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


def unit_parts(step: Splittable) -> Iterator[tuple[Variable, bool]]:
    """Return the buffer of each access of a split step, and whether each unit has a part of it alone."""
    axes = step.unit_axes
    if isinstance(step, Kernel):
        moved = {x.access for x in step.values if isinstance(x, Gather)}
        for access in accesses(step):
            yield access.buffer, access not in moved and _keeps_apart(access, step.shape, axes)
        yield from ((wait.buffer, False) for wait in step.waits if wait.whole)
        return
    outer = (*step.stack, *step.rows)
    yield step.left.buffer, _keeps_apart(step.left, (*outer, *step.inner), axes)
    yield step.out.buffer, _keeps_apart(step.out, (*outer, step.columns), axes)
    inner = (*step.stack, *step.inner, step.columns)
    yield step.right.buffer, step.split == "stack" and _keeps_apart(step.right, inner, axes)


def in_place(step: Splittable, local: tuple[Variable, ...]) -> Splittable:
    """Return a split step whose accesses to local buffers do not move along the units."""
    if set(local).isdisjoint((*reads(step), *writes(step))):
        return step
    axes = step.unit_axes

    def still(access: Access) -> Access:
        if access.buffer not in local:
            return access
        strides = tuple(0 if axis in axes else x for axis, x in enumerate(access.strides))
        return access._replace(strides=strides)

    if isinstance(step, Contraction):
        right = still(step.right) if step.split == "stack" else step.right
        return step._replace(left=still(step.left), right=right, out=still(step.out))
    return with_accesses(step, still)


def _keeps_apart(access: Access, loops: Shape, axes: tuple[int, ...]) -> bool:
    """Say whether for each unit, an index of some loops, an access stays in a part of its own."""
    part = access.buffer.type.size
    for axis in axes:  # the outer one first
        part, rest = divmod(part, loops[axis])
        if rest or not part or access.strides[axis] != part:
            return False
    if math.prod(loops[axis] for axis in axes) == 1:
        return False
    lengths = zip(loops, access.strides, strict=True)
    inner = [(n - 1) * stride for k, (n, stride) in enumerate(lengths) if k not in axes]
    low = access.offset + sum(x for x in inner if x < 0)
    high = access.offset + sum(x for x in inner if x > 0)
    return low >= 0 and high < part
