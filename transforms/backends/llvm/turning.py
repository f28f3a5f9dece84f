"""Copies whose axes change places: which kernels should read one, and how they are divided into units.

A kernel's innermost loop goes along what it writes. An operand whose neighbours lie along another axis costs
it a line of the cache for each element. To transpose it first, by squares in registers, takes a fraction of
that. The copy is a step of its own, of which a band makes a unit at a time, so that it is read while it is in
cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from transforms.backends.llvm.layouts import in_source_order
from transforms.backends.llvm.steps import Access, Kernel, Load, Step, Store, expanded, writes
from transforms.backends.llvm.units import divided, divisors
from transforms.backends.llvm.views import contiguous_strides
from transforms.graph.ir import Variable
from transforms.types import ArrayType

# Of fewer elements the lines stay in the first cache, and along fewer there is no square worth while.
_FEWEST = 1 << 13
_SHORTEST = 8
# A unit of a copy has so many rows, or as few as move whole lines; smaller copies are in cache at once.
_ROWS, _FEWEST_ROWS = 64, 16
_LARGE = 1 << 15
# There should be so many units at least.
_UNITS = 8
# A kernel with more such operands, as a transform of tiles is, would need as many copies.
_MOST = 2


def with_turned_operands(steps: Iterable[Step]) -> list[Step]:
    """Put before each kernel the copies of those operands that lie the other way."""
    return expanded(steps, _turned)


def in_whole_lines(steps: Iterable[Step]) -> list[Step]:
    """Divide the copies so that a unit of each reads and writes lines of the cache as a whole."""
    return expanded(steps, lambda kernel: (_in_whole_lines(kernel),))


def _turned(kernel: Kernel) -> Sequence[Step]:
    """Return the copies that a kernel should read, and the kernel that reads them."""
    axis = _axis_of_stores(kernel)
    if axis is None or kernel.scatters or len(kernel.values) == 1:
        return [kernel]
    written = set(writes(kernel))
    loads = [x for x in kernel.values if isinstance(x, Load) and x.access.buffer not in written]
    across = dict.fromkeys(x for x in loads if _lies_across(kernel, x.access, axis))
    if len(across) > _MOST:
        return [kernel]
    copies: list[Step] = []
    instead: dict[Load, Load] = {}
    for load in across:
        copy, instead[load] = _copied(kernel, load, axis)
        copies.append(copy)
    values = tuple(instead.get(x, x) if isinstance(x, Load) else x for x in kernel.values)
    return [*copies, kernel._replace(values=values)]


def _axis_of_stores(kernel: Kernel) -> int | None:
    """Return the axis along which all that is written is adjacent; None if there is none, or it is short."""
    for axis, length in enumerate(kernel.shape):
        if length >= _SHORTEST and all(x.access.strides[axis] == 1 for x in kernel.stores):
            return axis if kernel.stores else None
    return None


def _lies_across(kernel: Kernel, access: Access, axis: int) -> bool:
    """Say whether an access goes far along an axis, and in small steps along another one."""
    if access.strides[axis] < _SHORTEST:
        return False
    moving = [n for n, stride in zip(kernel.shape, access.strides, strict=True) if stride]
    others = zip(kernel.shape, access.strides, strict=True)
    is_adjacent = any(stride == 1 and n >= _SHORTEST for n, stride in others)
    return is_adjacent and _FEWEST <= math.prod(moving) <= access.buffer.type.size


def _copied(kernel: Kernel, load: Load, axis: int) -> tuple[Kernel, Load]:
    """Return a copy of what a kernel reads, with the elements along an axis adjacent, and what reads it."""
    moving = [k for k, stride in enumerate(load.access.strides) if stride]
    order = [*(k for k in moving if k != axis), axis]
    buffer = Variable(ArrayType(tuple(kernel.shape[k] for k in order), load.dtype))
    strides = dict(zip(order, contiguous_strides(buffer.type.shape), strict=True))
    copy = Kernel(
        tuple(kernel.shape[k] for k in moving),
        (False,) * len(moving),
        (load._replace(access=load.access._replace(strides=tuple(load.access.strides[k] for k in moving))),),
        (Store(0, Access(buffer, 0, tuple(strides[k] for k in moving))),),
        (),
        waits=kernel.waits,
    )
    along = tuple(strides.get(k, 0) for k in range(len(kernel.shape)))
    return copy, Load(Access(buffer, 0, along), load.dtype)


def _in_whole_lines(kernel: Kernel) -> Kernel:
    """Return a copy divided along rows of its target, or of its source if that gives more units."""
    if len(kernel.values) != 1 or len(kernel.stores) != 1 or kernel.reductions or kernel.scatters:
        return kernel
    if math.prod(kernel.shape) < _LARGE or not isinstance(kernel.values[0], Load):
        return kernel
    in_rows, units = _in_blocks(kernel)
    if units >= _UNITS:
        return in_rows
    turned = in_source_order(kernel)
    if turned is None:
        return in_rows
    in_columns, more = _in_blocks(turned)
    return in_columns if more > units else in_rows


def _in_blocks(kernel: Kernel) -> tuple[Kernel, int]:
    """Return a copy whose first axis is one of blocks if lines lie across it, and the length of that axis."""
    load, store = kernel.values[0], kernel.stores[0]
    assert isinstance(load, Load)
    length = kernel.shape[0]
    strides = load.access.strides[0], store.access.strides[0]
    if 1 not in strides or strides == (1, 1):
        return kernel, length
    fitting = [n for n in divisors(length) if n >= _FEWEST_ROWS] or [length]
    rows = next((n for n in fitting if n >= _ROWS and n * _UNITS <= length), fitting[0])
    return divided(kernel, rows), length // rows
