"""How much arithmetic a function does, counted from its program."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from funcdl._graphs import nested_graphs
from transforms import stage, type_of
from transforms.types import ArrayType

# Elementwise, but a choice or a change of representation.
_FREE = {"astype", "conjugate", "imag", "positive", "real", "stop_gradient", "truncate", "where"}
_FOLDS = {
    "all", "any", "argmax", "argmin", "cummax", "cummin", "cumprod", "cumsum", "max", "min", "prod", "sum",
}  # fmt: skip


def count_flops(function: Callable[..., Any]) -> Callable[..., int]:
    """Return a function that gives the number of floating-point operations of another.

    They are those of the program as it is written, before any compiler improves it. A multiplication and an
    addition are two, an elementwise function such as ``exp`` is one for each element, and a fold such as
    ``sum`` one for each element of its operand. Products with padding count. Of a scan all steps count, of a
    while loop one step, of branches the longest. Casts, choices and moves of data are free, and so are
    factorizations, FFTs and sorts, whose count depends on the algorithm.

    Args:
        function: of trees of arrays, to a tree of arrays. It sees types, not values.

    Returns:
        A function of arguments like those of ``function``, with arrays or `ArrayType` for leaves.

    >>> import numpy as np
    >>> from transforms import ArrayType
    >>> count_flops(lambda x, w: np.tanh(x @ w))(ArrayType((8, 3), "float32"), ArrayType((3, 5), "float32"))
    280
    """

    def counted(*args: Any) -> int:
        return _of_graph(stage(function)(*args))

    return counted


def _of_graph(graph: Any) -> int:
    return sum(_of_equation(equation) for equation in graph.equations)


def _of_equation(equation: Any) -> int:
    primitive, attributes = equation.primitive, equation.attributes
    name = primitive.name
    types: list[ArrayType] = [type_of(getattr(operand, "type", operand)) for operand in equation.operands]
    size: int = equation.results[0].type.size if equation.results else 0
    if name == "matmul":
        return 2 * size * types[0].shape[-1]
    if name == "conv":
        spread: tuple[int, ...] = attributes["geometry"].input_dilation
        return 2 * size * math.prod(types[1].shape[:-1]) // math.prod(spread)
    if name in ("window_extreme", "window_sum"):
        window: tuple[int, ...] = attributes["windows"].window
        return size * math.prod(window)
    if name in _FOLDS:
        return types[0].size
    if name == "custom_call":
        return _of_graph(stage(attributes["call"].f)(*types))
    inside = [_of_graph(graph) for graph in nested_graphs(equation).values()]
    if name == "scan":
        return int(attributes["loop"].length) * sum(inside)
    if inside:
        return max(inside) if name == "switch" else sum(inside)
    return size if primitive.elementwise and name not in _FREE else 0
