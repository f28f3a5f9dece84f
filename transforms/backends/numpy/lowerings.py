"""How each primitive is written as NumPy source.

A lowering is ``lowering(write, operands, equation) -> expression``, where ``operands`` are the expressions
of the operands. It may instead return a `View` of its first operand, or an `Into`, a call that writes
its result into the array that stands for ``{out}``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transforms.graph.ir import Equation, Variable


class View(NamedTuple):
    """An expression whose value shares memory with the first operand's."""

    text: str


class Into(NamedTuple):
    """Two ways to write a call.

    Attributes:
        text: with ``{out}`` for the array that the result goes into.
        plain: that makes a new array.
        in_place: whether ``{out}`` may be an operand of the result's shape and dtype.
    """

    text: str
    plain: str
    in_place: bool


Lowering = Callable[[Sequence[str], Equation], "str | View | Into"]

_OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}


def ufunc_call(operands: Sequence[str], equation: Equation) -> Into:
    """Write a ufunc of NumPy."""
    ufunc: Any = equation.primitive.evaluate
    arguments = ", ".join(operands)
    sign = _OPERATORS.get(equation.primitive.name)
    plain = f"np.{ufunc.__name__}({arguments})"
    if equation.results[0].weak is not None:
        plain += ".item()"  # a Python number again, which promotes weakly
    elif sign and any(isinstance(x, Variable) and x.weak is None for x in equation.operands):
        plain = f"{operands[0]} {sign} {operands[1]}"
    return Into(f"np.{ufunc.__name__}({arguments}, out={{out}})", plain, in_place=True)


def _sum(operands: Sequence[str], equation: Equation) -> Into:
    axes, keepdims = equation.attributes["axes"], equation.attributes["keepdims"]
    axis = axes[0] if len(axes) == 1 else axes
    options = f"axis={axis}" + (", keepdims=True" if keepdims else "")
    start = f"np.add.reduce({operands[0]}, {options}"
    return Into(f"{start}, out={{out}})", f"{start})", in_place=False)


def _matmul(operands: Sequence[str], equation: Equation) -> Into:
    left, right = operands
    return Into(f"np.matmul({left}, {right}, out={{out}})", f"{left} @ {right}", in_place=False)


def _reshape(operands: Sequence[str], equation: Equation) -> View:
    return View(f"{operands[0]}.reshape({equation.attributes['shape']})")


def _transpose(operands: Sequence[str], equation: Equation) -> View:
    permutation = equation.attributes["permutation"]
    backwards = permutation == tuple(range(len(permutation)))[::-1]
    return View(f"{operands[0]}.T" if backwards else f"{operands[0]}.transpose({permutation})")


def _broadcast_to(operands: Sequence[str], equation: Equation) -> View:
    return View(f"np.broadcast_to({operands[0]}, {equation.attributes['shape']})")


def _astype(operands: Sequence[str], equation: Equation) -> str:
    operand = equation.operands[0]
    strong = isinstance(operand, Variable) and operand.weak is None
    array = operands[0] if strong else f"np.asarray({operands[0]})"
    return f"{array}.astype(np.{equation.results[0].type.dtype})"


def _where(operands: Sequence[str], equation: Equation) -> str:
    return f"np.where({', '.join(operands)})"


def _stop_gradient(operands: Sequence[str], equation: Equation) -> View:
    return View(operands[0])


LOWERINGS: dict[str, Lowering] = {
    "sum": _sum,
    "matmul": _matmul,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "astype": _astype,
    "truncate": _astype,
    "where": _where,
    "stop_gradient": _stop_gradient,
}
