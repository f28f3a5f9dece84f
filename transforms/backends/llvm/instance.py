"""What one call of a program at a time needs: an arena, a table of pointers, the arrays of its results."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.memory import ALIGNMENT
from transforms.backends.llvm.module import Layout
from transforms.backends.llvm.objects import DONE, ITEMS, KEPT, UNUSUAL, Results, pointer, prepare_function
from transforms.backends.llvm.steps import FAILURE, DType, HostCall, Region, Schedule
from transforms.backends.llvm.views import is_contiguous
from transforms.graph.ir import Variable
from transforms.types import Array

_ARENA = 0


def host_results(schedule: Schedule) -> list[Variable]:
    """Return what NumPy gives."""
    return [y for x in schedule.steps if isinstance(x, HostCall) for y in x.equation.results]


def native_results(schedule: Schedule) -> list[Variable]:
    """Return, each once, the results that kernels and products write."""
    others = {*(x for x, _ in schedule.constants), *schedule.inputs, *host_results(schedule)}
    returned = dict.fromkeys(x[0] for x in schedule.outputs if isinstance(x, tuple))
    return [x for x in returned if x not in others]


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
        self.given = {*self.arrays, *schedule.inputs}
        self.input_dtypes = [x.type.dtype for x in schedule.inputs]
        self.written = native_results(schedule)
        shapes = {x[0]: x[1] for x in reversed(schedule.outputs) if isinstance(x, tuple)}
        self.control, first = _control(self, schedule)
        self.results = Results(self.control, first, [(shapes[x], x.type.dtype) for x in self.written])
        self.control_address = ctypes.addressof(self.control)
        self.prepare = prepare_function()
        outputs = [x[0] if isinstance(x, tuple) else x for x in schedule.outputs]
        # Whether there are no calls of NumPy, and each result is an array of its own that was written.
        self.is_plain = outputs == self.written and not any(isinstance(part, HostCall) for part in parts)
        self.scalars = [i for i, x in enumerate(self.written) if not shapes[x]]

    def run(self, inputs: tuple[Array, ...]) -> Sequence[Array]:
        """Run the program on arrays or numbers of the types of its inputs."""
        code = self.prepare(id(inputs) + ITEMS, self.control_address)
        if code == UNUSUAL:
            inputs = tuple(map(_array, inputs, self.input_dtypes))
            shown = tuple(
                _NOTHING if d.kind == "O" else x for x, d in zip(inputs, self.input_dtypes, strict=True)
            )
            code = self.prepare(id(shown) + ITEMS, self.control_address)
            if code == UNUSUAL:
                self._point(self.schedule.inputs, shown)
        written = self.results.pick()
        if code != DONE:
            self._point(self.written, written)
        if not self.is_plain:
            arrays = map(_array, inputs, self.input_dtypes)
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
        return written

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


_NOTHING = np.empty(1)  # stands where an argument is that only NumPy takes


def _control(instance: Instance, schedule: Schedule) -> tuple[Any, int]:
    """Return what `prepare` reads, and where in it the arrays of the results are."""
    slots, inputs, written = instance.layout.slots, schedule.inputs, instance.written
    first = [slots[x[0]] if x else 0 for x in (inputs, written)]
    head = [len(inputs), len(written), instance.address, *first, id(np.ndarray)]
    scalars = [id(x.weak) if x.weak is float else id(x.type.dtype.type) for x in inputs]
    pools = [0, *(0,) * KEPT, -1] * len(written)
    numbers = [*head, *scalars, *pools]
    return (ctypes.c_int64 * len(numbers))(*numbers), len(head) + len(scalars)


def _array(x: Any, dtype: DType) -> Any:
    """Return a value as a contiguous array; what is typed as objects may be anything, and stays so."""
    return x if dtype.kind == "O" else np.require(x, dtype, ["C", "A"])


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
    array = _array(result, variable.type.dtype)
    is_shared = isinstance(array, np.ndarray) and (array.base is not None or not array.flags.writeable)
    return array.copy() if is_shared else array
