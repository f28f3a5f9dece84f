"""Kernels that write over what they read: an element takes the place of one that nothing else wants.

What a band hands from step to step then takes one buffer instead of two, and half as much of the cache. The
two get one name, because a step must not know one piece of memory under two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transforms.backends.llvm.donation import is_element_by_element, renamed_part
from transforms.backends.llvm.steps import Band, Kernel, Step, reads, writes
from transforms.graph.ir import Variable


def write_in_place(steps: list[Step], returned: set[Variable]) -> None:
    """Replace bands in a list of steps by such as write over their operands where they can."""
    touched: dict[Variable, set[int]] = {}
    for index, step in enumerate(steps):
        for x in (*reads(step), *writes(step)):
            touched.setdefault(x, set()).add(index)
    for index, step in enumerate(steps):
        if isinstance(step, Band) and step.units > 1:
            own = {x for x in writes(step) if len(touched[x]) == 1 and x not in returned}
            names = _names(step, own)
            if names:
                steps[index] = step._replace(steps=tuple(renamed_part(part, names) for part in step.steps))


def _names(band: Band, own: set[Variable]) -> dict[Variable, Variable]:
    """Return other names for buffers that only a band touches: those of what they are written over."""
    last = {x: k for k, step in enumerate(band.steps) for x in (*reads(step), *writes(step))}
    names: dict[Variable, Variable] = {}
    taken: set[Variable] = set()
    met: set[Variable] = set()
    for k, step in enumerate(band.steps):
        if isinstance(step, Kernel):
            free = [x for x in reads(step) if x in own and last[x] == k and x not in writes(step)]
            for y, x in _pairs(step, (own - met).intersection(writes(step)), free):
                if x not in taken and y not in names:
                    names[y] = names.get(x, x)
                    taken.add(x)
        met.update(reads(step), writes(step))
    return names


def _pairs(
    kernel: Kernel, results: set[Variable], operands: Sequence[Variable]
) -> Iterator[tuple[Variable, Variable]]:
    """Give what a kernel writes for the first time with each operand that it can be written over."""
    for store in kernel.stores:
        y = store.access.buffer
        for x in operands:
            same = (x.type.size, x.type.dtype) == (y.type.size, y.type.dtype)
            if y in results and same and is_element_by_element(kernel, x, y):
                yield y, x
