"""Reductions over the first axis in two stages, so that they run unit by unit like everything around them.

Each unit reduces its own part; a small kernel combines the parts. How a sum is divided depends on its length
alone, so that it has the same value on any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from transforms.backends.llvm.bands import nanoseconds
from transforms.backends.llvm.steps import Access, Kernel, Load, Reduce, Step
from transforms.backends.llvm.units import split_accesses
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Variable
from transforms.types import ArrayType

# A reduction that takes less than so many nanoseconds stays whole.
_WORTH = 8_000.0
_PARTS = 32


def in_stages(steps: Iterable[Step]) -> list[Step]:
    """Divide the long reductions over first axes."""
    divided: list[Step] = []
    for step in steps:
        divided.extend(_stages(step) if isinstance(step, Kernel) else [step])
    return divided


def _stages(kernel: Kernel) -> list[Step]:
    parts = _count(kernel)
    if parts == 1:
        return [kernel]
    split = split_accesses(kernel, kernel.shape[0] // parts)
    assert isinstance(split, Kernel)
    buffers = {
        x.access.buffer: Variable(ArrayType((parts, *x.access.buffer.type.shape), x.dtype))
        for x in kernel.reductions
    }

    def partial(reduction: Reduce) -> Reduce:
        size = reduction.access.buffer.type.size
        strides = (size, *reduction.access.strides[1:])
        return reduction._replace(access=Access(buffers[reduction.access.buffer], 0, strides))

    first = split._replace(
        shape=(parts, kernel.shape[0] // parts, *kernel.shape[1:]),
        reduced=(False, *kernel.reduced),
        reductions=tuple(map(partial, split.reductions)),
    )
    return [first, *(_combination(x, buffers[x.access.buffer], parts) for x in kernel.reductions)]


def _combination(reduction: Reduce, buffer: Variable, parts: int) -> Kernel:
    """Return the kernel that reduces the parts of a result."""
    result = reduction.access.buffer
    shape = (parts, *result.type.shape)
    load = Load(whole(buffer).access, reduction.dtype)
    target = Access(result, 0, (0, *contiguous_strides(result.type.shape)))
    combined = Reduce(reduction.operation, 0, target, reduction.dtype)
    return Kernel(shape, (True, *(False for _ in shape[1:])), (load,), (), (combined,))


def _count(kernel: Kernel) -> int:
    """Return into how many parts a reduction should be divided; 1 for not at all."""
    if (
        not kernel.reductions
        or not kernel.shape
        or not kernel.reduced[0]
        or kernel.scatters
        or nanoseconds(kernel) < _WORTH
    ):
        return 1
    length = kernel.shape[0]
    parts = next((n for n in range(min(_PARTS, length), 3, -1) if not length % n), 1)
    size = max(x.access.buffer.type.size for x in kernel.reductions)
    elements = math.prod(kernel.shape)
    whole_results = all(x.access.offset == 0 for x in kernel.reductions)
    return parts if whole_results and parts * size * 4 <= elements else 1
