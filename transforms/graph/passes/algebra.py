"""Algebra: equations that compute what is there already, or more of it than is needed.

Each rule keeps every bit of the result, signs of zeros and NaN included; but the sum of -0.0 alone, which is
0.0 to NumPy, stays -0.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from transforms.graph.ir import Equation, Graph, Operand, Variable, infer_results
from transforms.primitive import PRIMITIVES
from transforms.types import Array, ArrayType, Shape


def simplify(graph: Graph) -> Graph:
    """Rewrite each equation by the rules of its primitive."""
    simplifier = _Simplifier(graph)
    for equation in graph.equations:
        simplifier.add(equation)
    outputs = tuple(simplifier.read(x) for x in graph.outputs)
    constants = (*graph.constants, *simplifier.scalars.values())
    return Graph(graph.inputs, constants, tuple(simplifier.equations), outputs)


class _Simplifier:
    """Writes the new program.

    Attributes:
        equations: so far.
        constants: the values of constants.
        scalars: for a constant whose elements are equal, one that has one element of it.
        definitions: the equation of each result.
        values: what stands for results that are not computed.
    """

    def __init__(self, graph: Graph) -> None:
        self.equations: list[Equation] = []
        self.constants: dict[Variable, Array] = dict(graph.constants)
        self.scalars: dict[Variable, tuple[Variable, Array]] = {}
        self.definitions: dict[Variable, Equation] = {}
        self.values: dict[Variable, Operand] = {}
        self._not_uniform: set[Variable] = set()

    def read(self, operand: Operand) -> Operand:
        """Return what stands for an operand."""
        return self.values.get(operand, operand) if isinstance(operand, Variable) else operand

    def add(self, equation: Equation) -> None:
        """Add an equation of the old program."""
        equation = equation._replace(operands=tuple(self.read(x) for x in equation.operands))
        if equation.primitive.elementwise and not equation.primitive.multiple:
            equation = self._without_broadcasts(equation)
        rule = _RULES.get(equation.primitive.name)
        found = None if rule is None else rule(self, equation)
        if found is None:
            self.emit(equation)
        elif isinstance(found, Equation):
            self.emit(found)
        else:
            self.values[equation.results[0]] = found

    def emit(self, equation: Equation) -> None:
        """Add an equation to the new program."""
        self.equations.append(equation)
        for result in equation.results:
            self.definitions[result] = equation

    def defined(self, operand: Operand, name: str) -> Equation | None:
        """Return the equation of an operand if it is one of a primitive of this name."""
        equation = self.definitions.get(operand) if isinstance(operand, Variable) else None
        return equation if equation is not None and equation.primitive.name == name else None

    def scalar(self, variable: Variable) -> Variable | None:
        """Return a constant of shape () with the one value that all elements of a constant have."""
        if variable in self.scalars:
            return self.scalars[variable][0]
        value = self.constants.get(variable)
        if value is None or variable in self._not_uniform:
            return None
        if not _is_uniform(value):
            self._not_uniform.add(variable)
            return None
        one = Variable(ArrayType((), variable.type.dtype))
        element = np.array(value[(0,) * value.ndim])
        self.scalars[variable] = (one, element)
        self.constants[one] = element
        return one

    def number(self, operand: Operand) -> Any:
        """Return the value of an operand that is known to be one number, or None."""
        if not isinstance(operand, Variable):
            return operand
        value = self.constants.get(operand)
        return value.item() if value is not None and not operand.type.shape and _is_plain(value) else None

    def small(self, operand: Operand) -> Operand:
        """Return an operand of which the given one only repeats the elements, or gives it leading axes."""
        if not isinstance(operand, Variable) or not operand.type.shape:
            return operand
        broadcast = self.defined(operand, "broadcast_to")
        if broadcast is not None:
            return self.small(broadcast.operands[0])
        reshape = self.defined(operand, "reshape")
        if reshape is not None:
            (source,) = reshape.operands
            shape = _shape(source)
            if operand.type.shape == (1,) * (len(operand.type.shape) - len(shape)) + shape:
                return self.small(source)
        return self.scalar(operand) or operand

    def _without_broadcasts(self, equation: Equation) -> Equation:
        """Compute on operands that NumPy broadcasts by itself; repeat the result if all of them are small."""
        operands = tuple(self.small(x) for x in equation.operands)
        if operands == equation.operands:
            return equation
        (result,) = equation.results
        shape = np.broadcast_shapes(*map(_shape, operands))
        if shape == result.type.shape:
            return equation._replace(operands=operands)
        results = infer_results(equation.primitive, operands, equation.attributes)
        self.emit(Equation(results, equation.primitive, operands, equation.attributes))
        return _equation(result, "broadcast_to", results[0], shape=result.type.shape)


_Rule: TypeAlias = Callable[[_Simplifier, Equation], "Operand | Equation | None"]
_RULES: dict[str, _Rule] = {}


def _rule(*names: str) -> Callable[[_Rule], _Rule]:
    """Decorate the rule of primitives: it gives what stands for the result, another equation, or None."""

    def register(rule: _Rule) -> _Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def _equation(result: Variable, name: str, *operands: Operand, **attributes: Any) -> Equation:
    return Equation((result,), PRIMITIVES[name], operands, attributes)


def _shape(operand: Operand) -> Shape:
    return operand.type.shape if isinstance(operand, Variable) else ()


def _is_plain(value: Array) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc"


def _is_uniform(value: Array) -> bool:
    """Whether a constant has axes and equal elements, bit for bit."""
    if not (_is_plain(value) and value.ndim and value.size):
        return False
    if not any(stride for stride, length in zip(value.strides, value.shape, strict=True) if length > 1):
        return True
    elements = np.ascontiguousarray(value).reshape(-1)
    if elements[0] != elements[-1]:
        return False
    content = elements.view(np.uint8).reshape(elements.size, -1)
    return bool((content == content[0]).all())


def _same(operand: Operand, result: Variable) -> bool:
    """Whether an operand may stand for a result: it has its type, and promotes like it."""
    if not isinstance(operand, Variable):
        return type(operand) is result.weak
    return (operand.type, operand.weak) == (result.type, result.weak)


# --- what changes nothing


@_rule("stop_gradient", "name", "positive")
def _identity(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    return equation.operands[0] if _same(equation.operands[0], equation.results[0]) else None


@_rule("astype", "truncate")
def _cast(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    (operand,), (result,) = equation.operands, equation.results
    is_same = isinstance(operand, Variable) and operand.weak is None and operand.type == result.type
    return operand if is_same else None


@_rule("conjugate")
def _conjugate(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    is_real = equation.results[0].type.dtype.kind != "c"
    return _identity(simplifier, equation) if is_real else None


@_rule("multiply")
def _multiply(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    x, y = equation.operands
    (result,) = equation.results
    if _same(x, result) and _is_number(simplifier.number(y), 1):
        return x
    return y if _same(y, result) and _is_number(simplifier.number(x), 1) else None


@_rule("divide", "power")
def _divide(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    x, y = equation.operands
    return x if _same(x, equation.results[0]) and _is_number(simplifier.number(y), 1) else None


def _is_number(value: Any, number: int) -> bool:
    # Complex numbers are left alone: (1 + 0j) * x has NaN where x is infinite.
    return type(value) in (int, float) and value == number


@_rule("add")
def _add(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    x, y = equation.operands
    (result,) = equation.results
    for kept, zero in ((x, y), (y, x)):
        if _same(kept, result) and _is_neutral(simplifier.number(zero), result.type, negative=True):
            return kept
    for kept, other in ((x, y), (y, x)):
        negated = _negated(simplifier, other, result)
        if negated is not None:
            return equation._replace(primitive=PRIMITIVES["subtract"], operands=(kept, negated))
    return None


@_rule("subtract")
def _subtract(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    x, y = equation.operands
    (result,) = equation.results
    if _same(x, result) and _is_neutral(simplifier.number(y), result.type, negative=False):
        return x
    negated = _negated(simplifier, y, result)
    return None if negated is None else equation._replace(primitive=PRIMITIVES["add"], operands=(x, negated))


def _negated(simplifier: _Simplifier, operand: Operand, result: Variable) -> Variable | None:
    """Return what an operand is the negative of, where no promotion comes between."""
    equation = simplifier.defined(operand, "negative")
    source = None if equation is None else equation.operands[0]
    is_plain = isinstance(source, Variable) and source.type.dtype == result.type.dtype
    return source if is_plain and source.weak is None else None  # type: ignore[return-value,union-attr]


def _is_neutral(value: Any, result: ArrayType, *, negative: bool) -> bool:
    """Whether to add (``negative``) or subtract a number changes nothing: -0.0 + 0.0 is 0.0, not -0.0."""
    if not _is_number(value, 0):
        return False
    if result.dtype.kind in "iu":
        return True
    return result.dtype.kind == "f" and (math.copysign(1.0, value) < 0) == negative


@_rule("negative")
def _negative(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    inner = simplifier.defined(equation.operands[0], "negative")
    return inner.operands[0] if inner is not None and _same(inner.operands[0], equation.results[0]) else None


# --- shapes


@_rule("reshape")
def _reshape(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    inner = simplifier.defined(equation.operands[0], "reshape")
    source = equation.operands[0] if inner is None else inner.operands[0]
    if _same(source, equation.results[0]):
        return source
    return equation._replace(operands=(source,))


@_rule("getitem")
def _getitem(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    """An index that takes all elements in their order gives another shape, no more."""
    (x,), (result,) = equation.operands, equation.results
    steps = [getattr(entry, "step", 1) for entry in equation.attributes["index"].entries]
    if not isinstance(x, Variable) or x.type.size != result.type.size or min(steps, default=1) < 0:
        return None
    return _reshape(simplifier, _equation(result, "reshape", x, shape=result.type.shape))


@_rule("broadcast_to")
def _broadcast_to(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    source = simplifier.small(equation.operands[0])
    if _same(source, equation.results[0]):
        return source
    return equation._replace(operands=(source,))


@_rule("transpose")
def _transpose(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    permutation = equation.attributes["permutation"]
    inner = simplifier.defined(equation.operands[0], "transpose")
    source = equation.operands[0]
    if inner is not None:
        (source,) = inner.operands
        permutation = tuple(inner.attributes["permutation"][axis] for axis in permutation)
    if permutation == tuple(range(len(permutation))):
        return source
    return equation._replace(operands=(source,), attributes={"permutation": permutation})


@_rule("sum", "prod", "max", "min", "any", "all")
def _reduce(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    """Of axes of length one there is nothing to reduce; leading ones that are kept are another shape."""
    (x,), (result,) = equation.operands, equation.results
    shape = _shape(x)
    axes: tuple[int, ...] = equation.attributes["axes"]
    if not isinstance(x, Variable):
        return None
    if x.type.dtype == result.type.dtype and all(shape[axis] == 1 for axis in axes):
        return _reshape(simplifier, _equation(result, "reshape", x, shape=result.type.shape))
    if equation.attributes["keepdims"] and axes == tuple(range(len(axes))):
        attributes = {**equation.attributes, "keepdims": False}
        reduced = infer_results(equation.primitive, (x,), attributes)
        simplifier.emit(equation._replace(results=reduced, attributes=attributes))
        return _equation(result, "reshape", reduced[0], shape=result.type.shape)
    return None


# --- operands that may be given as one number


@_rule("setitem", "scatter_set", "scatter_add", "scatter_multiply", "scatter_min", "scatter_max")
def _write(simplifier: _Simplifier, equation: Equation) -> Operand | Equation | None:
    """The base broadcasts, and so do updates that are one number."""
    base, updates, *indices = equation.operands
    base = simplifier.small(base)
    one = simplifier.small(updates)
    updates = one if not _shape(one) else updates
    return equation._replace(operands=(base, updates, *indices))
