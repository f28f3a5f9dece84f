"""Compiled schedules, one arena for each call that runs at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.memory import ALIGNMENT, plan_memory
from transforms.backends.llvm.module import Layout, write_module
from transforms.backends.llvm.profile import profile
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import DType, HostCall, Region, Schedule, show
from transforms.backends.llvm.threads import get_threads
from transforms.backends.llvm.views import is_contiguous
from transforms.backends.numpy.pool import Pool
from transforms.graph.ir import Graph, Variable
from transforms.types import Array

_READY = 0x0001 | 0x0100  # NumPy's flags of contiguous and aligned arrays


class NativeExecutable:
    """A graph as machine code, with calls of NumPy between."""

    def __init__(self, graph: Graph) -> None:
        self.schedule = make_schedule(graph)
        self.layout = _lay_out(self.schedule)
        written = write_module(self.schedule, self.layout)
        self._text = written.text
        self._code = Code(written.text)
        self._parts = self._code.parts(written)
        self._idle: list[_Instance] = []

    def profile(self, *inputs: Array, calls: int = 10) -> str:
        """Return a table of the time that each step takes, from calls of a program that counts its cycles."""
        written = write_module(self.schedule, self.layout, timed=True)
        code = Code(written.text)
        instance = _Instance(self.schedule, self.layout, code, code.parts(written))
        return profile(written.timed, code.address("cycles"), code.stamp, lambda: instance.run(inputs), calls)

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program; what it returns is read-only."""
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = _Instance(self.schedule, self.layout, self._code, self._parts)
        try:
            return instance.run(inputs)
        finally:
            self._idle.append(instance)

    def source(self) -> str:
        """Return the schedule, and the LLVM module that was made of it."""
        comment = "\n".join(f"; {line}" for line in show(self.schedule).splitlines())
        return f"{comment}\n\n{self._text}\n"


def compile_graph(graph: Graph) -> NativeExecutable:
    """Compile a graph."""
    return NativeExecutable(graph)


def _lay_out(schedule: Schedule) -> Layout:
    """Number the arrays: the arena, constants, inputs, results, and what NumPy will give."""
    slots: dict[Variable, int] = {}
    given = (*(x for x, _ in schedule.constants), *schedule.inputs)
    for buffer in (*given, *_native_results(schedule), *_host_results(schedule)):
        slots.setdefault(buffer, len(slots) + 1)
    return Layout(plan_memory(schedule, get_threads()), slots)


def _host_results(schedule: Schedule) -> list[Variable]:
    return [y for x in schedule.steps if isinstance(x, HostCall) for y in x.equation.results]


def _native_results(schedule: Schedule) -> list[Variable]:
    """Return, each once, the results that kernels and products write."""
    others = {*(x for x, _ in schedule.constants), *schedule.inputs, *_host_results(schedule)}
    returned = dict.fromkeys(x[0] for x in schedule.outputs if isinstance(x, tuple))
    return [x for x in returned if x not in others]


class _Instance:
    """What one call of a program at a time needs."""

    def __init__(
        self,
        schedule: Schedule,
        layout: Layout,
        code: Code,
        parts: Sequence[HostCall | Callable[[int], int]],
    ) -> None:
        self.schedule = schedule
        self.code = code
        self.layout = layout
        self.parts = parts
        memory = np.empty(layout.plan.size + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        self.arena = memory[start : start + layout.plan.size]
        self.fixed = [self.arena, *(np.require(x, requirements=["C", "A"]) for _, x in schedule.constants)]
        given = {*(x for x, _ in schedule.constants), *schedule.inputs}
        self.input_dtypes = [x.type.dtype for x in schedule.inputs]
        self.pools = [Pool(*x.type) for x in _native_results(schedule)]
        self.returns = [
            (layout.slots[x[0]], x[1], x[0] in given) if isinstance(x, tuple) else x for x in schedule.outputs
        ]

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Run the program on arrays or numbers of the types of its inputs."""
        arrays = [
            *self.fixed,
            *[
                x if x.__class__ is np.ndarray and x.flags.num & _READY == _READY else _array(x, dtype)
                for x, dtype in zip(inputs, self.input_dtypes, strict=True)
            ],
            *[pool() for pool in self.pools],
        ]
        for part in self.parts:
            if isinstance(part, HostCall):
                arrays.extend(self._evaluate(part, arrays))
            else:
                together = tuple(arrays)  # the segment gets its address
                if part(id(together)) >= 0:
                    self._fail()
        return tuple([self._result(x, arrays) for x in self.returns])

    def _fail(self) -> NoReturn:
        index, length = self.code.take_failure()
        what = f"index {index} is out of bounds for an axis of {length}"
        raise IndexError(f"jit: an index must be from {-length} to {length - 1}, got {index}: {what}")

    def _result(self, output: Any, arrays: list[Array]) -> Array:
        if not isinstance(output, tuple):
            return output
        slot, shape, is_given = output
        array = np.array(arrays[slot]) if is_given else arrays[slot]
        if array.dtype.kind == "O":
            return array
        if array.shape != shape:
            array = array.reshape(shape)
        if not shape:
            return array[()]
        array.flags.writeable = False
        return array

    def _evaluate(self, call: HostCall, arrays: list[Array]) -> list[Array]:
        """Run an equation by NumPy; the results are arrays that share memory with nothing."""
        operands = [
            self._view(x, arrays, numbers=variable)
            for x, variable in zip(call.operands, call.equation.operands, strict=True)
        ]
        out = call.equation.primitive.evaluate(*operands, **call.equation.attributes)
        results = out if call.equation.primitive.multiple else (out,)
        return [_own(x, result) for x, result in zip(results, call.equation.results, strict=True)]

    def _view(self, operand: Any, arrays: list[Array], numbers: Any) -> Any:
        """Return an operand of NumPy: an array in place, or a Python number for what promotes like one."""
        if not isinstance(operand, Region):
            return operand
        buffer = operand.access.buffer
        offset = self.layout.plan.offsets.get(buffer)
        base = self.arena if offset is not None else arrays[self.layout.slots[buffer]]
        array = _strided(base, offset or 0, operand)
        return array.item() if numbers.weak is not None and not operand.shape else array


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
