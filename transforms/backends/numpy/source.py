"""From a graph to the source of a Python module with one function for it.

The arrays in between live in buffers that the module makes once. A buffer is used again after the last
reading of what may lie in it. Results are new arrays, or come from a pool.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import transforms.backends.numpy.lowerings  # noqa: F401 (they register themselves)
from transforms.backends.numpy.control import CONTROL, Function
from transforms.backends.numpy.lowerings.ufuncs import write_ufunc
from transforms.backends.numpy.module import Module, letters
from transforms.backends.numpy.regions import Regions
from transforms.backends.numpy.writing import (
    LOWERINGS,
    Block,
    Fill,
    Into,
    View,
    Writing,
    as_array,
    is_array,
)
from transforms.control.program import Program
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.types import ArrayType

# Below so many bytes a new array costs less than to keep one.
_SMALL = 512
# From so many bytes on, what is not needed any more is dropped before the function returns.
_LARGE = 1 << 16


class _Step(NamedTuple):
    """An equation, the texts of its operands, and how it is written; None for a call of the primitive."""

    equation: Equation
    operands: list[str]
    writing: Writing | None


class FunctionWriter:
    """Writes one function for one graph."""

    def __init__(self, module: Module, graph: Graph, name: str) -> None:
        self.module = module
        self.graph = graph
        self.name = name
        self.is_outermost = name == "program"
        self.lines: list[str] = []
        self.names: dict[Variable, str] = {}
        self.regions = Regions()
        self.owned: set[Variable] = set()  # what fills an array that nothing else was given
        self.buffers: dict[Variable, str] = {}  # the buffer that a variable's value lies in
        self.views: dict[tuple[str, Any], str] = {}  # a buffer with another shape
        self.free: dict[tuple[int, Any], list[str]] = {}
        self.members: dict[Variable, list[Variable]] = {}  # what has been written of each region

    def write(self) -> Function:
        """Add the function to the module."""
        graph, names = self.graph, letters()
        for variable in graph.inputs:
            self.names[variable] = next(names)
            self.regions.add_foreign(variable)
        for variable, value in graph.constants:
            self.names[variable] = self.module.constant(value)
            self.regions.add_foreign(variable)
        for equation in graph.equations:
            self.names.update((result, next(names)) for result in equation.results)
        steps = [self._step(equation) for equation in graph.equations]
        self._find_regions(steps)
        for position, step in enumerate(steps):
            self._write_step(position, step)
            self._release(position, step.equation)
        results = "".join(f"{self._result(x)}, " for x in graph.outputs).rstrip(" ")
        arguments = ", ".join(self.names[v] for v in graph.inputs)
        body = "\n".join(f"    {line}" for line in [*self.lines, f"return ({results})"])
        self.module.functions.append(f"def {self.name}({arguments}):\n{body}")
        return Function(self.name, *self._shared())

    # --- how each equation is written

    def _step(self, equation: Equation) -> _Step:
        operands = [self._read(x) for x in equation.operands]
        primitive = equation.primitive
        if primitive.name in CONTROL:
            results = [self.names[x] for x in equation.results]
            block = CONTROL[primitive.name](self._function, operands, results, equation)
            return _Step(equation, operands, block)
        if not primitive.elementwise:
            operands = [as_array(text, x) for text, x in zip(operands, equation.operands, strict=True)]
        lowering = LOWERINGS.get(primitive.name)
        if lowering is None and isinstance(primitive.evaluate, np.ufunc) and not primitive.multiple:
            lowering = write_ufunc if self.module.ufunc(primitive.evaluate) else None
        return _Step(
            equation, operands, None if lowering is None else lowering(self.module, operands, equation)
        )

    def _function(self, program: Program) -> Function:
        """Return the function of a program that an equation carries."""
        if program not in self.module.written:
            graph = program.optimized
            writer = FunctionWriter(self.module, graph, self.module.name("function"))
            self.module.written[program] = writer.write()
        return self.module.written[program]  # type: ignore[no-any-return]

    # --- memory

    def _find_regions(self, steps: list[_Step]) -> None:
        regions = self.regions
        for equation, _, writing in steps:
            if isinstance(writing, View) and isinstance(equation.operands[0], Variable):
                regions.unite(equation.operands[0], equation.results[0])
            elif isinstance(writing, Block):
                for position, other in writing.shares:
                    regions.unite(other, equation.results[position])
                for position in writing.foreign:
                    regions.add_foreign(equation.results[position])
        for position, step in enumerate(steps):
            for operand in step.equation.operands:
                if isinstance(operand, Variable):
                    regions.read(operand, position)
        for output in self.graph.outputs:
            if isinstance(output, Variable):
                regions.read(output, len(steps))

    def _escapes(self, variable: Variable) -> bool:
        return self.regions.last_read(variable) == len(self.graph.equations)

    def _release(self, position: int, equation: Equation) -> None:
        """Free, after an equation, the memory that nothing after it reads."""
        regions = self.regions
        for result in equation.results:
            self.members.setdefault(regions.find(result), []).append(result)
        for variable in dict.fromkeys((*equation.operands, *equation.results)):
            if not isinstance(variable, Variable) or regions.last_read(variable) > position:
                continue
            members = self.members.pop(regions.find(variable), [])
            for member in members:
                if member in self.buffers:
                    self._free_list(member.type).append(self.buffers.pop(member))
            if not regions.is_foreign(variable) and any(map(self._is_dropped, members)):
                self.lines.append(f"del {', '.join(self.names[member] for member in members)}")

    def _is_dropped(self, variable: Variable) -> bool:
        return variable.type.nbytes >= _LARGE and variable not in self.owned

    def _free_list(self, array_type: ArrayType) -> list[str]:
        return self.free.setdefault((array_type.size, array_type.dtype), [])

    def _buffer(self, result: Variable) -> str:
        """Return the name of a buffer for the value of a result."""
        free = self._free_list(result.type)
        shape, dtype = result.type
        if free:
            name = free.pop()
        else:
            name = self.module.array("buffer", self.module.empty(shape, dtype))
            self.views[name, shape] = name
        self.buffers[result] = name
        if (name, shape) not in self.views:
            self.views[name, shape] = self.module.array("buffer", f"{name}.reshape({shape})")
        return self.views[name, shape]

    def _array(self, result: Variable) -> str:
        """Return an expression for an array that the value of a result may be written into."""
        if self._is_small(result):
            return self.module.empty(*result.type)
        self.owned.add(result)
        if not self._escapes(result):
            return self._buffer(result)
        self.module.import_line("from transforms.backends.numpy.pool import Pool")
        shape, dtype = result.type
        return self.module.array("pool", f"Pool({shape}, {self.module.dtype(dtype)})") + "()"

    def _is_small(self, result: Variable) -> bool:
        is_plain = result.type.dtype.kind in "biufc" and result.weak is None
        return not is_plain or result.type.nbytes < _SMALL

    def _reused(self, position: int, operands: tuple[Operand, ...], result: Variable) -> str | None:
        """Return the name of an operand whose array nothing reads any more and the result may take over."""
        if result.weak is not None or not result.type.shape:
            return None
        for operand in operands:
            if not isinstance(operand, Variable) or operand.type != result.type:
                continue
            if operand not in self.owned or self.regions.last_read(operand) != position:
                continue
            if operand in self.buffers:
                if self._escapes(result):
                    continue
                self.buffers[result] = self.buffers.pop(operand)
            self.owned.add(result)
            return self.names[operand]
        return None

    # --- the lines

    def _write_step(self, position: int, step: _Step) -> None:
        equation, operands, writing = step
        targets = ", ".join(self.names[result] for result in equation.results)
        if isinstance(writing, Block):
            for line in writing.imports:
                self.module.import_line(line)
            for index in writing.arrays:
                result = equation.results[index]
                self.lines.append(f"{self.names[result]} = {self._array(result)}")
            self.lines.extend(writing.lines)
        elif isinstance(writing, Into):
            self._into(position, equation, writing)
        elif isinstance(writing, Fill):
            self._fill(position, equation, writing)
        elif writing is not None:
            self.lines.append(f"{targets} = {writing.text}")
        else:
            comma = "," if len(equation.results) == 1 and equation.primitive.multiple else ""
            assigned = f"{targets}{comma} = " if targets else ""
            self.lines.append(assigned + self._call(equation, operands))

    def _into(self, position: int, equation: Equation, writing: Into) -> None:
        (result,) = equation.results
        target = self.names[result]
        reused = self._reused(position, equation.operands, result) if writing.in_place else None
        if reused is None and self._is_small(result):
            self._own_new(result)
            self.lines.append(f"{target} = {writing.plain}")
        else:
            self.lines.append(f"{target} = {_with_out(writing.text, reused or self._array(result))}")

    def _fill(self, position: int, equation: Equation, writing: Fill) -> None:
        (result,) = equation.results
        target = self.names[result]
        first, *others = equation.operands
        reused = None
        if writing.in_place and not any(self._may_share(first, x) for x in others):
            reused = self._reused(position, (first,), result)
        if reused is not None:
            lines = [f"{target} = {reused}"]
        elif self._is_small(result):
            self._own_new(result)
            lines = [f"{target} = {writing.new}"]
        else:
            lines = [f"{target} = {self._array(result)}", _with_out(writing.start, target)]
        self.lines += lines
        self.lines += [_with_out(text, target) for text in writing.rest]

    def _own_new(self, result: Variable) -> None:
        """Note that a result is an array of its own; of shape () it may be a NumPy scalar."""
        if result.type.shape and result.weak is None:
            self.owned.add(result)

    def _may_share(self, first: Operand, second: Operand) -> bool:
        both = isinstance(first, Variable) and isinstance(second, Variable)
        return both and self.regions.find(first) is self.regions.find(second)  # type: ignore[arg-type]

    def _call(self, equation: Equation, operands: list[str]) -> str:
        """Return the call of a primitive as it is, with results that share no memory with operands."""
        primitive = equation.primitive
        function = self.module.ufunc(primitive.evaluate) if isinstance(primitive.evaluate, np.ufunc) else None
        options = [f"{key}={self.module.literal(value)}" for key, value in equation.attributes.items()]
        if function is not None:
            return f"{function}({', '.join([*operands, *options])})"
        self.module.import_line("from transforms.primitive import PRIMITIVES")
        self.module.import_line("from transforms.backends.numpy.pool import own")
        call = f'PRIMITIVES["{primitive.name}"].evaluate({", ".join([*operands, *options])})'
        arrays = [text for text, x in zip(operands, equation.operands, strict=True) if is_array(x)]
        item = ".item()" if equation.results and equation.results[0].weak is not None else ""
        return f"own({', '.join([call, *arrays])}){item}"

    # --- what is returned

    def _result(self, output: Operand) -> str:
        """Return the expression of an output: nothing that the caller or a buffer could change later."""
        text = self._read(output)
        if self.is_outermost and isinstance(output, Variable) and self.regions.is_foreign(output):
            return f"np.array({text})"
        return as_array(text, output)

    def _shared(self) -> tuple[tuple[tuple[int, ...], ...], tuple[bool, ...]]:
        """Return for each output which inputs it may share memory with, and whether it may with constants."""
        regions = self.regions
        inputs: dict[Variable, list[int]] = {}
        for index, variable in enumerate(self.graph.inputs):
            inputs.setdefault(regions.find(variable), []).append(index)
        constants = {regions.find(variable) for variable, _ in self.graph.constants}
        outputs = [regions.find(x) if isinstance(x, Variable) else None for x in self.graph.outputs]
        return (
            tuple(tuple(inputs.get(x, ())) if x is not None else () for x in outputs),
            tuple(x in constants or (x in regions.foreign and x not in inputs) for x in outputs),
        )

    def _read(self, operand: Operand) -> str:
        return self.names[operand] if isinstance(operand, Variable) else self.module.literal(operand)


def _with_out(text: str, out: str) -> str:
    return text.replace("{out}", out)


def write_module(graph: Graph) -> Module:
    """Write the module of a graph; its function is called ``program``."""
    module = Module()
    FunctionWriter(module, graph, "program").write()
    return module
