"""What a schedule is made of: kernels, sums of products and calls of NumPy, on buffers, in order.

A buffer is a variable of the graph whose elements are stored somewhere, contiguous and in C order. What a
step reads or writes of it is an `Access`: a first element, and a stride for each loop, in elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from transforms.graph.ir import Equation, Operand, Variable
from transforms.types import Array, ArrayType, Shape

DType: TypeAlias = "np.dtype[Any]"


class Access(NamedTuple):
    """Elements of a buffer: ``offset + sum(strides[k] * index[k])`` for each index of some loops."""

    buffer: Variable
    offset: int
    strides: tuple[int, ...]


# --- what a kernel computes for each index, each value named by its position among the others


class Load(NamedTuple):
    """The element at an access."""

    access: Access
    dtype: DType


class Number(NamedTuple):
    """A number that is known."""

    value: bool | int | float
    dtype: DType


class Apply(NamedTuple):
    """An operation on values; ``dtype`` is the result's."""

    operation: str
    operands: tuple[int, ...]
    dtype: DType


class Check(NamedTuple):
    """An index as counted from the front; one that is out of range makes the program fail.

    Attributes:
        value: the index.
        length: of the axis.
        name: of the primitive that it is for.
        dtype: of the result.
    """

    value: int
    length: int
    name: str
    dtype: DType


FAILURE = Variable(ArrayType((2,), np.dtype(np.int64)))
"""Where a check leaves an index that is out of range, and the length of its axis, which is -1 before."""


class Gather(NamedTuple):
    """The element at an access, moved by indices: for each its value, and the stride that it multiplies."""

    access: Access
    indices: tuple[tuple[int, int], ...]
    dtype: DType


Value: TypeAlias = Load | Number | Apply | Check | Gather


class Store(NamedTuple):
    """Write a value to an access."""

    value: int
    access: Access


class Scatter(NamedTuple):
    """Combine a value with the element at an access that indices move, or replace it ("set")."""

    value: int
    access: Access
    indices: tuple[tuple[int, int], ...]
    operation: str


class Reduce(NamedTuple):
    """Combine a value over those loops along which the access does not move."""

    operation: str
    value: int
    access: Access
    dtype: DType


class Wait(NamedTuple):
    """A buffer that something waits for though it reads nothing of it.

    Attributes:
        buffer: what has to be there.
        whole: whether all of it has to be; if not, a unit of a band need not wait for the other units.
    """

    buffer: Variable
    whole: bool = False


class Kernel(NamedTuple):
    """A loop nest over a shape, and what it does for each index.

    Attributes:
        shape: lengths of the loops, outermost first.
        reduced: for each loop whether it is one that the reductions run over.
        values: in an order in which each is computed before it is used.
        stores: what is written for each index.
        reductions: what is combined.
        scatters: what is combined at indices, in the order of the loops.
        split: of how many of the first loops one call does one index; no reduction runs over them.
        waits: what has to be there before, so that what takes room is not made long before it is of use.
    """

    shape: Shape
    reduced: tuple[bool, ...]
    values: tuple[Value, ...]
    stores: tuple[Store, ...]
    reductions: tuple[Reduce, ...]
    scatters: tuple[Scatter, ...] = ()
    split: int = 0
    waits: tuple[Wait, ...] = ()

    @property
    def unit_axes(self) -> tuple[int, ...]:
        """The loops of which one call does one index."""
        return tuple(range(self.split))


class Diagonal(NamedTuple):
    """The elements of a matrix near a diagonal: those whose column, less their row, is in a range.

    Attributes:
        first: the least difference.
        last: the largest.
    """

    first: int
    last: int

    def size(self, rows: int, columns: int) -> int:
        """Return how many elements of a matrix these are.

        >>> Diagonal(-2, 0).size(3, 3), Diagonal(-1, 0).size(3, 3)
        (6, 5)
        """
        row = np.arange(rows)
        ends = np.minimum(row + self.last, columns - 1), np.maximum(row + self.first, 0)
        return int(np.sum(np.maximum(ends[0] - ends[1] + 1, 0)))


class Contraction(NamedTuple):
    """Sums of products, ``out[s, r, c] = sum over i of left[s, r, i] * right[s, i, c]``.

    A matrix product has one axis of each kind; in a convolution the rows are the places and the examples, and
    the sum runs over the window and the channels.

    Attributes:
        stack: lengths of the axes that all three have.
        rows: lengths of the axes of ``left`` and ``out``, at least one.
        inner: lengths of the axes of ``left`` and ``right``, over which the sum runs.
        columns: the length of the last axis of ``right`` and ``out``, whose elements are adjacent in both.
        left: with a stride for each axis of stack, rows and inner.
        right: with a stride for each axis of stack and inner, and for the columns.
        out: with a stride for each axis of stack and rows, and for the columns.
        dtype: float32 or float64.
        split: of which axes, "stack", "rows" or "both", one call does one index of the first, which is
            outermost in ``out``; of neither, if it is empty. Rows that are split are more than one axis.
        wanted: the elements of ``out``, by row and column, that anything wants; others may be left as they
            are. None for all. The rows are then one axis, which may be split.
        nonzero: the elements of ``left``, by row and index of the sum, that may be other than 0; None for
            all. Rows, and what the sum runs over, are then one axis each, of which that of rows may be split.
    """

    stack: Shape
    rows: Shape
    inner: Shape
    columns: int
    left: Access
    right: Access
    out: Access
    dtype: DType
    split: Literal["", "stack", "rows", "both"] = ""
    wanted: Diagonal | None = None
    nonzero: Diagonal | None = None

    @property
    def unit_axes(self) -> tuple[int, ...]:
        """The axes of ``out``, without its columns, of which one call does one index."""
        first_rows = len(self.stack)
        return {"": (), "stack": (0,), "rows": (first_rows,), "both": (0, first_rows)}[self.split]

    @property
    def outermost(self) -> int:
        """The outermost axis of ``out``: 0 for the first of the stack, or the number of the first of rows."""
        count = len(self.stack)
        if self.split:
            return count if self.split == "rows" else 0
        return 0 if count and self.out.strides[0] >= self.out.strides[count] else count

    @property
    def splits_rows(self) -> bool:
        """Whether the outermost axis is one of rows."""
        return self.outermost == len(self.stack)

    @property
    def is_empty(self) -> bool:
        """Whether the result has no elements."""
        return 0 in (*self.stack, *self.rows, self.columns)


class Region(NamedTuple):
    """What a variable is: elements of a buffer, in the shape that the access's strides go with."""

    access: Access
    shape: Shape


class HostCall(NamedTuple):
    """An equation that NumPy evaluates, on views of the buffers; a number stands for itself."""

    equation: Equation
    operands: tuple[Region | bool | int | float | complex, ...]


class Band(NamedTuple):
    """Kernels and contractions that run unit by unit: all of them for one unit, then for the next.

    A unit is one index of the first axis that all steps have. What a step reads of an earlier one's result
    for a unit was computed for that unit, so that it is still in cache, and units may run at the same time.

    Attributes:
        steps: in order.
        units: how many there are.
        parallel: whether it is worth while to run units at the same time.
        local: buffers that nothing else touches. Each thread has room for one unit's part of these, so that
            they are in cache; their accesses do not move along the units.
    """

    steps: tuple[Kernel | Contraction, ...]
    units: int
    parallel: bool
    local: tuple[Variable, ...] = ()


class Plan(NamedTuple):
    """Where buffers are in an arena.

    Attributes:
        size: bytes of the arena.
        offsets: of each buffer that is there.
        parts: for a buffer of which each thread has one of its own the bytes from one to the next.
        threads: how many threads there is room for.
    """

    size: int
    offsets: dict[Variable, int]
    parts: dict[Variable, int]
    threads: int


class Repeat(NamedTuple):
    """A loop whose steps need no Python.

    Attributes:
        step: one step: from consts, carry and entries to carry and outputs, each a buffer of its own.
        plan: where in ``scratch`` the step keeps what it stores.
        scratch: bytes.
        length: the number of steps, one at least.
        reverse: whether to take, and stack, the entries from the last to the first.
        consts: what each step reads.
        start: the first carry.
        stacks: the entries.
        carried: the last carry.
        others: buffers that take turns with those of ``carried``.
        outputs: the steps' outputs, stacked.
    """

    step: Schedule
    plan: Plan
    scratch: Variable
    length: int
    reverse: bool
    consts: tuple[Variable, ...]
    start: tuple[Variable, ...]
    stacks: tuple[Variable, ...]
    carried: tuple[Variable, ...]
    others: tuple[Variable, ...]
    outputs: tuple[Variable, ...]


class Function(NamedTuple):
    """A program that needs no Python, of which each result is a buffer of its own.

    Attributes:
        schedule: what it does.
        plan: where it keeps what it stores, in memory that it is given.
    """

    schedule: Schedule
    plan: Plan


class Switch(NamedTuple):
    """One of several functions, chosen by an index.

    Attributes:
        chosen: an integer.
        functions: one for each number.
        scratch: bytes.
        operands: what each function reads.
        results: what each function writes.
    """

    chosen: Variable
    functions: tuple[Function, ...]
    scratch: Variable
    operands: tuple[Variable, ...]
    results: tuple[Variable, ...]


class RepeatWhile(NamedTuple):
    """A loop for as long as a condition holds.

    Attributes:
        condition: from its consts and the carry to ``flag``.
        step: from consts and carry to the next carry.
        scratch: bytes, for both.
        flag: whether to go on.
        condition_consts: what the condition reads.
        consts: what each step reads.
        start: the first carry.
        carried: the last carry.
        others: buffers that take turns with those of ``carried``.
    """

    condition: Function
    step: Function
    scratch: Variable
    flag: Variable
    condition_consts: tuple[Variable, ...]
    consts: tuple[Variable, ...]
    start: tuple[Variable, ...]
    carried: tuple[Variable, ...]
    others: tuple[Variable, ...]


Step: TypeAlias = Kernel | Contraction | Band | HostCall | Repeat | Switch | RepeatWhile


class Schedule(NamedTuple):
    """A program as steps.

    Attributes:
        inputs: buffers that the caller gives.
        constants: buffers whose elements are known.
        steps: in order.
        outputs: for each result the buffer that holds it, and its shape; or a Python number.
        donated: inputs that hold results in the end, because the caller gives their memory away.
    """

    inputs: tuple[Variable, ...]
    constants: tuple[tuple[Variable, Array], ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[Variable, Shape] | Operand, ...]
    donated: tuple[Variable, ...] = ()


def accesses(kernel: Kernel) -> list[Access]:
    """Return what a kernel reads, stores and combines, in this order."""
    loads = [x.access for x in kernel.values if isinstance(x, (Load, Gather))]
    return [*loads, *_written(kernel)]


def is_running(kernel: Kernel) -> bool:
    """Say whether a kernel may go on from what it has written, though not along its first loop."""
    return not set(reads(kernel)).isdisjoint(writes(kernel))


def reads(step: Step) -> Iterator[Variable]:
    """Return the buffers that a step reads, or that are there before it."""
    if isinstance(step, Kernel):
        loads = (value.access.buffer for value in step.values if isinstance(value, (Load, Gather)))
        return itertools.chain(loads, (wait.buffer for wait in step.waits))
    if isinstance(step, Contraction):
        return iter((step.left.buffer, step.right.buffer))
    if isinstance(step, Band):
        return (buffer for inner in step.steps for buffer in reads(inner))
    if isinstance(step, Repeat):
        return iter((*step.consts, *step.start, *step.stacks))
    if isinstance(step, Switch):
        return iter((step.chosen, *step.operands))
    if isinstance(step, RepeatWhile):
        return iter((*step.condition_consts, *step.consts, *step.start))
    return (x.access.buffer for x in step.operands if isinstance(x, Region))


def writes(step: Step) -> Iterator[Variable]:
    """Return the buffers that a step writes."""
    if isinstance(step, Kernel):
        return (access.buffer for access in _written(step))
    if isinstance(step, Contraction):
        return iter((step.out.buffer,))
    if isinstance(step, Band):
        return (buffer for inner in step.steps for buffer in writes(inner))
    if isinstance(step, Repeat):
        return iter((*step.carried, *step.others, *step.outputs, step.scratch))
    if isinstance(step, Switch):
        return iter((*step.results, step.scratch))
    if isinstance(step, RepeatWhile):
        return iter((*step.carried, *step.others, step.flag, step.scratch))
    return iter(step.equation.results)


def _written(kernel: Kernel) -> list[Access]:
    written: tuple[Store | Reduce | Scatter, ...] = (*kernel.stores, *kernel.reductions, *kernel.scatters)
    return [x.access for x in written]


def with_accesses(kernel: Kernel, change: Callable[[Access], Access]) -> Kernel:
    """Return a kernel with each access changed."""
    shared: dict[Shape, Shape] = {}  # a kernel may have a hundred accesses with the same strides

    def changed(x: Any) -> Any:
        access = change(x.access)
        if access is x.access:
            return x
        strides = shared.setdefault(access.strides, access.strides)
        return x._replace(access=access._replace(strides=strides))

    return kernel._replace(
        values=tuple(changed(x) if isinstance(x, (Load, Gather)) else x for x in kernel.values),
        stores=tuple(map(changed, kernel.stores)),
        reductions=tuple(map(changed, kernel.reductions)),
        scatters=tuple(map(changed, kernel.scatters)),
    )


def expanded(steps: Iterable[Step], expand: Callable[[Kernel], Iterable[Step]]) -> list[Step]:
    """Return steps with what is put in the place of each kernel."""
    found: list[Step] = []
    for step in steps:
        found.extend(expand(step) if isinstance(step, Kernel) else (step,))
    return found
