"""From a graph to the source of a Python module with one function for it.

The arrays in between live in buffers that the module makes once. A buffer is used again after the last
reading of what is in it, and of all views of that. Results are new arrays, or come from a pool.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from transforms.backends.numpy.lowerings import LOWERINGS, Into, View, ufunc_call
from transforms.control.loop import Loop
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.types import Array, ArrayType

# Below so many bytes a new array costs less than the call with out= saves.
_SMALL = 512


class Module:
    """The text of a module, and the values that it names without saying what they are.

    Attributes:
        imports: lines.
        arrays: lines that make constants, buffers and pools.
        functions: blocks of lines.
        objects: what cannot be written as text.
    """

    def __init__(self) -> None:
        self.imports = ["import numpy as np"]
        self.arrays: list[str] = []
        self.functions: list[str] = []
        self.objects: dict[str, Any] = {}
        self.count = 0

    def name(self, kind: str) -> str:
        """Return a new name."""
        self.count += 1
        return f"{kind}{self.count}"

    def import_line(self, line: str) -> None:
        """Add an import unless it is there."""
        if line not in self.imports:
            self.imports.append(line)

    def text(self) -> str:
        """Return the module's source."""
        return "\n".join([*self.imports, "", *self.arrays, "", "", "\n\n\n".join(self.functions), ""])

    def literal(self, value: Any) -> str:
        """Return an expression for an attribute of an equation."""
        if value is None or isinstance(value, (bool, int, float, complex, str, slice)):
            text = repr(value)
            return f'float("{text}")' if isinstance(value, float) and text in ("inf", "nan", "-inf") else text
        if isinstance(value, np.dtype):
            return f'np.dtype("{value}")'
        if type(value) is tuple:
            return "(" + "".join(f"{self.literal(item)}, " for item in value).rstrip(" ") + ")"
        name = self.name("object")
        self.objects[name] = value
        return name

    def constant(self, value: Array) -> str:
        """Return the name of a constant array."""
        array = np.asarray(value)
        name = self.name("constant")
        dtype = f"np.{array.dtype}" if array.dtype.kind in "biufc" else ""
        if not dtype:
            self.objects[name] = array
        elif array.size <= 16 and np.all(np.isfinite(array)):
            self.arrays.append(f"{name} = np.array({array.tolist()}, {dtype.replace('np.bool', 'np.bool_')})")
        elif array.size and np.all(array == array[(0,) * array.ndim]):
            first = self.literal(array[(0,) * array.ndim].item())
            self.arrays.append(f"{name} = np.full({array.shape}, {first}, {dtype})")
        else:
            self.import_line("import base64")
            data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
            self.arrays.append(
                f'{name} = np.frombuffer(base64.b64decode("{data}"), {dtype}).reshape({array.shape})'
            )
        return name


class FunctionWriter:
    """Writes one function for one graph."""

    def __init__(self, module: Module, graph: Graph, name: str) -> None:
        self.module = module
        self.graph = graph
        self.name = name
        self.lines: list[str] = []
        self.names: dict[Variable, str] = {}
        self.roots: dict[Variable, Variable] = {}  # whose memory a variable's value lies in
        self.last_reads: dict[Variable, int] = {}  # the last equation that reads a root's memory
        self.buffers: dict[Variable, str] = {}  # the buffer of each root that has one
        self.free: dict[tuple[Any, ...], list[str]] = {}

    def write(self) -> None:
        """Add the function to the module."""
        graph = self.graph
        for variable in graph.inputs:
            self.names[variable] = self._letter()
        for variable, value in graph.constants:
            self.names[variable] = self.module.constant(value)
        self._find_roots()
        for index, equation in enumerate(graph.equations):
            self._equation(index, equation)
            self._release(index, equation)
        results = [self._result(x) for x in graph.outputs]
        arguments = ", ".join(self.names[v] for v in graph.inputs)
        self.lines.append(f"return ({''.join(f'{result}, ' for result in results).rstrip(' ')})")
        body = "\n".join(f"    {line}" for line in self.lines)
        self.module.functions.append(f"def {self.name}({arguments}):\n{body}")

    # --- memory

    def _find_roots(self) -> None:
        for equation in self.graph.equations:
            is_view = isinstance(self._lower(equation, ["x"] * len(equation.operands)), View)
            for result in equation.results:
                first = equation.operands[0] if equation.operands else None
                shared = is_view and isinstance(first, Variable)
                self.roots[result] = self._root(first) if shared else result  # type: ignore[arg-type]
        for index, equation in enumerate(self.graph.equations):
            for operand in equation.operands:
                if isinstance(operand, Variable):
                    self.last_reads[self._root(operand)] = index
        for output in self.graph.outputs:
            if isinstance(output, Variable):
                self.last_reads[self._root(output)] = len(self.graph.equations)

    def _root(self, variable: Variable) -> Variable:
        return self.roots.get(variable, variable)

    def _release(self, index: int, equation: Equation) -> None:
        for variable in {*equation.operands, *equation.results}:
            if isinstance(variable, Variable):
                root = self._root(variable)
                if root in self.buffers and self.last_reads.get(root, index) <= index:
                    self._free_list(root.type).append(self.buffers.pop(root))

    def _free_list(self, array_type: ArrayType) -> list[str]:
        return self.free.setdefault((array_type.shape, str(array_type.dtype)), [])

    def _buffer(self, index: int, equation: Equation, in_place: bool) -> str:
        """Return the name of a buffer for the result of an equation."""
        result = equation.results[0]
        if in_place:
            for operand in equation.operands:
                if isinstance(operand, Variable) and operand.type == result.type:
                    root = self._root(operand)
                    if root is operand and root in self.buffers and self.last_reads[root] == index:
                        self.buffers[result] = self.buffers.pop(root)
                        return self.buffers[result]
        free = self._free_list(result.type)
        if free:
            name = free.pop()
        else:
            name = self.module.name("buffer")
            shape, dtype = result.type
            self.module.arrays.append(f"{name} = np.empty({shape}, np.{dtype})")
        self.buffers[result] = name
        return name

    # --- equations

    def _lower(self, equation: Equation, operands: list[str]) -> Any:
        primitive = equation.primitive
        lowering = LOWERINGS.get(primitive.name)
        if lowering is not None:
            return lowering(operands, equation)
        function = primitive.evaluate
        if isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is function:
            return ufunc_call(operands, equation)
        return None

    def _equation(self, index: int, equation: Equation) -> None:
        operands = [self._read(x) for x in equation.operands]
        if not equation.primitive.elementwise:
            operands = [
                f"np.asarray({text})" if isinstance(x, Variable) and x.weak else text
                for text, x in zip(operands, equation.operands, strict=True)
            ]
        if isinstance(equation.attributes.get("loop"), Loop):
            self._loop(equation, operands)
            return
        lowered = self._lower(equation, operands)
        targets = ", ".join(self._assign(result) for result in equation.results)
        if lowered is None or equation.primitive.multiple:
            comma = "," if len(equation.results) == 1 and equation.primitive.multiple else ""
            self.lines.append(f"{targets}{comma} = {self._generic(equation, operands)}")
        elif isinstance(lowered, View):
            self.lines.append(f"{targets} = {lowered.text}")
        elif isinstance(lowered, str):
            self.lines.append(f"{targets} = {lowered}")
        else:
            self._into(index, equation, targets, lowered)

    def _into(self, index: int, equation: Equation, target: str, call: Into) -> None:
        result = equation.results[0]
        escapes = self.last_reads.get(result) == len(self.graph.equations)
        shape, dtype = result.type
        small = result.type.size * dtype.itemsize < _SMALL or dtype.kind not in "biufc" or result.weak
        if small:
            self.lines.append(f"{target} = {call.plain}")
        elif escapes:
            pool = self.module.name("pool")
            self.module.import_line("from transforms.backends.numpy.pool import Pool")
            self.module.arrays.append(f"{pool} = Pool({shape}, np.{dtype})")
            self.lines.append(f"{target} = {call.text.format(out=f'{pool}()')}")
        else:
            out = self._buffer(index, equation, call.in_place)
            self.lines.append(f"{target} = {call.text.format(out=out)}")

    def _generic(self, equation: Equation, operands: list[str]) -> str:
        self.module.import_line("from transforms.primitive import PRIMITIVES")
        options = [f"{key}={self.module.literal(value)}" for key, value in equation.attributes.items()]
        return f'PRIMITIVES["{equation.primitive.name}"].evaluate({", ".join([*operands, *options])})'

    def _loop(self, equation: Equation, operands: list[str]) -> None:
        """Write a scan as a ``for`` loop over a function of one step."""
        loop: Loop = equation.attributes["loop"]
        step = self.module.name("step")
        FunctionWriter(self.module, loop.optimized, step).write()
        consts, carry, stacks = loop.split(operands)
        carried = [self._assign(result) for result in equation.results[: loop.carries]]
        outputs = [self._assign(result) for result in equation.results[loop.carries :]]
        for name, start in zip(carried, carry, strict=True):
            self.lines.append(f"{name} = {start}")
        for name, result in zip(outputs, equation.results[loop.carries :], strict=True):
            shape, dtype = result.type
            self.lines.append(f"{name} = np.empty({shape}, np.{dtype})")
        order = f"range({loop.length - 1}, -1, -1)" if loop.reverse else f"range({loop.length})"
        self.lines.append(f"for i in {order}:")
        entries = [f"{output}[i]" for output in outputs]
        arguments = ", ".join([*consts, *carried, *(f"{stack}[i]" for stack in stacks)])
        targets = ", ".join([*carried, *entries])
        comma = "," if len(carried) + len(entries) == 1 else ""
        call = f"{step}({arguments})"
        self.lines.append(f"    {targets}{comma} = {call}" if targets else f"    {call}")

    def _result(self, output: Operand) -> str:
        """Return the expression of an output: nothing that the caller or a buffer could change later."""
        text = self._read(output)
        if not isinstance(output, Variable):
            return text
        root = self._root(output)
        foreign = root in self.graph.inputs or any(root is v for v, _ in self.graph.constants)
        return f"np.array({text})" if foreign and self.graph_is_outermost else text

    @property
    def graph_is_outermost(self) -> bool:
        """Whether this is the module's main function."""
        return self.name == "program"

    # --- names

    def _letter(self) -> str:
        index, text = len(self.names) + 1, ""
        while index:
            index, letter = divmod(index - 1, 26)
            text = chr(ord("a") + letter) + text
        return text + "_" if text in _RESERVED else text

    def _assign(self, variable: Variable) -> str:
        self.names[variable] = self._letter()
        return self.names[variable]

    def _read(self, operand: Operand) -> str:
        return self.names[operand] if isinstance(operand, Variable) else self.module.literal(operand)


_RESERVED = {"as", "if", "in", "is", "or", "np", "i", "and", "def", "del", "for", "not", "try"}


def write_module(graph: Graph) -> Module:
    """Write the module of a graph; its function is called ``program``."""
    module = Module()
    FunctionWriter(module, graph, "program").write()
    return module
