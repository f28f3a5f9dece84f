"""Einstein summation: a path of contractions of two operands, each one matrix product."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.matmul import matmul
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array, Shape

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Plan(NamedTuple):
    """How to evaluate one einsum.

    Attributes:
        inputs: the labels of each operand's axes.
        output: the labels of the result's axes.
        path: the positions of the operands of each step, whose result goes to the end of the list.
    """

    inputs: tuple[str, ...]
    output: str
    path: tuple[tuple[int, ...], ...]


@implements(np.einsum)
def _einsum(
    *operands: Any,
    out: None = None,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
    optimize: Any = False,
) -> Array:
    refuse_out("einsum", out)
    subscripts, arrays = _split_operands(operands)
    if dtype is not None:
        arrays = [x.astype(dtype) for x in arrays]
    chosen = tuple(optimize) if isinstance(optimize, list) else optimize
    plan = _plan(subscripts, tuple(x.shape for x in arrays), chosen)
    terms = [_take_diagonals(x, labels) for x, labels in zip(arrays, plan.inputs, strict=True)]
    for positions in plan.path:
        chosen_terms = [terms[position] for position in positions]
        terms = [term for position, term in enumerate(terms) if position not in positions]
        kept = set(plan.output).union(*(labels for _, labels in terms))
        product = chosen_terms[0]
        for later, term in enumerate(chosen_terms[1:], start=2):
            needed = kept.union(*(labels for _, labels in chosen_terms[later:]))
            product = _contract(product, term, needed)
        terms.append(product)
    ((x, labels),) = terms
    x, labels = _sum_out(x, labels, set(plan.output))
    return x if labels == plan.output else x.transpose(tuple(map(labels.index, plan.output)))


@implements(np.einsum_path)
def _einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: Any = False) -> Any:
    subscripts, arrays = _split_operands(operands)
    stand_ins = [np.broadcast_to(np.empty((), x.dtype), x.shape) for x in arrays]
    return np.einsum_path(subscripts, *stand_ins, optimize=optimize, einsum_call=einsum_call)


def _split_operands(operands: tuple[Any, ...]) -> tuple[str, list[Array]]:
    """Return the subscripts as a string, and the arrays, from either form of an einsum's arguments."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), [as_array(x) for x in operands[1:]]
    count = len(operands) // 2
    arrays = [as_array(x) for x in operands[: 2 * count : 2]]
    lists = operands[1 : 2 * count : 2]
    numbers = sorted({label for labels in operands[1::2] for label in labels if label is not ...})
    if len(operands) % 2:
        numbers = sorted({*numbers, *(label for label in operands[-1] if label is not ...)})

    def spelt(labels: Sequence[Any]) -> str:
        return "".join("..." if label is ... else _LETTERS[numbers.index(label)] for label in labels)

    subscripts = ",".join(map(spelt, lists))
    return (f"{subscripts}->{spelt(operands[-1])}" if len(operands) % 2 else subscripts), arrays


# --- the plan


@functools.lru_cache(maxsize=4096)
def _plan(subscripts: str, shapes: tuple[Shape, ...], optimize: Any) -> Plan:
    """Return the plan; a path is searched for where there are three operands or more."""
    left, arrow, right = subscripts.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ValueError(
            message("einsum", f"the subscripts {subscripts!r}", f"name {len(shapes)} operands", len(parts))
        )
    names, ellipsis = _spell_ellipses(subscripts, parts, shapes)
    if arrow:
        output = right.replace("...", ellipsis)
    else:
        every = left.replace(",", "").replace("...", "")
        output = ellipsis + "".join(sorted(label for label in set(every) if every.count(label) == 1))
    _check_labels(subscripts, names, output, shapes)
    if len(shapes) <= 2:
        return Plan(names, output, ((0, 1),) if len(shapes) == 2 else ())
    if isinstance(optimize, tuple) and optimize[0] == "einsum_path":
        return Plan(names, output, optimize[1:])
    stand_ins = [np.broadcast_to(np.empty(()), shape) for shape in shapes]
    search = "greedy" if isinstance(optimize, bool) else optimize
    steps = np.einsum_path(",".join(names) + "->" + output, *stand_ins, optimize=search)[0][1:]
    return Plan(names, output, tuple(tuple(step) for step in steps))


def _spell_ellipses(
    subscripts: str, parts: Sequence[str], shapes: Sequence[Shape]
) -> tuple[tuple[str, ...], str]:
    """Give the axes under the ellipses labels, which line up from the right; return those as well."""
    hidden = [len(shape) - len(part.replace("...", "")) for part, shape in zip(parts, shapes, strict=True)]
    for part, count, shape in zip(parts, hidden, shapes, strict=True):
        if count < 0 or (count and "..." not in part):
            raise ShapeError(
                message("einsum", f"the subscripts {part!r}", "have a label for each axis", f"shape {shape}")
            )
    dots = max(hidden)
    ellipsis = "".join(letter for letter in _LETTERS if letter not in subscripts)[:dots]
    names = tuple(
        part.replace("...", ellipsis[dots - count :]) for part, count in zip(parts, hidden, strict=True)
    )
    return names, ellipsis


def _check_labels(subscripts: str, inputs: Sequence[str], output: str, shapes: Sequence[Shape]) -> None:
    known = set("".join(inputs))
    if not set(output) <= known or len(set(output)) != len(output):
        raise ValueError(
            message("einsum", f"the output of {subscripts!r}", "name labels of the inputs once each", output)
        )
    for label in known:
        lengths = {
            n
            for labels, shape in zip(inputs, shapes, strict=True)
            for name, n in zip(labels, shape, strict=True)
            if name == label
        }
        if len(lengths - {1}) > 1:
            listed = " and ".join(map(str, shapes))
            raise ShapeError(f"einsum: the operands' shapes must fit {subscripts!r}, got {listed}")


# --- its steps


def _take_diagonals(x: Array, labels: str) -> tuple[Array, str]:
    """Keep the diagonal of the axes that share a label."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = np.diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    return x, labels


def _sum_out(x: Array, labels: str, kept: set[str]) -> tuple[Array, str]:
    """Sum over the axes whose labels nobody needs any more."""
    axes = tuple(axis for axis, label in enumerate(labels) if label not in kept)
    if not axes:
        return x, labels
    return np.add.reduce(x, axis=axes), "".join(label for label in labels if label in kept)


def _contract(left: tuple[Array, str], right: tuple[Array, str], kept: set[str]) -> tuple[Array, str]:
    """Multiply two operands and sum over the labels that are not in ``kept``."""
    (x, x_labels), (y, y_labels) = left, right
    x, x_labels = _drop_broadcast(x, x_labels, y, y_labels)
    y, y_labels = _drop_broadcast(y, y_labels, x, x_labels)
    x, x_labels = _sum_out(x, x_labels, kept | set(y_labels))
    y, y_labels = _sum_out(y, y_labels, kept | set(x_labels))
    shared = [label for label in x_labels if label in y_labels]
    batch = "".join(label for label in shared if label in kept)
    inner = "".join(label for label in shared if label not in kept)
    rows = "".join(label for label in x_labels if label not in shared)
    columns = "".join(label for label in y_labels if label not in shared)
    lengths = dict(zip(x_labels + y_labels, x.shape + y.shape, strict=True))
    result = batch + rows + columns
    shape = tuple(lengths[label] for label in result)
    if not inner:
        x = _arrange(x, x_labels, (batch, rows, ""), lengths, flat=False)
        y = _arrange(y, y_labels, (batch, columns), lengths, flat=False)
        y = y.reshape(y.shape[: len(batch)] + (1,) * len(rows) + y.shape[len(batch) :])
        return x.reshape(x.shape + (1,) * len(columns)) * y, result
    x = _arrange(x, x_labels, (batch, rows, inner), lengths, flat=True)
    y = _arrange(y, y_labels, (batch, inner, columns), lengths, flat=True)
    return bind(matmul, x, y).reshape(shape), result


def _drop_broadcast(x: Array, x_labels: str, y: Array, y_labels: str) -> tuple[Array, str]:
    """Drop the axes of length one of ``x`` that broadcast against ``y``."""
    lengths = dict(zip(y_labels, y.shape, strict=True))
    dropped = [n == 1 and lengths.get(label, 1) != 1 for label, n in zip(x_labels, x.shape, strict=True)]
    if not any(dropped):
        return x, x_labels
    keep = [axis for axis, drop in enumerate(dropped) if not drop]
    return x.reshape(tuple(x.shape[axis] for axis in keep)), "".join(x_labels[axis] for axis in keep)


def _arrange(x: Array, labels: str, groups: Sequence[str], lengths: dict[str, int], *, flat: bool) -> Array:
    """Bring the axes into the order of the groups; if ``flat``, make one axis of each after the first."""
    order = "".join(groups)
    if order != labels:
        x = x.transpose(tuple(map(labels.index, order)))
    if not flat:
        return x
    stack = tuple(lengths[label] for label in groups[0])
    matrix = tuple(math.prod(lengths[label] for label in group) for group in groups[1:])
    return x if x.shape == stack + matrix else x.reshape(stack + matrix)
