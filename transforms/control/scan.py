"""`scan`: fold a function over the leading axis of arrays, and stack what each step gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transforms import tree
from transforms.control.loop import Loop, entry_type, run_loop
from transforms.control.program import Program, make_program
from transforms.errors import message
from transforms.tracer import Tracer
from transforms.types import Array, type_of
from transforms.vjp import fit_dtype


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
    unroll: int = 1,
    backend: str = "numpy",
) -> tuple[Any, Any]:
    """Fold a function over the leading axis of arrays, and stack what each step gives.

    It computes what this loop does, as one operation that is traced once::

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, stack(ys)

    Args:
        f: ``f(carry, x) -> (carry, y)`` on trees of arrays. The carry keeps its structure and types.
        init: the first carry.
        xs: a tree of arrays with equal leading axes, or None.
        length: the number of steps; needed where ``xs`` has no arrays.
        reverse: whether to go from the last entry to the first; ``y`` stands where its ``x`` stands.
        unroll: how many steps to trace as one, at least 1.
        backend: what compiles the step.

    Returns:
        ``(carry, ys)``: the last carry, and a tree of arrays of shape ``(length, *y.shape)``.

    Raises:
        TypeError: a step changes the type of the carry; the message names the path.
        ValueError: the leading axes differ, or neither ``xs`` nor ``length`` says how many steps.

    >>> scan(lambda total, x: (total + x, total), 0.0, np.arange(4.0))
    (np.float64(6.0), array([0., 0., 1., 3.]))
    """
    x_leaves, x_structure = tree.flatten(xs)
    x_leaves = [x if isinstance(x, (Tracer, np.ndarray)) else np.asarray(x) for x in x_leaves]
    steps = _length(xs, x_leaves, length)
    if unroll < 1:
        raise ValueError(message("scan", "unroll", "be at least 1", unroll))
    if unroll > 1 and steps >= unroll:
        return _unrolled(f, init, x_structure.unflatten(x_leaves), steps, reverse, unroll, backend)
    program, captured, carry, y_structure = _stage_step(f, init, x_leaves, x_structure)
    loop = Loop(program, len(captured), len(carry), steps, reverse, backend)
    # The step's captured values come last among its inputs, and first among the loop's operands.
    graph = program.graph
    own = len(graph.inputs) - len(captured)
    program.graph = graph._replace(inputs=(*graph.inputs[own:], *graph.inputs[:own]))
    results = run_loop(loop, captured, carry, x_leaves)
    carry_structure = tree.structure(init)
    return carry_structure.unflatten(results[: len(carry)]), y_structure.unflatten(results[len(carry) :])


def _length(xs: Any, leaves: list[Array], length: int | None) -> int:
    sizes = [leaf.shape[0] if leaf.shape else None for leaf in leaves]
    given = {*sizes, length} - ({None} if length is None else set())
    if None in sizes or len(given) > 1:
        listed = ", ".join(f"{size} at {path!r}" for size, path in zip(sizes, tree.paths(xs), strict=True))
        raise ValueError(
            message("scan", "the leading axes of xs", "have one length", listed + f", length={length}")
        )
    if not given:
        raise ValueError(message("scan", "length", "be given where xs has no arrays", None))
    return int(given.pop())  # type: ignore[arg-type]


def _stage_step(f: Any, init: Any, x_leaves: list[Array], x_structure: Any) -> tuple[Program, Any, Any, Any]:
    """Stage one step; a Python number in the first carry takes the type that the step gives it."""
    carry, structure = tree.flatten(init)
    number = [isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic) for x in carry]
    carry = [x if isinstance(x, (Tracer, np.ndarray)) else np.asarray(x) for x in carry]
    structures: list[Any] = []

    def step(*args: Array) -> list[Array]:
        now, x = args[: len(carry)], args[len(carry) :]
        out = f(structure.unflatten(now), x_structure.unflatten(x))
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(message("scan", "the step", "return (carry, y)", type(out).__name__))
        tree.check_same_structure(init, out[0], "scan")
        y_leaves, y_structure = tree.flatten(out[1])
        structures.append(y_structure)
        return [*tree.leaves(out[0]), *y_leaves]

    for _ in range(2):
        types = [*(type_of(x) for x in carry), *(entry_type(x) for x in x_leaves)]
        program, captured = make_program(step, types, getattr(f, "__name__", "step"))
        new_types = program.output_types[: len(carry)]
        changed = [i for i, x in enumerate(carry) if type_of(x) != new_types[i]]
        if not all(number[i] and new_types[i].shape == () for i in changed):
            break
        if not changed:
            return program, captured, carry, structures[-1]
        carry = [
            fit_dtype(x, t.dtype) if i in changed else x
            for i, (x, t) in enumerate(zip(carry, new_types, strict=True))
        ]
    path = tree.paths(init)[changed[0]]
    raise TypeError(
        message(
            "scan",
            "the carry" + (f" at {path!r}" if path else ""),
            f"keep its type {type_of(carry[changed[0]])}",
            new_types[changed[0]],
            "cast it in the step, or start with that type",
        )
    )


def _unrolled(
    f: Any, init: Any, xs: Any, length: int, reverse: bool, unroll: int, backend: str
) -> tuple[Any, Any]:
    """Scan over groups of steps, and then over those that are left."""
    groups, rest = divmod(length, unroll)
    split = rest if reverse else groups * unroll
    first, second = tree.map(lambda x: x[:split], xs), tree.map(lambda x: x[split:], xs)
    grouped, left = (second, first) if reverse else (first, second)
    grouped = tree.map(lambda x: x.reshape(groups, unroll, *x.shape[1:]), grouped)

    def group(carry: Any, entries: Any) -> tuple[Any, Any]:
        order = range(unroll - 1, -1, -1) if reverse else range(unroll)
        outputs = {}
        for i in order:
            carry, outputs[i] = f(carry, tree.map(lambda x, i=i: x[i], entries))
        return carry, tree.map(lambda *ys: np.stack(ys), *(outputs[i] for i in range(unroll)))

    carry, ys = scan(group, init, grouped, groups, reverse=reverse, backend=backend)
    ys = tree.map(lambda y: y.reshape(groups * unroll, *y.shape[2:]), ys)
    if rest:
        carry, left_ys = scan(f, carry, left, rest, reverse=reverse, backend=backend)
        pair = (left_ys, ys) if reverse else (ys, left_ys)
        ys = tree.map(lambda *parts: np.concatenate(parts), *pair)
    return carry, ys
