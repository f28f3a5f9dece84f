"""Several indices of a loop at once, where they read the same elements: windows that overlap.

The innermost loop fills vectors, so that a register holds adjacent elements of one index of the loop around
it. What its neighbours read as well would be read anew for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.steps import Access, Apply, Kernel, Load, Number, Reduce, Store, Value

# So many indices are taken at once at most.
_MOST = 8
# As long as that makes no more values.
_VALUES = 1600
# An innermost loop that fills vectors.
_LONG = 8


def side_by_side(kernel: Kernel) -> Kernel:
    """Return a kernel, whose loops are arranged, that takes some indices of the last loop but one at once.

    It does so only if neighbours overlap in what they read, and if that halves what is read and written. To
    share factors, or sums that are in memory, saves no time.
    """
    axis = len(kernel.shape) - 2
    if axis < kernel.split or kernel.shape[-1] < _LONG or kernel.reduced[-1] or not _is_plain(kernel):
        return kernel
    loads = [x.access for x in kernel.values if isinstance(x, Load)]
    if not _overlap([x for x in loads if x.strides[axis]], axis):
        return kernel
    most = max(min(_MOST, _VALUES // len(kernel.values)), 1)
    counts = [n for n in range(1, most + 1) if not kernel.shape[axis] % n]
    moves = {n: _moves(kernel, loads, axis, n) / n for n in counts}
    best = min(counts, key=moves.__getitem__)
    return _Copies(kernel, axis, best).kernel() if 2 * moves[best] <= moves[1] else kernel


def _is_plain(kernel: Kernel) -> bool:
    """Say whether a kernel only reads, computes, writes and adds up, or combines in another such way."""
    known = all(isinstance(x, (Load, Number, Apply)) for x in kernel.values)
    return known and not kernel.scatters and all(x.operation in OPERATIONS for x in kernel.reductions)


def _overlap(loads: Sequence[Access], axis: int) -> bool:
    """Say whether an index of an axis reads what its neighbour does."""
    return not set(loads).isdisjoint(_moved(x, axis, 1) for x in loads)


def _moves(kernel: Kernel, loads: Sequence[Access], axis: int, count: int) -> int:
    """Return how many vectors are read and written for so many neighbours; sums are read and written."""
    read = {_moved(x, axis, k) for x in loads for k in range(count)}
    sums = 1 if kernel.reduced[axis] else count
    return len(read) + len(kernel.stores) * count + 2 * len(kernel.reductions) * sums


def _moved(access: Access, axis: int, steps: int) -> Access:
    """Return an access that begins some steps of an axis further on."""
    return access._replace(offset=access.offset + steps * access.strides[axis])


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
        strides = list(access.strides)
        strides[self.axis] *= self.count
        return _moved(access, self.axis, k)._replace(strides=tuple(strides))
