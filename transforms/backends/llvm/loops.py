"""The order and number of a kernel's loops: the fewest, and the innermost along adjacent elements."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.llvm.steps import Access, Kernel, accesses, is_running, with_accesses
from transforms.types import Shape

# Strides of more elements than this all cost a cache line.
_FAR = 64


def merge_outer(kernel: Kernel) -> Kernel:
    """Return a kernel whose first loops are one, all but two at most, so that there are many units."""
    if kernel.scatters or is_running(kernel):
        return kernel
    shape, kept = list(kernel.shape), list(range(len(kernel.shape)))
    while shape and shape[0] == 1:
        del shape[0], kept[0]
    places = accesses(kernel)
    while len(shape) > 3 and (shape[1] == 1 or _are_one(kernel, places, kept[0], kept[1])):
        if shape[1] == 1:
            del shape[1], kept[1]
        else:
            shape[:2] = [shape[0] * shape[1]]
            del kept[0]
    return kernel if len(shape) == len(kernel.shape) else _with_loops(kernel, tuple(shape), kept)


def arrange(kernel: Kernel) -> Kernel:
    """Return a kernel that does the same with its loops sorted by stride, and merged where one will do.

    The first loops of a split kernel stay as they are.
    """
    places = accesses(kernel)
    axes = [axis for axis, length in enumerate(kernel.shape) if length != 1 and axis >= kernel.split]
    if not kernel.scatters:  # whose order is that of the loops
        axes.sort(key=lambda axis: -sum(min(abs(x.strides[axis]), _FAR) for x in places))
    return _over(kernel, axes)


def merged(kernel: Kernel) -> Kernel:
    """Return a kernel that does the same in the same order, with loops merged where one will do."""
    return _over(kernel, [axis for axis, n in enumerate(kernel.shape) if n != 1 and axis >= kernel.split])


def _over(kernel: Kernel, axes: list[int]) -> Kernel:
    """Return a kernel with its loops over axes, those merged that are neighbours and where one will do."""
    places = accesses(kernel)
    first = kernel.split
    lengths: list[int] = list(kernel.shape[:first])
    kept: list[int] = list(range(first))  # the innermost of the axes that each new loop stands for
    for axis in axes:
        length = kernel.shape[axis]
        if len(kept) > first and _are_one(kernel, places, kept[-1], axis):
            lengths[-1] *= length
            kept[-1] = axis
        else:
            lengths.append(length)
            kept.append(axis)

    return _with_loops(kernel, tuple(lengths), kept)


def _with_loops(kernel: Kernel, shape: Shape, kept: Sequence[int]) -> Kernel:
    """Return a kernel over another shape; each new loop has the strides of an old one."""

    def along(access: Access) -> Access:
        return access._replace(strides=tuple(access.strides[axis] for axis in kept))

    reduced = tuple(kernel.reduced[axis] for axis in kept)
    return with_accesses(kernel, along)._replace(shape=shape, reduced=reduced)


def _are_one(kernel: Kernel, places: Sequence[Access], outer: int, inner: int) -> bool:
    return kernel.reduced[outer] == kernel.reduced[inner] and all(
        x.strides[outer] == x.strides[inner] * kernel.shape[inner] for x in places
    )
