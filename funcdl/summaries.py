"""A model at a glance: its layers, what they give, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from funcdl import random
from funcdl.costs import count_flops
from funcdl.nn.layer import Layer, watched
from transforms import eval_shape, tree, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

_HEADER = ("path", "layer", "output", "parameters", "bytes", "FLOPs")
_LEFT = 3  # columns of text; the others are numbers
_BYTES, _COUNTS = ("B", "kB", "MB", "GB", "TB"), ("", "k", "M", "G", "T", "P")


class LayerSummary(NamedTuple):
    """A line of a `Summary`: a layer with all that is inside of it.

    Attributes:
        path: its place in the model, as errors name it, such as "2/layer/0"; "" for the model itself.
        name: what the layer calls itself.
        output: the type of its output, or a tree of types.
        parameters: the number of elements of its parameters.
        bytes: of its parameters and its state.
        flops: the number of floating-point operations for the example, as `count_flops` counts them.
    """

    path: str
    name: str
    output: Tree
    parameters: int
    bytes: int
    flops: int


class Summary(NamedTuple):
    """What `summary` returns; printed, it is a table.

    Attributes:
        layers: the model itself, and then its layers in the order in which they are applied, each before
            those inside of it.
    """

    layers: tuple[LayerSummary, ...]

    def __str__(self) -> str:
        rows = [_cells(layer) for layer in self.layers]
        return _table([_HEADER, *rows[1:], ("", *rows[0][1:])])

    def __repr__(self) -> str:
        return str(self)


def summary(model: Layer, x: Array | ArrayType | Tree) -> Summary:
    """Return a table of the layers of a model, with output types, parameters, bytes and operations.

    Nothing is computed: the model is traced with types alone. Numbers are those of one application to ``x``,
    not training. The numbers of a layer include those of the layers inside of it, the last line is the whole
    model. A layer that is repeated or shared has one line for all its applications, with the numbers of one;
    the line of its `repeat` or `shared` has those of all.

    Args:
        model: a layer, such as ``nn.serial(...)``.
        x: an example batch, or its `ArrayType`; or a tree of these, if that is what the model is applied to.

    Returns:
        A `Summary`: ``print`` shows the table, ``.layers`` has its lines.

    Raises:
        TypeError: ``model`` is not a layer.
        ValueError: from the layers, ``x`` does not fit.

    >>> from funcdl import nn
    >>> from transforms import ArrayType
    >>> model = nn.serial(nn.dense(100), nn.repeat(nn.serial(nn.dense(100), nn.relu), 8), nn.dense(3))
    >>> print(summary(model, ArrayType((32, 2), "float32")))
    path       layer   output           parameters     bytes    FLOPs
    -----------------------------------------------------------------
    0          dense   float32[32,100]         300    1.2 kB     16 k
    1          repeat  float32[32,100]      80,800  323.2 kB    5.2 M
    1/layer    serial  float32[32,100]      10,100   40.4 kB  646.4 k
    1/layer/0  dense   float32[32,100]      10,100   40.4 kB  643.2 k
    1/layer/1  relu    float32[32,100]           0       0 B    3.2 k
    2          dense   float32[32,3]           303    1.2 kB   19.3 k
    -----------------------------------------------------------------
               serial  float32[32,3]        81,403  325.6 kB    5.2 M
    """
    if not isinstance(model, Layer):
        raise TypeError(message("summary", "the model", "be a layer", f"a {type(model).__name__}"))
    types = tree.map(type_of, x)
    params, state = eval_shape(model.init, random.key(0), types)
    visits = _visits(model, params, state, types)
    return Summary(tuple(_line(path, visit) for path, visit in visits.items()))


class _Visit(NamedTuple):
    """An application of a layer: the layer, and the types of what it was given and gave."""

    layer: Layer
    params: Tree
    state: Tree
    x: Tree
    output: Tree


def _visits(model: Layer, params: Tree, state: Tree, x: Tree) -> dict[str, _Visit]:
    """Return the first application of a model, and of each layer inside of it, by their paths."""
    found: dict[str, _Visit | None] = {"": None}
    labels: list[str] = []

    def watch(
        place: str, layer: Layer, params: Tree, state: Tree, x: Tree, *, key: Array | None, training: bool
    ) -> tuple[Any, Tree]:
        labels.append(place.rpartition("/")[2])
        path = "/".join(labels)
        try:
            # Its place is before those of the layers inside of it, which are finished first.
            found.setdefault(path, None)
            y, after = layer.apply(params, state, x, key=key, training=training)
        finally:
            labels.pop()
        if found[path] is None:
            found[path] = _Visit(layer, *(tree.map(type_of, part) for part in (params, state, x, y)))
        return y, after

    def run(params: Tree, state: Tree, x: Tree) -> Tree:
        with watched(watch):
            return model.apply(params, state, x)[0]

    output = eval_shape(run, params, state, x)
    found[""] = _Visit(model, params, state, x, output)
    return {path: visit for path, visit in found.items() if visit is not None}


def _line(path: str, visit: _Visit) -> LayerSummary:
    layer, params, state, x, output = visit
    flops = count_flops(lambda params, state, x: layer.apply(params, state, x)[0])(params, state, x)
    held = tree.leaves((params, state))
    return LayerSummary(
        path=path,
        name=layer.name,
        output=output,
        parameters=sum(leaf.size for leaf in tree.leaves(params)),
        bytes=sum(leaf.size * leaf.dtype.itemsize for leaf in held),
        flops=flops,
    )


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    return (
        layer.path,
        layer.name,
        _type_text(layer.output),
        f"{layer.parameters:,}",
        _with_unit(layer.bytes, _BYTES),
        _with_unit(layer.flops, _COUNTS),
    )


def _type_text(output: Tree) -> str:
    if isinstance(output, (tuple, list)):
        return f"({', '.join(_type_text(part) for part in output)})"
    return str(output)


def _with_unit(number: int, units: Sequence[str]) -> str:
    """Return a number with at most one decimal, in the largest unit that leaves it at least 1."""
    scaled, unit = float(number), 0
    while round(scaled, 1) >= 1000 and unit + 1 < len(units):
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.1f}".removesuffix(".0") + f" {units[unit]}".rstrip()


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column < _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    header, *body, total = [line(row) for row in rows]
    rule = "-" * max(map(len, (header, *body, total)))
    return "\n".join([header, rule, *body, rule, total])
