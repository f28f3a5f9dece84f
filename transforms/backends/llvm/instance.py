"""What one call of a program at a time needs: an arena, a table of pointers, the arrays of its results."""

from __future__ import annotations

import ctypes
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from transforms.backends.llvm.layout import Layout, native_results
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.memory import ALIGNMENT
from transforms.backends.llvm.objects import (
    DONE,
    KEPT,
    OWNED,
    READY,
    UNUSUAL,
    Results,
    pointer,
    prepare_function,
)
from transforms.backends.llvm.overlap import Range, ranges, separate
from transforms.backends.llvm.steps import FAILURE, HostCall, Region, Schedule
from transforms.backends.llvm.views import is_contiguous
from transforms.graph.ir import Variable
from transforms.types import Array, ArrayType

_ARENA = 0


class Instance:
    """A program with memory of its own."""

    def __init__(
        self,
        schedule: Schedule,
        layout: Layout,
        code: Code,
        parts: Sequence[HostCall | Callable[[int], int]],
    ) -> None:
        self.schedule = schedule
        self.layout = layout
        self.code = code
        self.parts = parts
        memory = np.empty(layout.plan.size + ALIGNMENT, np.uint8)
        start = -pointer(memory) % ALIGNMENT
        self.arena = memory[start : start + layout.plan.size]
        self.table = np.zeros(len(layout.slots) + 1, np.uintp)
        self.address = pointer(self.table)
        self.table[_ARENA] = pointer(self.arena)
        self.arrays: dict[Variable, Any] = {
            x: np.require(value, requirements=["C", "A"]) for x, value in schedule.constants
        }
        self._point(list(self.arrays), list(self.arrays.values()))
        self.failure = np.array([0, -1])
        self._point([FAILURE], [self.failure])
        self.given = {*self.arrays, *schedule.inputs}.difference(schedule.donated)
        self.donated = {schedule.inputs.index(x) for x in schedule.donated}
        self.input_types = [x.type for x in schedule.inputs]
        lengths = [n for x in self.input_types for n in x.shape]
        self.lengths = (ctypes.c_int64 * len(lengths))(*lengths)
        self.written = native_results(schedule)
        shapes = {x[0]: x[1] for x in reversed(schedule.outputs) if isinstance(x, tuple)}
        self.ranges = _ranges(schedule, layout) if self.donated else None
        self.control, first = _control(self, schedule)
        self.results = Results(self.control, first, [(shapes[x], x.type.dtype) for x in self.written])
        self.control_address = ctypes.addressof(self.control)
        self.prepare = prepare_function()
        outputs = [x[0] if isinstance(x, tuple) else x for x in schedule.outputs]
        rest = [x for x in outputs if x not in schedule.donated]
        # Whether there are no calls of NumPy, and each result is an array of its own that was written.
        self.is_plain = rest == self.written and not any(isinstance(part, HostCall) for part in parts)
        given: list[Any] = [*schedule.inputs, *self.written]
        # Takes the results from the inputs and what was written, if some of them are inputs.
        self.select = _selection([*map(given.index, outputs)] if self.donated and self.is_plain else [])
        self.scalars = [i for i, x in enumerate(self.written) if not shapes[x]]

    def attempt(self, inputs: list[Any]) -> Sequence[Array] | None:
        """Run the program if all inputs are contiguous arrays and scalars of its types; else return None."""
        code = self.prepare(id(inputs), self.control_address)
        return None if code == UNUSUAL else self._run(inputs, code)

    def run(self, inputs: Sequence[Any]) -> Sequence[Array]:
        """Run the program on arrays or numbers of the types of its inputs."""
        arrays = [*inputs]
        code = self.prepare(id(arrays), self.control_address)
        if code == UNUSUAL:
            arrays = [*map(_array, inputs, self.input_types)]
            self._copy_donated(arrays)
            code = self.prepare(id(arrays), self.control_address)
        if code == UNUSUAL:  # objects, which only NumPy takes, or dtypes that are equal but not the same
            self.results.forget()
            numeric = [i for i, t in enumerate(self.input_types) if t.dtype.kind != "O"]
            self._point([self.schedule.inputs[i] for i in numeric], [arrays[i] for i in numeric])
            for i in self.donated:
                arrays[i].flags.writeable = False
        return self._run(arrays, code)

    def _copy_donated(self, arrays: list[Any]) -> None:
        """Replace by copies the donated arrays that cannot be written over."""
        if not self.donated:
            return
        others = [x for i, x in enumerate(arrays) if i not in self.donated and isinstance(x, np.ndarray)]
        constants = [self.arrays[x] for x, _ in self.schedule.constants]
        owned = [i for i in self.donated if arrays[i].flags.owndata]
        alone = separate([arrays[i] for i in owned], [*others, *constants])
        for i in self.donated.difference(itertools.compress(owned, alone)):
            arrays[i] = arrays[i].copy()

    def _run(self, inputs: list[Any], code: int) -> Sequence[Array]:
        written = self.results.pick()
        if code != DONE:
            self._point(self.written, written)
        if not self.is_plain:
            arrays = map(_array, inputs, self.input_types)
            self.arrays.update(zip(self.schedule.inputs, arrays, strict=True))
            self.arrays.update(zip(self.written, written, strict=True))
        for part in self.parts:
            if isinstance(part, HostCall):
                self._evaluate(part)
            elif part(self.address) >= 0:
                self._fail()
        if not self.is_plain:
            written = [self._result(x) for x in self.schedule.outputs]
            self._forget()
            return written
        for place in self.scalars:
            written[place] = written[place][()]
        return written if self.select is None else self.select(inputs + written)

    def _point(self, buffers: Sequence[Variable], arrays: Sequence[Array]) -> None:
        """Enter the addresses of arrays into the table."""
        for buffer, array in zip(buffers, arrays, strict=True):
            self.table[self.layout.slots[buffer]] = pointer(array)

    def _forget(self) -> None:
        """Let go of the arrays of a call."""
        constants = {x for x, _ in self.schedule.constants}
        self.arrays = {x: array for x, array in self.arrays.items() if x in constants}

    def _fail(self) -> NoReturn:
        index, length = map(int, self.failure)
        self.failure[1] = -1
        raise IndexError(
            f"jit: an index must be from {-length} to {length - 1}, got {index}, which is out of bounds "
            f"for an axis of {length}; check the indices before the call"
        )

    def _result(self, output: Any) -> Array:
        if not isinstance(output, tuple):
            return output
        buffer, shape = output
        array = self.arrays[buffer]
        if buffer in self.given:
            array = np.array(array)
        if array.dtype.kind == "O":
            return array
        if array.shape != shape:
            array = array.reshape(shape)
        if not shape:
            return array[()]
        array.flags.writeable = False
        return array

    def _evaluate(self, call: HostCall) -> None:
        """Run an equation by NumPy; the results are arrays that share memory with nothing."""
        operands = [
            self._view(x, numbers=variable)
            for x, variable in zip(call.operands, call.equation.operands, strict=True)
        ]
        out = call.equation.primitive.evaluate(*operands, **call.equation.attributes)
        results = out if call.equation.primitive.multiple else (out,)
        for x, result in zip(results, call.equation.results, strict=True):
            array = self.arrays[result] = _own(x, result)
            if array.dtype.kind != "O":
                self._point([result], [array])

    def _view(self, operand: Any, numbers: Any) -> Any:
        """Return an operand of NumPy: an array in place, or a Python number for what promotes like one."""
        if not isinstance(operand, Region):
            return operand
        buffer = operand.access.buffer
        offset = self.layout.plan.offsets.get(buffer)
        base = self.arena if offset is not None else self.arrays[buffer]
        array = _strided(base, offset or 0, operand)
        return array.item() if numbers.weak is not None and not operand.shape else array


def _control(instance: Instance, schedule: Schedule) -> tuple[Any, int]:
    """Return what `prepare` reads, and where in it the arrays of the results are."""
    slots, inputs, written = instance.layout.slots, schedule.inputs, instance.written
    first = [slots[x[0]] if x else 0 for x in (inputs, written)]
    claimed = 0 if instance.ranges is None else ctypes.addressof(instance.ranges)
    head = [len(inputs), len(written), instance.address, *first, id(np.ndarray), claimed]
    records = []
    place = ctypes.addressof(instance.lengths)
    for x in inputs:
        shape, dtype = x.type
        # A number stands for itself, and an array is what no number can be.
        types = (id(x.weak), 0) if x.weak is not None else (0 if shape else id(dtype.type), id(dtype))
        # Of Python's numbers only the float has its value where NumPy's scalars have theirs.
        flags = OWNED if x in schedule.donated else READY
        records += [*(types if x.weak in (None, float) else (0, 0)), len(shape), place, flags]
        place += 8 * len(shape)
    pools = [0, *(0,) * KEPT, -1] * len(written)
    numbers = [*head, *records, *pools]
    return (ctypes.c_int64 * len(numbers))(*numbers), len(head) + len(records)


def _selection(places: list[int]) -> Callable[[list[Any]], Sequence[Any]] | None:
    """Return what takes from a list what stands at some places; None for none."""
    if len(places) > 1:
        return operator.itemgetter(*places)  # which for one place would give what stands there, bare
    return (lambda values: [values[places[0]]]) if places else None


def _ranges(schedule: Schedule, layout: Layout) -> Any:
    """Return what is said of all that a program reads to the check that nothing of it is written over."""
    places = {x: i for i, x in enumerate(schedule.inputs) if x in schedule.donated}
    given = dict.fromkeys((*(x for x, _ in schedule.constants), *schedule.inputs))
    sizes = {x: x.type.size * x.type.dtype.itemsize for x in given if x.type.dtype.kind != "O"}
    return ranges([Range(layout.slots[x], size, places.get(x, -1)) for x, size in sizes.items()])


def _array(x: Any, array_type: ArrayType) -> Any:
    """Return a value as a contiguous array of a dtype that NumPy has one object for.

    What is typed as objects may be anything, and stays as it is.
    """
    dtype = array_type.dtype
    if dtype.kind == "O":
        return x
    array = np.require(x, dtype, ["C", "A"])
    return array if array.dtype is dtype else array.view(dtype)


def _strided(base: Array, offset: int, region: Region) -> Array:
    """Return the elements of a region of a buffer that begins so many bytes behind the base."""
    access, shape = region
    dtype = access.buffer.type.dtype
    if dtype.kind == "O":
        return base
    if base.dtype == dtype and base.size == access.buffer.type.size and is_contiguous(region) and not offset:
        return base.reshape(shape)
    if 0 in shape:
        return np.empty(shape, dtype)
    item = dtype.itemsize
    strides = tuple(stride * item for stride in access.strides)
    return np.ndarray(shape, dtype, base, offset + access.offset * item, strides)


def _own(result: Any, variable: Variable) -> Array:
    """Return a result as a contiguous array of its own; a view may be of memory that is used again."""
    array = _array(result, variable.type)
    is_shared = isinstance(array, np.ndarray) and (array.base is not None or not array.flags.writeable)
    return array.copy() if is_shared else array
