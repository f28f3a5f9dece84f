"""Reductions over the first axis in two stages, so that they run unit by unit like everything around them.

Each unit reduces its own part; a small kernel combines the parts. How a sum is divided depends on its length
alone, so that it has the same value on any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from transforms.backends.llvm.bands import nanoseconds
from transforms.backends.llvm.steps import Access, Kernel, Load, Reduce, Step, expanded
from transforms.backends.llvm.units import divided
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Variable
from transforms.types import ArrayType, Shape

# A reduction that takes less than so many nanoseconds stays whole.
_WORTH = 8_000.0
_PARTS = 32


def in_stages(steps: Iterable[Step]) -> list[Step]:
    """Divide the long reductions over first axes."""
    return expanded(steps, _stages)


def _stages(kernel: Kernel) -> list[Step]:
    parts = _count(kernel)
    if parts == 1:
        return [kernel]
    split = divided(kernel, kernel.shape[0] // parts)
    kept = _kept(kernel)
    shape = (parts, *(kernel.shape[axis] for axis in kept))
    buffers = [Variable(ArrayType(shape, x.dtype)) for x in kernel.reductions]

    def partial(reduction: Reduce, buffer: Variable) -> Reduce:
        first, *others = contiguous_strides(shape)
        strides = [0] * len(kernel.shape)
        for axis, stride in zip(kept, others, strict=True):
            strides[axis] = stride
        return reduction._replace(access=Access(buffer, 0, (first, *strides)))

    first = split._replace(reductions=tuple(map(partial, split.reductions, buffers)))
    results: dict[Variable, list[tuple[Reduce, Variable]]] = {}
    for reduction, buffer in zip(kernel.reductions, buffers, strict=True):
        results.setdefault(reduction.access.buffer, []).append((reduction, buffer))
    return [first, *(_combination(made, kept, shape) for made in results.values())]


def _kept(kernel: Kernel) -> list[int]:
    """Return the axes that reductions do not run over."""
    return [axis for axis, reduced in enumerate(kernel.reduced) if not reduced]


def _combination(parts: list[tuple[Reduce, Variable]], kept: list[int], shape: Shape) -> Kernel:
    """Return the kernel that reduces the parts of a result."""

    def combined(value: int, reduction: Reduce) -> Reduce:
        strides = (0, *(reduction.access.strides[axis] for axis in kept))
        return reduction._replace(value=value, access=reduction.access._replace(strides=strides))

    loads = tuple(Load(whole(buffer).access, buffer.type.dtype) for _, buffer in parts)
    reductions = tuple(combined(i, reduction) for i, (reduction, _) in enumerate(parts))
    return Kernel(shape, (True, *(False for _ in kept)), loads, (), reductions)


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
    length, elements = kernel.shape[0], math.prod(kernel.shape)
    parts = next((n for n in range(min(_PARTS, length), 3, -1) if not length % n), 1)
    size = math.prod(kernel.shape[axis] for axis in _kept(kernel))
    return parts if parts * size * 4 <= elements else 1
