"""The writer of an ONNX graph: names, nodes and constants, and the equations of a program one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from funcdl._extras import load
from transforms import type_of
from transforms.errors import message
from transforms.types import ArrayType

OPSET = 20
"""The version of ONNX's operators, of 2023."""

_IR_VERSION = 9

# Writes the nodes of an equation: takes the writer, the names of the operands and the equation, and returns
# the name of the result, or the names of several.
Lowering: TypeAlias = Callable[["Writer", list[str], Any], "str | list[str]"]

LOWERINGS: dict[str, Lowering] = {}
"""The lowering of each primitive that can be written, by its name."""


def lower(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorate the lowering of the primitives of these names."""

    def register(lowering: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = lowering
        return lowering

    return register


class Writer:
    """Writes a program into an ONNX graph; one writer for each nested graph.

    Args:
        numbers: gives the numbers of names, which nested graphs share with those around them.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self.onnx = load("onnx", "onnx", "export.save_onnx")
        self.numbers = numbers
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def name(self) -> str:
        """Return a new name."""
        return f"v{next(self.numbers)}"

    def node(self, operator: str, *inputs: str, **options: Any) -> str:
        """Write a node with one result, and return its name."""
        return self.nodes_of(operator, inputs, 1, **options)[0]

    def nodes_of(self, operator: str, inputs: Sequence[str], results: int, **options: Any) -> list[str]:
        """Write a node with several results, and return their names."""
        names = [self.name() for _ in range(results)]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, **options))
        return names

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Write an array, and return its name."""
        name = self.name()
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def integers(self, *values: int) -> str:
        """Write a vector of integers, as shapes and axes are."""
        return self.constant(np.array(values, np.int64).reshape(len(values)))

    def cast(self, x: str, source: np.dtype[Any], target: np.dtype[Any]) -> str:
        """Cast an array unless it has the dtype."""
        return x if source == target else self.node("Cast", x, to=self.code(target))

    def code(self, dtype: np.dtype[Any]) -> int:
        """Return ONNX's number for a dtype.

        Raises:
            ValueError: ONNX has none.
        """
        try:
            return int(self.onnx.helper.np_dtype_to_tensor_dtype(dtype))
        except (KeyError, ValueError) as error:
            raise ValueError(
                message("export.save_onnx", "each dtype of the program", "be one of ONNX's", dtype)
            ) from error

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Write a change of shape, in which 0 means an empty axis."""
        return self.node("Reshape", x, self.integers(*shape), allowzero=1)

    def transpose(self, x: str, order: Sequence[int]) -> str:
        """Write a permutation of axes, unless it is none."""
        return x if list(order) == sorted(order) else self.node("Transpose", x, perm=list(order))

    def typed(self, name: str, array_type: ArrayType) -> Any:
        """Return ONNX's declaration of a graph's input or output."""
        return self.onnx.helper.make_tensor_value_info(name, self.code(array_type.dtype), array_type.shape)

    def program(self, graph: Any, inputs: Sequence[str]) -> list[str]:
        """Write the equations of a program; returns the names of its outputs."""
        names: dict[Any, str] = dict(zip(graph.inputs, inputs, strict=True))
        for variable, value in graph.constants:
            names[variable] = self.constant(value)
        for equation in graph.equations:
            operands = [names.get(x, x) for x in equation.operands]
            out = self._equation(equation, operands)
            results = [out] if isinstance(out, str) else out
            names.update(zip(equation.results, results, strict=True))
        return [names[x] if x in names else self.constant(x, type_of(x).dtype) for x in graph.outputs]

    def nested(self, label: str, graph: Any, inputs: Sequence[str], declared: Sequence[Any] = ()) -> Any:
        """Return a program as a graph of its own, which also reads what stands in the graphs around it.

        Args:
            label: a name for it.
            graph: the program.
            inputs: the names of the program's inputs.
            declared: the declarations of those that are the nested graph's own.
        """
        inner = Writer(self.numbers)
        outputs = [inner.node("Identity", name) for name in inner.program(graph, inputs)]
        types = [output_type(x) for x in graph.outputs]
        return inner.graph(label, declared, [inner.typed(n, t) for n, t in zip(outputs, types, strict=True)])

    def graph(self, label: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Return what was written as an ONNX graph."""
        return self.onnx.helper.make_graph(self.nodes, label, inputs, outputs, self.initializers)

    def model(self, graph: Any) -> Any:
        """Return a graph as a model, checked."""
        opset = self.onnx.helper.make_opsetid("", OPSET)
        model = self.onnx.helper.make_model(
            graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="funcdl"
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def _equation(self, equation: Any, operands: list[Any]) -> str | list[str]:
        name = equation.primitive.name
        lowering = LOWERINGS.get(name)
        if lowering is None:
            raise ValueError(
                message(
                    "export.save_onnx",
                    "each operation of the program",
                    "have a form in ONNX",
                    name,
                    "use save_stablehlo, or compute that part outside of the file",
                )
            )
        dtypes = operand_dtypes(equation)
        return lowering(
            self, [self._operand(*x) for x in zip(operands, equation.operands, dtypes, strict=True)], equation
        )

    def _operand(self, name: Any, operand: Any, dtype: Any) -> str:
        if not isinstance(name, str):
            return self.constant(name, dtype or type_of(name).dtype)
        return name if dtype is None else self.cast(name, operand.type.dtype, dtype)


def output_type(x: Any) -> ArrayType:
    """Return the type of a variable of a program, or of a Python number in its place."""
    return type_of(getattr(x, "type", x))


def operand_dtypes(equation: Any) -> Sequence[Any]:
    """Return the dtype in which NumPy reads each operand of an elementwise primitive; None for its own."""
    primitive, operands = equation.primitive, equation.operands
    given = [getattr(x, "weak", type(x)) or x.type.dtype for x in operands]
    if primitive.name == "power" or isinstance(primitive.evaluate, np.ufunc):
        ufunc = np.power if primitive.name == "power" else primitive.evaluate
        known = [np.dtype(bool) if dtype is bool else dtype for dtype in given]
        return ufunc.resolve_dtypes((*known, *[None] * ufunc.nout))[: len(given)]
    result = equation.results[0].type.dtype
    if primitive.name == "where":
        return [np.dtype(bool), result, result]
    return [result if primitive.name in _PROMOTING else None for _ in given]


_PROMOTING = {"matmul", "conv", "concatenate", "setitem"}
