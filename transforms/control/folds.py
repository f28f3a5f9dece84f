"""Loops as users call them: `while_loop`, `fori_loop`, `map`, `associative_scan`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable
from transforms.control.program import make_program
from transforms.control.scan import fold, stage_carry
from transforms.control.while_loop import While, run_while
from transforms.errors import message
from transforms.tracer import Tracer
from transforms.types import Array, type_of


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init: Any, *, backend: str = "numpy"
) -> Any:
    """Apply a function again and again, for as long as a condition holds.

    It computes what this loop does, as one operation that is traced once::

        value = init
        while cond_fun(value):
            value = body_fun(value)
        return value

    It can be differentiated in both modes; reverse mode keeps what each step's pullback needs on a list that
    grows with the steps.

    Args:
        cond_fun: from the value to a boolean of shape ().
        body_fun: from the value to the next one, a tree of the same structure and types.
        init: the first value, a tree of arrays.
        backend: what compiles the functions.

    Returns:
        The last value.

    Raises:
        TypeError: the condition is no boolean of shape (), or a step changes a type, named by path.

    >>> while_loop(lambda x: x < 100, lambda x: 2 * x, 3)
    np.int64(192)
    """
    return _while("while_loop", cond_fun, body_fun, init, backend)


def _while(
    where: str, cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init: Any, backend: str
) -> Any:
    check_callable(where, cond_fun, "cond_fun")
    check_callable(where, body_fun, "body_fun")
    step, step_captured, carry, structure = stage_carry(where, body_fun, init)

    def condition(*args: Array) -> list[Array]:
        return [cond_fun(structure.unflatten(args))]

    types = [type_of(x) for x in carry]
    program, captured = make_program(condition, types, getattr(cond_fun, "__name__", "condition"), where)
    (out_type,) = program.output_types
    if out_type.shape != () or out_type.dtype != bool:
        raise TypeError(message(where, "cond_fun", "return a boolean of shape ()", out_type))
    loop = While(
        program.captured_first(len(captured)),
        step.captured_first(len(step_captured)),
        len(captured),
        len(step_captured),
        backend,
    )
    return structure.unflatten(run_while(loop, [*captured, *step_captured, *carry]))


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init: Any, *, backend: str = "numpy"
) -> Any:
    """Apply ``value = body_fun(i, value)`` for each integer from ``lower`` up to, but without, ``upper``.

    With bounds that are known when it is traced it is a `scan`, otherwise a `while_loop`.

    Args:
        lower: the first integer.
        upper: the first integer that is not reached.
        body_fun: ``body_fun(i, value)`` returns a tree of the structure and types of ``value``.
        init: the first value, a tree of arrays.
        backend: what compiles the function.

    Returns:
        The last value; ``init`` if there is no integer between the bounds.

    Raises:
        TypeError: a bound is no integer of shape (), or a step changes a type, named by path.

    >>> fori_loop(0, 4, lambda i, total: total + i, 0)
    np.int64(6)
    """
    check_callable("fori_loop", body_fun, "body_fun")
    for what, bound in (("lower", lower), ("upper", upper)):
        if type_of(bound).shape != () or type_of(bound).dtype.kind not in "iu":
            raise TypeError(message("fori_loop", what, "be an integer", bound))
    if not isinstance(lower, Tracer) and not isinstance(upper, Tracer):
        indices = np.arange(int(lower), max(int(lower), int(upper)))
        return fold("fori_loop", lambda value, i: (body_fun(i, value), None), init, indices, backend=backend)[
            0
        ]
    return _while(
        "fori_loop",
        lambda state: state[0] < upper,
        lambda state: (state[0] + 1, body_fun(*state)),
        (as_array(lower), init),
        backend,
    )[1]


def map(f: Callable[[Any], Any], xs: Any, *, backend: str = "numpy") -> Any:
    """Apply a function to each entry along the leading axis, one after the other, and stack the results.

    Like ``vmap(f)(xs)``, with the memory of one entry.

    >>> map(lambda x: x * x, np.arange(3.0))
    array([0., 1., 4.])
    """
    return fold("map", lambda _, x: ((), f(x)), (), xs, backend=backend)[1]


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, *, reverse: bool = False, axis: int = 0
) -> Any:
    """Combine the entries along an axis from the first to each, with an associative function.

    Entry ``i`` of the result is ``f(...f(f(x[0], x[1]), x[2])..., x[i])``, computed in a number of calls that
    grows with the logarithm of the length.

    Args:
        f: an associative function of two trees like ``elems``, of any length along the axis.
        elems: a tree of arrays with equal lengths along the axis.
        reverse: whether to combine from the last entry.
        axis: the axis.

    Returns:
        A tree like ``elems``.

    Source: G. E. Blelloch, Prefix sums and their applications (1990), CMU-CS-90-190.

    >>> associative_scan(np.multiply, np.arange(1.0, 6.0))
    array([  1.,   2.,   6.,  24., 120.])
    """
    leaves, structure = tree.flatten(elems)
    lengths = {np.shape(leaf)[axis] for leaf in leaves}
    if len(lengths) != 1:
        raise ValueError(
            message("associative_scan", f"the lengths along axis {axis}", "be equal", sorted(lengths))
        )
    moved = [np.moveaxis(leaf, axis, 0) for leaf in leaves]
    moved = [np.flip(leaf, 0) for leaf in moved] if reverse else moved

    def combine(left: list[Array], right: list[Array]) -> list[Array]:
        back = [np.moveaxis(x, 0, axis) for x in left], [np.moveaxis(x, 0, axis) for x in right]
        out = f(structure.unflatten(back[0]), structure.unflatten(back[1]))
        return [np.moveaxis(x, axis, 0) for x in tree.leaves(out)]

    scanned = _prefixes(combine, moved)
    scanned = [np.flip(leaf, 0) for leaf in scanned] if reverse else scanned
    return structure.unflatten(np.moveaxis(leaf, 0, axis) for leaf in scanned)


def _prefixes(combine: Callable[[list[Array], list[Array]], list[Array]], xs: list[Array]) -> list[Array]:
    """Combine neighbours, solve the problem of half the length, and fill in the entries between."""
    length = xs[0].shape[0]
    if length < 2:
        return xs
    even, odd = [x[: length - 1 : 2] for x in xs], [x[1::2] for x in xs]
    at_odd = _prefixes(combine, combine(even, odd))
    between = [x[2::2] for x in xs]
    if length > 2:
        between = combine([x[: (length - 1) // 2] for x in at_odd], between)
    at_even = [np.concatenate([x[:1], y]) for x, y in zip(xs, between, strict=True)]
    return [_interleave(x, y) for x, y in zip(at_even, at_odd, strict=True)]


def _interleave(even: Array, odd: Array) -> Array:
    """Return ``even[0], odd[0], even[1], ...``; ``even`` may be longer by one."""
    pairs = np.stack([even[: odd.shape[0]], odd], axis=1)
    joined = pairs.reshape(2 * odd.shape[0], *odd.shape[1:])
    return joined if even.shape[0] == odd.shape[0] else np.concatenate([joined, even[-1:]])
