"""Convolutions of inputs with holes, without the holes: inputs' derivatives of strided ones.

Which elements of a window meet holes depends only on where the window stands between two elements of the
input: on its phase. So each phase is a convolution of the input as it is with some of the kernel, or nothing
but zeros where the window is shorter than the stride.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from transforms.backends.llvm.rules.groups import are_small
from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Region, Wait
from transforms.backends.llvm.views import select, whole
from transforms.graph.ir import Variable
from transforms.primitives.convolution import Geometry
from transforms.primitives.slicing import BasicIndex, Slice, full_slice
from transforms.types import Shape

Add: TypeAlias = Callable[[Scheduler, Region, Region, Geometry, Region], None]
"""Adds a convolution, of an input that has its padding, with a kernel in a geometry, to a region."""

_MOST = 9  # each is a step of its own


class _Phase(NamedTuple):
    """What the results at each ``step``-th place of an axis are made of.

    Attributes:
        results: which places.
        taps: which elements of the window, at the same distance from each other.
        first: where the first window begins among the elements of the input; it may be before them.
    """

    results: Slice
    taps: Slice
    first: int

    @property
    def last(self) -> int:
        """Where the last window ends, behind its last element."""
        return self.first + self.results.length - 1 + self.taps.length


def skips_holes(x: Shape, window: Shape, geometry: Geometry) -> bool:
    """Say whether a convolution goes by phases."""
    holes = math.prod(geometry.input_dilation)
    plain = {*geometry.strides, *geometry.dilation} == {1}
    fills_vectors = window[-1] > geometry.groups or are_small(window, geometry.groups)
    return plain and 1 < holes <= _MOST and fills_vectors and 0 not in x


def convolve(
    scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, result: Variable, add: Add
) -> None:
    """Add a convolution with holes between the input's elements, phase by phase, each by ``add``."""
    if kernel.access.strides[-1] != 1:
        kernel = scheduler.copy(kernel)
    counts = result.type.shape[1:-1]
    sizes = zip(counts, kernel.shape, geometry.padding, geometry.input_dilation, strict=False)
    axes = [list(_phases(count, window, low, step)) for count, window, (low, _), step in sizes]
    met = [[phase for phase in axis if phase.taps.length] for axis in axes]
    padding = tuple(
        (max(0, -min(phase.first for phase in axis)), max(0, max(phase.last for phase in axis) - n))
        for axis, n in zip(met, x.shape[1:-1], strict=True)
    )
    holes = (1,) * len(counts)
    waits = [Wait(x.access.buffer), Wait(kernel.access.buffer)]
    padded = spread_out(scheduler, x, 1, padding, holes, 0, waits=waits)
    for phases in itertools.product(*axes):
        target = _part(whole(result), 1, [phase.results for phase in phases])
        if 0 in target.shape:
            continue
        if not all(phase.taps.length for phase in phases):
            scheduler.write(0, target)
            continue
        firsts = [phase.first + low for phase, (low, _) in zip(phases, padding, strict=True)]
        moved = sum(first * stride for first, stride in zip(firsts, padded.access.strides[1:], strict=False))
        begun = padded._replace(access=padded.access._replace(offset=padded.access.offset + moved))
        taps = _part(kernel, 0, [phase.taps for phase in phases])
        add(scheduler, begun, taps, geometry, target)


def _phases(count: int, window: int, low: int, step: int) -> Iterator[_Phase]:
    """Return the phases of an axis, given the number of results and the padding before the input."""
    for phase in range(step):
        tap = (low - phase) % step
        yield _Phase(Slice(phase, count, step), Slice(tap, window, step), (phase + tap - low) // step)


def _part(x: Region, first_axis: int, entries: list[Slice]) -> Region:
    """Return the elements of a region at slices of some axes."""
    index = [full_slice(n) for n in x.shape]
    index[first_axis : first_axis + len(entries)] = entries
    return select(x, BasicIndex(tuple(index)))
