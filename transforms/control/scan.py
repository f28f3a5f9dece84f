"""`scan`: fold a function over the leading axis of arrays, and stack what each step gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable, check_outputs, described
from transforms.control.loop import entry_type, run_loop
from transforms.control.program import Program, make_program, weak_kind
from transforms.control.steps import Loop
from transforms.errors import message
from transforms.tracer import Tracer
from transforms.types import Array, ArrayType, type_of


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
    return fold("scan", f, init, xs, length, reverse=reverse, unroll=unroll, backend=backend)


def fold(
    where: str,
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    length: int | None = None,
    *,
    reverse: bool = False,
    unroll: int = 1,
    backend: str,
) -> tuple[Any, Any]:
    """Do what `scan` does for the callable that errors are to name."""
    check_callable(where, f)
    x_leaves, x_structure = tree.flatten(xs)
    x_leaves = [as_array(x) for x in x_leaves]
    steps = _length(where, xs, x_leaves, length)
    if unroll < 1:
        raise ValueError(message(where, "unroll", "be at least 1", unroll))
    if unroll > 1 and steps >= unroll:
        return _unrolled(where, f, init, x_structure.unflatten(x_leaves), steps, reverse, unroll, backend)
    y_structure: list[tree.Structure] = []

    def step(carry: Any, *entries: Array) -> tuple[Any, list[Array]]:
        out = f(carry, x_structure.unflatten(entries))
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(message(where, "the step", "return (carry, y)", described(out)))
        y_leaves, structure = tree.flatten(out[1])
        y_structure.append(structure)
        return out[0], y_leaves

    step.__name__ = getattr(f, "__name__", "step")
    entry_types = [entry_type(x) for x in x_leaves]
    program, captured, carry, structure = stage_carry(where, step, init, entry_types)
    loop = Loop(program.captured_first(len(captured)), len(captured), len(carry), steps, reverse, backend)
    results = run_loop(loop, captured, carry, x_leaves)
    return structure.unflatten(results[: len(carry)]), y_structure[-1].unflatten(results[len(carry) :])


def _length(where: str, xs: Any, leaves: list[Array], length: int | None) -> int:
    sizes = [leaf.shape[0] if leaf.shape else None for leaf in leaves]
    given = {*sizes, length} - ({None} if length is None else set())
    if None in sizes or len(given) > 1:
        listed = ", ".join(f"{size} at {path!r}" for size, path in zip(sizes, tree.paths(xs), strict=True))
        raise ValueError(
            message(where, "the leading axes of xs", "have one length", listed + f", length={length}")
        )
    if not given:
        raise ValueError(message(where, "length", "be given where xs has no arrays", None))
    return int(given.pop())  # type: ignore[arg-type]


def stage_carry(
    where: str, f: Callable[..., Any], init: Any, entry_types: Sequence[ArrayType] | None = None
) -> tuple[Program, list[Tracer], list[Array], tree.Structure]:
    """Stage a function that carries a value along, and check that it keeps the value's structure and types.

    Args:
        where: the callable to name in errors.
        f: ``f(carry, *entries)`` returns ``(carry, outputs)``; without entry types ``f(carry)`` returns
            a carry.
        init: the first carry. A Python number in it takes the type that the step gives it.
        entry_types: the types of the entries.

    Returns:
        the program from the leaves of the carry and entries to those of the new carry and outputs, the
        tracers that it captures, the leaves of the first carry, and the carry's structure.
    """
    carry, structure = tree.flatten(init)
    kinds: list[type | None] = []

    def flat(*args: Array) -> list[Array]:
        now, entries = structure.unflatten(args[: len(carry)]), args[len(carry) :]
        new, outputs = (f(now), []) if entry_types is None else f(now, *entries)
        tree.check_same_structure(init, new, where, "the carry")
        leaves = [*tree.leaves(new), *outputs]
        check_outputs(where, f, leaves, leaves)
        kinds[:] = [weak_kind(x) for x in leaves[: len(carry)]]
        return leaves

    def staged(types: Sequence[Any]) -> tuple[Program, list[Tracer]]:
        return make_program(flat, [*types, *(entry_types or ())], getattr(f, "__name__", "step"), where)

    types: list[Any] = [weak_kind(x) or type_of(x) for x in carry]
    settled = not any(isinstance(t, type) for t in types)
    while not settled:
        # A number takes the type that the step gives it, and may come to need one more step to show it.
        new_types = staged(types)[0].output_types
        reached = [_wider(t, kind, new) for t, kind, new in zip(types, kinds, new_types, strict=False)]
        settled, types = reached == types, reached
    carry = [_start(x, t) for x, t in zip(carry, types, strict=True)]
    program, captured = staged([type_of(x) for x in carry])
    for x, new_type, place in zip(carry, program.output_types, tree.paths(init), strict=False):
        if type_of(x) != new_type:
            raise TypeError(
                message(
                    where,
                    "the carry" + (f" at {place!r}" if place else ""),
                    f"keep its type {type_of(x)}",
                    new_type,
                    "cast it in the step, or start with that type",
                )
            )
    return program, captured, carry, structure


def _wider(start: Any, kind: type | None, new_type: ArrayType) -> Any:
    """Return the type with which a carry has to start so that the step may keep it."""
    if not isinstance(start, type) or new_type.shape != ():
        return start
    return new_type if kind is None else max(start, kind, key=_KINDS.index)


_KINDS = [bool, int, float, complex]


def _start(x: Any, carry_type: Any) -> Array:
    """Return a first carry with the type that was found for it, if it is one that a number can take."""
    kind = weak_kind(x)
    if kind is None:
        return as_array(x)
    dtype = np.dtype(carry_type) if isinstance(carry_type, type) else carry_type.dtype
    fits = isinstance(carry_type, type) or np.result_type(dtype, kind()) == dtype
    # A sum with zero is an array, where the number alone, or what stands for it, is weak.
    return as_array(np.add(x, np.zeros((), dtype)) if fits else x)


def _unrolled(
    where: str, f: Any, init: Any, xs: Any, length: int, reverse: bool, unroll: int, backend: str
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

    carry, ys = fold(where, group, init, grouped, groups, reverse=reverse, backend=backend)
    ys = tree.map(lambda y: y.reshape(groups * unroll, *y.shape[2:]), ys)
    if rest:
        carry, left_ys = fold(where, f, carry, left, rest, reverse=reverse, backend=backend)
        pair = (left_ys, ys) if reverse else (ys, left_ys)
        ys = tree.map(lambda *parts: np.concatenate(parts), *pair)
    return carry, ys
