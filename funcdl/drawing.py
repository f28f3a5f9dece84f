"""Programs as pictures, through Graphviz."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from funcdl._extras import load
from funcdl._graphs import nested_graphs
from transforms.errors import message

_INDENT = "  "
_INPUT, _CONSTANT, _OPERATION, _OUTPUT, _NESTED = "#cfe3f3", "#ececec", "#ffffff", "#d3eadd", "#f7f7f7"


def dot(graph: Any) -> str:
    r"""Return the picture of a program as text in Graphviz's language DOT.

    A box is an operation with the type of its result, an oval an input, an output or a constant; the program
    that an operation carries, such as the step of a loop, stands in a frame beside it.

    Args:
        graph: a `Graph`, as ``transforms.stage(f)(*args)`` gives it.

    Raises:
        TypeError: ``graph`` is not a program.

    >>> from transforms import stage
    >>> print(dot(stage(lambda x: 2 * np.sin(x))(1.0)))
    digraph {
      node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="Helvetica", fontsize=10]
      edge [arrowsize=0.6, color="#606060"]
      n0 [label="input 0\nfloat64[]", shape=oval, style=filled, fillcolor="#cfe3f3"]
      n1 [label="sin\nfloat64[]"]
      n0 -> n1
      n2 [label="multiply 2 ·\nfloat64[]"]
      n1 -> n2
      n3 [label="output 0", shape=oval, style=filled, fillcolor="#d3eadd"]
      n2 -> n3
    }
    """
    if not all(hasattr(graph, part) for part in ("inputs", "equations", "outputs")):
        remedy = "make one with transforms.stage(f)(*args)"
        raise TypeError(message("dot", "graph", "be a program", f"a {type(graph).__name__}", remedy))
    lines = [
        "digraph {",
        f'{_INDENT}node [shape=box, style="rounded,filled", fillcolor="{_OPERATION}", fontname="Helvetica", '
        "fontsize=10]",
        f'{_INDENT}edge [arrowsize=0.6, color="#606060"]',
        *_nodes(graph, itertools.count(), _INDENT),
        "}",
    ]
    return "\n".join(lines)


def draw(graph: Any, path: str | os.PathLike[str] | None = None) -> str:
    """Return the picture of a program as text of the image format SVG, which browsers and notebooks show.

    It needs Graphviz, the program ``dot``, and the package that calls it: ``pip install "funcdl[draw]"``. The
    function `dot` gives the text that the picture is made of without either.

    Args:
        graph: a `Graph`, as ``transforms.stage(f)(*args)`` gives it.
        path: a file to write as well.

    Raises:
        TypeError: ``graph`` is not a program.
        ImportError: the package graphviz is not installed.
        RuntimeError: the program ``dot`` is not on the path.
    """
    text = dot(graph)
    graphviz = load("graphviz", "draw", "draw")
    try:
        svg: str = graphviz.Source(text).pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound as error:
        remedy = "install Graphviz, such as with apt-get install graphviz, or take the text of dot(graph)"
        raise RuntimeError(message("draw", "the program dot", "be on the path", "none", remedy)) from error
    if path is not None:
        Path(path).write_text(svg, encoding="utf-8")
    return svg


def _nodes(graph: Any, numbers: Iterator[int], indent: str) -> list[str]:
    """Return the lines of a program's nodes and edges; the numbers name nodes and frames."""
    lines: list[str] = []
    names: dict[Any, str] = {}

    def node(label: str, color: str | None = None) -> str:
        name = f"n{next(numbers)}"
        look = "" if color is None else f', shape=oval, style=filled, fillcolor="{color}"'
        lines.append(f'{indent}{name} [label="{_escaped(label)}"{look}]')
        return name

    for index, variable in enumerate(graph.inputs):
        names[variable] = node(f"input {index}\n{variable.type}", _INPUT)
    for variable, value in graph.constants:
        names[variable] = node(f"{_constant(value)}\n{variable.type}", _CONSTANT)
    for equation in graph.equations:
        types = "\n".join(str(variable.type) for variable in equation.results)
        own = node(f"{_operation(equation, names)}\n{types}")
        names.update(dict.fromkeys(equation.results, own))
        lines += [f"{indent}{names[x]} -> {own}" for x in equation.operands if x in names]
        for label, inner in nested_graphs(equation).items():
            frame = next(numbers)
            inside = _nodes(inner, numbers, indent + _INDENT)
            lines += [
                f"{indent}subgraph cluster{frame} {{",
                f'{indent}{_INDENT}label="{_escaped(label)}"; style=filled; color="{_NESTED}"; '
                'fontname="Helvetica"; fontsize=10',
                *inside,
                f"{indent}}}",
            ]
            if inside:
                first = inside[0].split()[0]
                lines.append(f"{indent}{own} -> {first} [style=dashed, arrowhead=none, constraint=false]")
    for index, output in enumerate(graph.outputs):
        label = f"output {index}" if output in names else f"output {index}\n{output}"
        end = node(label, _OUTPUT)
        if output in names:
            lines.append(f"{indent}{names[output]} -> {end}")
    return lines


def _operation(equation: Any, names: dict[Any, str]) -> str:
    """Return an operation's name; with its operands, if a number is among them, and with its options."""
    operands = ["·" if x in names else repr(x) for x in equation.operands]
    words = [equation.primitive.name, *(operands if any(text != "·" for text in operands) else [])]
    options = [f"{key}={_short(value)}" for key, value in equation.attributes.items()]
    return "\n".join([" ".join(words), *options])


def _short(value: Any, longest: int = 40) -> str:
    text = str(value).replace(" ", "")
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _constant(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)) and value.size <= 4:
        return f"constant {np.asarray(value).tolist()}"
    return "constant"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
