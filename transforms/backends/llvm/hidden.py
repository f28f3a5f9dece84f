"""What a mask hides: elements of a product that nothing wants, and zeros that a product would add up.

Of the scores of an attention a causal mask hides about half: a choice, between them and a number, never takes
them. Its weights are zero there. Where a mask is known, each contraction is told near which diagonal of its
matrix there is something to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.steps import (
    Access,
    Apply,
    Check,
    Contraction,
    Diagonal,
    Gather,
    Kernel,
    Load,
    Number,
    Step,
    reads,
    writes,
)
from transforms.graph.ir import Variable
from transforms.types import Array, Shape

# Of shorter matrices tiles cover too much to leave any out.
_SHORTEST = 48
# What is left should be no more than this share.
_WORTH = 0.8


class _Chosen(NamedTuple):
    """Where a choice leaves out a value: where a mask, a value of the same kernel, is so."""

    mask: int
    when: bool


class _Matrix(NamedTuple):
    """A buffer as a stack of matrices that follow each other.

    Attributes:
        shape: of a matrix: rows and columns.
        access: with the strides of these two.
    """

    shape: tuple[int, int]
    access: Access


def near_diagonals(
    steps: Sequence[Step], constants: Mapping[Variable, Array], returned: set[Variable]
) -> list[Step]:
    """Note for each contraction which of its elements known masks hide."""
    known = {x: np.asarray(value) for x, value in constants.items()}
    masks = {x: value for x, value in known.items() if value.dtype == np.bool_}
    return _Masks(steps, masks, returned).changed() if masks else list(steps)


class _Masks:
    """Looks up what is known of the matrices that contractions read and write.

    Attributes:
        steps: all of them.
        masks: the known booleans.
        makers, readers: the steps that write and read each buffer.
        returned: the buffers that are results.
        found: for masks that were looked at, and what they hide, the elements that they do not.
    """

    def __init__(
        self, steps: Sequence[Step], masks: Mapping[Variable, Array], returned: set[Variable]
    ) -> None:
        self.steps = steps
        self.masks = masks
        self.returned = returned
        self.makers: dict[Variable, list[Step]] = {}
        self.readers: dict[Variable, list[Step]] = {}
        for step in steps:
            for x in set(writes(step)):
                self.makers.setdefault(x, []).append(step)
            for x in set(reads(step)):
                self.readers.setdefault(x, []).append(step)
        self.found: dict[tuple[Access, Shape, bool], Diagonal | None] = {}

    def changed(self) -> list[Step]:
        """Return the steps, of which contractions know what is hidden."""
        return [self._noted(step) if isinstance(step, Contraction) else step for step in self.steps]

    def _noted(self, step: Contraction) -> Contraction:
        out, left = _matrix_of(step, step.out, (step.columns,)), _matrix_of(step, step.left, step.inner)
        return step._replace(
            wanted=self._wanted(out) if out else None, nonzero=self._nonzero(left) if left else None
        )

    def _wanted(self, matrix: _Matrix) -> Diagonal | None:
        """Return which elements of a matrix that one step makes are read for more than to be left out."""
        x = matrix.access.buffer
        readers = self.readers.get(x, [])
        if x in self.returned or len(self.makers[x]) > 1 or not readers:
            return None
        diagonals = []
        for kernel in readers:
            if not isinstance(kernel, Kernel):
                return None
            hiding = _hiding(kernel)
            for i, value in enumerate(kernel.values):
                if isinstance(value, (Load, Gather)) and value.access.buffer is x:
                    if isinstance(value, Gather):
                        return None
                    diagonals.append(self._unhidden(kernel, hiding[i], value.access, matrix))
        return _worth(_union(diagonals), matrix)

    def _nonzero(self, matrix: _Matrix) -> Diagonal | None:
        """Return which elements of a matrix may be other than 0."""
        makers = self.makers.get(matrix.access.buffer, [])
        if len(makers) != 1 or not isinstance(makers[0], Kernel) or makers[0].scatters:
            return None
        kernel = makers[0]
        if any(x.access.buffer is matrix.access.buffer for x in kernel.reductions):
            return None
        diagonals = []
        for store in kernel.stores:
            if store.access.buffer is matrix.access.buffer:
                chosen = _zero_where(kernel, store.value)
                diagonals.append(self._unhidden(kernel, chosen, store.access, matrix))
        return _worth(_union(diagonals), matrix)

    def _unhidden(
        self, kernel: Kernel, chosen: Iterable[_Chosen], place: Access, matrix: _Matrix
    ) -> Diagonal | None:
        """Return near which diagonal those elements of a matrix are that no mask hides at an access."""
        axes = _axes_of(kernel.shape, place, matrix)
        found = None
        if axes is not None:
            for mask, when in (x for choice in chosen for x in _loads(kernel, choice)):
                if mask.buffer in self.masks and _moves_only_along(kernel.shape, mask, axes):
                    strides = tuple(mask.strides[axis] for axis in axes)
                    found = _both(found, self._shown(mask._replace(strides=strides), matrix.shape, when))
        return found

    def _shown(self, mask: Access, shape: Shape, when: bool) -> Diagonal | None:
        """Return near which diagonal a mask does not hide; None if it hides all, or nothing."""
        key = (mask, shape, when)
        if key not in self.found:
            elements = np.ascontiguousarray(self.masks[mask.buffer])
            seen = np.ndarray(shape, np.bool_, elements, mask.offset, mask.strides)
            self.found[key] = _diagonal(~seen if when else seen)
        return self.found[key]


def _matrix_of(step: Contraction, access: Access, inner: Shape) -> _Matrix | None:
    """Return the matrix of an operand's or a result's last axes, if it has as many and lies in one piece."""
    if len(step.rows) != 1 or len(inner) != 1:
        return None
    rows, columns = step.rows[0], inner[0]
    *stack, row, column = access.strides
    dense = (row, column) in ((columns, 1), (1, rows))
    aligned = not any(x % (rows * columns) for x in (access.offset, *stack))
    if not dense or not aligned or min(rows, columns) < _SHORTEST:
        return None
    return _Matrix((rows, columns), access._replace(strides=(row, column)))


def _axes_of(shape: Shape, place: Access, matrix: _Matrix) -> tuple[int, int] | None:
    """Return the loops of a kernel along rows and columns of a matrix; others go from matrix to matrix."""
    loops = list(zip(shape, place.strides, strict=True))
    size = matrix.shape[0] * matrix.shape[1]
    wanted = list(zip(matrix.shape, matrix.access.strides, strict=True))
    if place.offset % size or any(loop not in loops for loop in wanted):
        return None
    row, column = (loops.index(loop) for loop in wanted)
    others = (stride for k, (n, stride) in enumerate(loops) if k not in (row, column) and n > 1)
    return None if any(stride % size for stride in others) else (row, column)


def _moves_only_along(shape: Shape, access: Access, axes: tuple[int, int]) -> bool:
    loops = enumerate(zip(shape, access.strides, strict=True))
    return not any(stride for k, (n, stride) in loops if k not in axes and n > 1)


def _hiding(kernel: Kernel) -> list[frozenset[_Chosen]]:
    """Return for each value of a kernel the choices that leave it out, whatever reads it."""
    uses: list[list[frozenset[_Chosen]]] = [[] for _ in kernel.values]
    kept = [x.value for x in kernel.stores] + [x.value for x in kernel.reductions]
    for scatter in kernel.scatters:
        kept += [scatter.value, *(index for index, _ in scatter.indices)]
    for i in kept:
        uses[i].append(frozenset())
    hiding: list[frozenset[_Chosen]] = [frozenset()] * len(kernel.values)
    for i in reversed(range(len(kernel.values))):
        value = kernel.values[i]
        if uses[i]:
            hiding[i] = frozenset.intersection(*uses[i])
        if isinstance(value, Check):
            uses[value.value].append(frozenset())
        elif isinstance(value, Gather):
            for index, _ in value.indices:
                uses[index].append(frozenset())
        elif isinstance(value, Apply):
            for position, operand in enumerate(value.operands):
                is_chosen = value.operation == "where" and position > 0
                choice = {_Chosen(value.operands[0], position == 2)} if is_chosen else frozenset()
                uses[operand].append(hiding[i] | choice)
    return hiding


def _zero_where(kernel: Kernel, position: int) -> list[_Chosen]:
    """Return the choices that make a value 0."""
    value = kernel.values[position]
    if not isinstance(value, Apply):
        return []
    numbers = [x.value if isinstance(x, Number) else None for x in (kernel.values[i] for i in value.operands)]
    if value.operation == "where":
        mask = value.operands[0]
        return [
            _Chosen(mask, when)
            for when, number in zip((True, False), numbers[1:], strict=True)
            if number == 0
        ]
    if value.operation in _KEEPING_ZERO:
        scales = [x is not None and math.isfinite(x) and x != 0 for x in numbers]
        if sum(scales) == len(numbers) - 1 and (value.operation != "divide" or not scales[0]):
            return _zero_where(kernel, value.operands[scales.index(False)])
    return []


# Operations on zero, and on numbers that are neither zero nor infinite, that give zero.
_KEEPING_ZERO = frozenset({"multiply", "divide", "negative", "positive", "stop_gradient"})


def _loads(kernel: Kernel, choice: _Chosen) -> Iterator[tuple[Access, bool]]:
    """Return what is read such that a choice is made wherever it is so: of a conjunction either operand."""
    value = kernel.values[choice.mask]
    if isinstance(value, Load):
        yield value.access, choice.when
    elif isinstance(value, Apply):
        if value.operation in ("logical_not", "invert"):
            yield from _loads(kernel, _Chosen(value.operands[0], not choice.when))
        elif value.operation in (_EITHER if choice.when else _BOTH):
            for operand in value.operands:
                yield from _loads(kernel, _Chosen(operand, choice.when))


_BOTH = frozenset({"logical_and", "bitwise_and", "multiply"})
_EITHER = frozenset({"logical_or", "bitwise_or", "add"})


def _diagonal(seen: Array) -> Diagonal | None:
    """Return near which diagonal all is that a matrix of booleans has; None if it has nothing."""
    rows = np.flatnonzero(seen.any(1))
    if not rows.size:
        return None
    first = np.argmax(seen[rows], 1)
    last = seen.shape[1] - 1 - np.argmax(seen[rows, ::-1], 1)
    return Diagonal(int(np.min(first - rows)), int(np.max(last - rows)))


def _both(x: Diagonal | None, y: Diagonal | None) -> Diagonal | None:
    """Return what is near both diagonals; None stands for everything."""
    if x is None or y is None:
        return x or y
    return Diagonal(max(x.first, y.first), min(x.last, y.last))


def _union(diagonals: Sequence[Diagonal | None]) -> Diagonal | None:
    """Return what is near any of some diagonals; None stands for everything."""
    known = [x for x in diagonals if x is not None]
    if not known or len(known) < len(diagonals):
        return None
    return Diagonal(min(x.first for x in known), max(x.last for x in known))


def _worth(diagonal: Diagonal | None, matrix: _Matrix) -> Diagonal | None:
    """Return a diagonal if it has elements, and there are enough that it does not have."""
    if diagonal is None or diagonal.first > diagonal.last:
        return None
    rows, columns = matrix.shape
    return diagonal if diagonal.size(rows, columns) <= _WORTH * rows * columns else None
