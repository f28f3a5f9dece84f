"""Kernels that write over what they read: an element takes the place of one that nothing else wants.

What a band hands from step to step then takes one buffer instead of two, and half as much of the cache. The
two get one name, because a step must not know one piece of memory under two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.backends.llvm.donation import is_element_by_element, renamed_part
from transforms.backends.llvm.steps import Band, Kernel, reads, writes
from transforms.graph.ir import Variable


def write_in_place(band: Band, own: set[Variable]) -> Band:
    """Return a band whose kernels write over their operands where they can, given what it alone touches."""
    names = _names(band, own)
    return band._replace(steps=tuple(renamed_part(part, names) for part in band.steps)) if names else band


def _names(band: Band, own: set[Variable]) -> dict[Variable, Variable]:
    """Return other names for buffers that only a band touches: those of what they are written over."""
    last = {x: k for k, step in enumerate(band.steps) for x in (*reads(step), *writes(step))}
    names: dict[Variable, Variable] = {}
    taken: set[Variable] = set()
    met: set[Variable] = set()
    for k, step in enumerate(band.steps):
        if isinstance(step, Kernel):
            written = dict.fromkeys(writes(step))
            results = [y for y in written if y in own and y not in met]
            free = [x for x in dict.fromkeys(reads(step)) if x in own and last[x] == k and x not in written]
            for y, x in _pairs(step, results, free):
                if x not in taken and y not in names:
                    names[y] = names.get(x, x)
                    taken.add(x)
        met.update(reads(step), writes(step))
    return names


def _pairs(
    kernel: Kernel, results: Sequence[Variable], operands: Sequence[Variable]
) -> Iterator[tuple[Variable, Variable]]:
    """Give what a kernel writes for the first time with each operand that it can be written over."""
    for y in results:
        for x in operands:
            same = (x.type.size, x.type.dtype) == (y.type.size, y.type.dtype)
            if same and is_element_by_element(kernel, x, y):
                yield y, x
