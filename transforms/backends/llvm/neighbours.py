"""Several indices of a loop at once, where they read the same elements: windows that overlap, sums in memory.

The innermost loop fills vectors, so that a register holds adjacent elements of one index of the loop around it.
What its neighbours read as well would be read anew for each of them.
"""

from __future__ import annotations

import math

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.steps import Access, Apply, Kernel, Load, Number, Reduce, Store, Value

# So many indices are taken at once at most.
_MOST = 8
# As long as that makes no more values.
_VALUES = 1024
# An innermost loop that fills vectors.
_LONG = 8
# With fewer reads and writes than this there is little to save.
_FEWEST = 8


def side_by_side(kernel: Kernel) -> Kernel:
    """Return a kernel, whose loops are arranged, that takes some indices of the last loop but one at once.

    It does so only if that halves what it reads and writes.
    """
    axis = len(kernel.shape) - 2
    if axis < kernel.split or kernel.shape[-1] < _LONG or kernel.reduced[-1] or not _is_plain(kernel):
        return kernel
    most = min(_MOST, _VALUES // max(len(kernel.values), 1))
    counts = [n for n in range(2, most + 1) if not kernel.shape[axis] % n]
    if not counts or _moves(kernel) < _FEWEST:
        return kernel
    best = min((_Copies(kernel, axis, n).kernel() for n in counts), key=_moves_each)
    return best if 2 * _moves_each(best) <= _moves_each(kernel) else kernel


def _is_plain(kernel: Kernel) -> bool:
    """Say whether a kernel only reads, computes, writes and adds up, or combines in another such way."""
    known = all(isinstance(x, (Load, Number, Apply)) for x in kernel.values)
    return known and not kernel.scatters and all(x.operation in OPERATIONS for x in kernel.reductions)


def _moves(kernel: Kernel) -> int:
    """Return how many vectors the innermost loop reads and writes; sums are read and written."""
    loads = sum(isinstance(x, Load) for x in kernel.values)
    return loads + len(kernel.stores) + 2 * len(kernel.reductions)


def _moves_each(kernel: Kernel) -> float:
    return _moves(kernel) * math.prod(kernel.shape)


class _Copies:
    """Writes what a kernel does for some neighbours along an axis as what it does for one index."""

    def __init__(self, kernel: Kernel, axis: int, count: int) -> None:
        self.source = kernel
        self.axis = axis
        self.count = count
        self.group = Group(kernel.shape)  # in which equal values are one
        self.copies: list[list[int]] = []  # of each value

    def kernel(self) -> Kernel:
        """Return the kernel."""
        source, axis = self.source, self.axis
        for value in source.values:
            self.copies.append([self._copy(value, k) for k in range(self.count)])
        stores = [
            Store(value, self._moved(x.access, k))
            for x in source.stores
            for k, value in enumerate(self.copies[x.value])
        ]
        reductions = [copy for x in source.reductions for copy in self._reductions(x)]
        lengths = list(source.shape)
        lengths[axis] //= self.count
        return source._replace(
            shape=tuple(lengths),
            values=tuple(self.group.values),
            stores=tuple(stores),
            reductions=tuple(reductions),
        )

    def _copy(self, value: Value, k: int) -> int:
        """Return the value for the neighbour of a number."""
        if isinstance(value, Load):
            return self.group.load(self._moved(value.access, k), value.dtype)
        if isinstance(value, Number):
            return self.group.number(value.value, value.dtype)
        assert isinstance(value, Apply)
        return self.group.apply(
            value.operation, tuple(self.copies[i][k] for i in value.operands), value.dtype
        )

    def _reductions(self, reduction: Reduce) -> list[Reduce]:
        values = self.copies[reduction.value]
        if not self.source.reduced[self.axis]:
            return [
                reduction._replace(value=value, access=self._moved(reduction.access, k))
                for k, value in enumerate(values)
            ]
        total = values[0]
        for value in values[1:]:
            total = self.group.apply(reduction.operation, (total, value), reduction.dtype)
        return [reduction._replace(value=total)]

    def _moved(self, access: Access, k: int) -> Access:
        stride = access.strides[self.axis]
        strides = list(access.strides)
        strides[self.axis] = stride * self.count
        return access._replace(offset=access.offset + k * stride, strides=tuple(strides))
