"""Transposed products: the transpose of a product is the product of the transposes, in the other order.

What a product's transpose reads would be made only to be copied; the gradient of a transposed operand is
that.
"""

from __future__ import annotations

from collections import Counter

from transforms.graph.ir import Equation, Graph, Operand, Variable, infer_results
from transforms.primitive import PRIMITIVES


def turn_products(graph: Graph) -> Graph:
    """Exchange the operands of products of which nothing but a transpose is read."""
    uses = Counter(x for equation in graph.equations for x in equation.operands if isinstance(x, Variable))
    uses.update(x for x in graph.outputs if isinstance(x, Variable))
    definitions: dict[Operand, Equation] = {}
    equations: list[Equation] = []
    for equation in graph.equations:
        turned = _turned(equation, definitions, uses) if equation.primitive.name == "transpose" else None
        equations += turned or [equation]
        definitions.update((x, equation) for x in equation.results)
    return graph._replace(equations=tuple(equations))


def _turned(
    equation: Equation, definitions: dict[Operand, Equation], uses: Counter[Variable]
) -> list[Equation] | None:
    """Return the equations of a transpose as those of another product, if that saves a copy."""
    (product,) = equation.operands
    made = definitions.get(product)
    permutation = equation.attributes["permutation"]
    last = len(permutation) - 1
    if made is None or made.primitive.name != "matmul" or uses[product] != 1 or permutation[-1] != last - 1:  # type: ignore[index]
        return None
    left, right = made.operands
    if not _is_transposed(left, definitions) or not isinstance(right, Variable) or len(right.type.shape) < 2:
        return None
    first, second = _transposed(right), _transposed(left)
    (result,) = infer_results(PRIMITIVES["matmul"], (first.results[0], second.results[0]), {})
    order = tuple({last: last - 1, last - 1: last}.get(axis, axis) for axis in permutation)
    turned = Equation((result,), PRIMITIVES["matmul"], (first.results[0], second.results[0]), {})
    return [first, second, turned, equation._replace(operands=(result,), attributes={"permutation": order})]


def _is_transposed(operand: Operand, definitions: dict[Operand, Equation]) -> bool:
    """Whether the rows of a matrix are the last axis of what it is a transpose of."""
    made = definitions.get(operand)
    if made is None or made.primitive.name != "transpose":
        return False
    permutation = made.attributes["permutation"]
    return len(permutation) > 1 and permutation[-2] == len(permutation) - 1


def _transposed(operand: Operand) -> Equation:
    """Return the equation that exchanges the last two axes."""
    assert isinstance(operand, Variable)
    axes = range(len(operand.type.shape))
    permutation = (*axes[:-2], axes[-1], axes[-2])
    attributes = {"permutation": permutation}
    results = infer_results(PRIMITIVES["transpose"], (operand,), attributes)
    return Equation(results, PRIMITIVES["transpose"], (operand,), attributes)
