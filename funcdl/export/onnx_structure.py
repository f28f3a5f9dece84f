"""Primitives that reduce, move, read and join arrays, as ONNX nodes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdl.export.onnx_writer import LOWERINGS, Writer, lower

# --- reductions


def _reduction(operator: str) -> Any:
    def lowering(write: Writer, operands: list[str], equation: Any) -> str:
        source, target = equation.operands[0].type.dtype, equation.results[0].type.dtype
        x = write.cast(operands[0], source, target)
        axes = equation.attributes["axes"]
        return (
            write.node(operator, x, write.integers(*axes), keepdims=int(equation.attributes["keepdims"]))
            if axes
            else x
        )

    return lowering


for _name, _operator in {
    "sum": "ReduceSum",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "min": "ReduceMin",
}.items():
    LOWERINGS[_name] = _reduction(_operator)


def _logical(operator: str) -> Any:
    def lowering(write: Writer, operands: list[str], equation: Any) -> str:
        whole = write.cast(operands[0], equation.operands[0].type.dtype, np.dtype(bool))
        number = write.cast(whole, np.dtype(bool), np.dtype(np.int32))
        axes = write.integers(*equation.attributes["axes"])
        reduced = write.node(operator, number, axes, keepdims=int(equation.attributes["keepdims"]))
        return write.cast(reduced, np.dtype(np.int32), np.dtype(bool))

    return lowering


LOWERINGS["any"] = _logical("ReduceMax")
LOWERINGS["all"] = _logical("ReduceMin")


def _position(operator: str) -> Any:
    def lowering(write: Writer, operands: list[str], equation: Any) -> str:
        options = equation.attributes
        return write.node(operator, operands[0], axis=options["axis"], keepdims=int(options["keepdims"]))

    return lowering


LOWERINGS["argmax"] = _position("ArgMax")
LOWERINGS["argmin"] = _position("ArgMin")


@lower("cumsum")
def _cumsum(write: Writer, operands: list[str], equation: Any) -> str:
    source, target = equation.operands[0].type.dtype, equation.results[0].type.dtype
    axis = write.constant(equation.attributes["axis"], np.int64)
    return write.node(
        "CumSum", write.cast(operands[0], source, target), axis, reverse=int(equation.attributes["reverse"])
    )


# --- shapes


@lower("reshape")
def _reshape(write: Writer, operands: list[str], equation: Any) -> str:
    return write.reshape(operands[0], equation.attributes["shape"])


@lower("transpose")
def _transpose(write: Writer, operands: list[str], equation: Any) -> str:
    return write.transpose(operands[0], equation.attributes["permutation"])


@lower("broadcast_to")
def _broadcast_to(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Expand", operands[0], write.integers(*equation.attributes["shape"]))


@lower("concatenate")
def _concatenate(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Concat", *operands, axis=equation.attributes["axis"])


@lower("sort")
def _sort(write: Writer, operands: list[str], equation: Any) -> str:
    return _ordered(write, operands[0], equation)[0]


@lower("argsort")
def _argsort(write: Writer, operands: list[str], equation: Any) -> str:
    return _ordered(write, operands[0], equation)[1]


def _ordered(write: Writer, x: str, equation: Any) -> list[str]:
    axis = equation.attributes["axis"]
    count = write.integers(equation.operands[0].type.shape[axis])
    return write.nodes_of("TopK", (x, count), 2, axis=axis, largest=0, sorted=1)


# --- indices

# What ends a slice that runs down to the first element.
_BEFORE_ALL = np.iinfo(np.int64).min


@lower("getitem")
def _getitem(write: Writer, operands: list[str], equation: Any) -> str:
    index = equation.attributes["index"]
    bounds = []
    for key in (key for key in index.key if key is not None):
        part = key if isinstance(key, slice) else slice(key, key + 1, 1)
        bounds.append((part.start, _BEFORE_ALL if part.stop is None else part.stop, part.step))
    if not bounds:
        return write.reshape(operands[0], index.shape)
    starts, stops, steps = (write.integers(*column) for column in zip(*bounds, strict=True))
    axes = write.integers(*range(len(bounds)))
    return write.reshape(write.node("Slice", operands[0], starts, stops, axes, steps), index.shape)


@lower("setitem")
def _setitem(write: Writer, operands: list[str], equation: Any) -> str:
    """Write to the places of the flattened array; into a constant, by padding if that is possible."""
    base, updates = operands
    index, shape = equation.attributes["index"], equation.attributes["shape"]
    updates = write.node("Expand", updates, write.integers(*index.shape))
    parts = [
        key if isinstance(key, slice) else slice(key, key + 1, 1) for key in index.key if key is not None
    ]
    if not hasattr(equation.operands[0], "type") and all(part.step == 1 for part in parts):
        inner = write.reshape(updates, [part.stop - part.start for part in parts])
        after = [length - part.stop for part, length in zip(parts, shape, strict=True)]
        return write.node("Pad", inner, write.integers(*(part.start for part in parts), *after), base)
    places = np.arange(math.prod(shape)).reshape(shape)[index.key].reshape((-1, 1))
    flat = write.reshape(write.node("Expand", base, write.integers(*shape)), (math.prod(shape),))
    values = write.reshape(updates, (len(places),))
    return write.reshape(write.node("ScatterND", flat, write.constant(places, np.int64), values), shape)


@lower("gather")
def _gather(write: Writer, operands: list[str], equation: Any) -> str:
    x, *indices = operands
    axes, position = equation.attributes["axes"], equation.attributes["position"]
    rank = len(equation.operands[0].type.shape)
    selected = np.broadcast_shapes(*(i.type.shape for i in equation.operands[1:]))
    indices = [
        write.cast(name, operand.type.dtype, np.dtype(np.int64))
        for name, operand in zip(indices, equation.operands[1:], strict=True)
    ]
    if len(axes) == 1:
        (axis,), (index,) = axes, indices
        return _move(
            write, write.node("Gather", x, index, axis=axis), rank - 1, len(selected), axis, position
        )
    front = write.transpose(x, (*axes, *(axis for axis in range(rank) if axis not in axes)))
    columns = [
        write.reshape(write.node("Expand", index, write.integers(*selected)), (*selected, 1))
        for index in indices
    ]
    places = write.node("Concat", *columns, axis=len(selected))
    out = write.node("GatherND", front, places)
    return _move(write, out, rank - len(axes), len(selected), 0, position)


def _move(write: Writer, x: str, others: int, moved: int, source: int, target: int) -> str:
    """Move ``moved`` neighbouring axes among ``others``."""
    rest = [axis for axis in range(others + moved) if not source <= axis < source + moved]
    return write.transpose(x, [*rest[:target], *range(source, source + moved), *rest[target:]])
