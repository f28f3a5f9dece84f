"""Gradients: reverse mode for functions with one real output."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms import tree
from transforms.boundary import check_callable
from transforms.errors import message
from transforms.types import Array, is_floating, type_of
from transforms.vjp import record

ArgNums = int | Sequence[int]


def value_and_grad(
    f: Callable[..., Any],
    argnums: ArgNums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Return a function that gives the value of ``f`` and its gradient, for the price of both at once.

    Args:
        f: a function of trees of arrays that returns one number, an array of shape ().
        argnums: the position of the argument to differentiate, or several of them.
        has_aux: whether ``f`` returns ``(out, aux)``, where ``aux`` is not differentiated.
        holomorphic: whether ``f`` is a holomorphic function from complex numbers to one. Otherwise its
            output must be real, and for ``z = x + iy`` the gradient is ``df/dx - i df/dy``.
        allow_int: whether integer and boolean leaves may stand among those to differentiate; their
            gradient is None.

    Returns:
        A function like ``f`` that returns ``(out, gradient)``, or ``((out, aux), gradient)``. The
        gradient is a tree like the argument, or a tuple of them if ``argnums`` is a sequence.

    Raises:
        TypeError: the output is no real number of shape (), or a leaf to differentiate is no real or
            complex number; the message has its path.
        ValueError: ``argnums`` names an argument that is not there.

    >>> value, gradient = value_and_grad(lambda p: np.sum(p["w"] ** 2))({"w": np.array([1.0, 2.0])})
    >>> float(value), gradient
    (5.0, {'w': array([2., 4.])})
    """
    check_callable("grad", f)
    name = getattr(f, "__name__", repr(f))
    several = not isinstance(argnums, int)
    positions: tuple[int, ...] = tuple(argnums) if several else (argnums,)  # type: ignore[arg-type,assignment]

    @functools.wraps(f)
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = argument_positions(f"grad({name})", positions, len(args))

        def of_chosen(*values: Any) -> Any:
            everything = list(args)
            for position, value in zip(chosen, values, strict=True):
                everything[position] = value
            return f(*everything, **kwargs)

        of_chosen.__name__ = name

        def check(leaves: list[Array]) -> None:
            # Real leaves are always fine; whatever else there is, is looked at argument by argument.
            if holomorphic or any(leaf.dtype.kind != "f" for leaf in leaves):
                for position in chosen:
                    _check_input(name, position, args[position], holomorphic, allow_int)

        primals = tuple([args[position] for position in chosen])
        recording = record(of_chosen, primals, "grad", has_aux=has_aux, check=check)
        out = recording.out_structure.unflatten(recording.values)
        dtype = _check_output(name, out, holomorphic)
        entry = recording.outputs[0]
        gradients = recording.pull([] if entry is None else [(entry, np.array(1, dtype))])
        value = (out, recording.aux) if has_aux else out
        return value, gradients if several else gradients[0]

    return with_gradient


def grad(
    f: Callable[..., Any],
    argnums: ArgNums = 0,
    *,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Return a function that gives the gradient of ``f``.

    Like `value_and_grad`, whose arguments and errors it shares, without the value: it returns the
    gradient, or ``(gradient, aux)``.

    >>> grad(np.tanh)(0.0)
    np.float64(1.0)
    """
    both = value_and_grad(f, argnums, has_aux=has_aux, holomorphic=holomorphic, allow_int=allow_int)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def argument_positions(where: str, positions: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return positions among as many arguments as were given, counted from the first.

    Raises:
        ValueError: there is no such argument.
    """
    if positions == (0,) and count:
        return positions
    for position in positions:
        if not -count <= position < count:
            raise ValueError(
                message(
                    where,
                    "argnums",
                    f"name one of the {count} positional arguments",
                    position,
                    "pass that argument by position",
                )
            )
    return tuple(position % count for position in positions)


def _check_input(name: str, position: int, argument: Any, holomorphic: bool, allow_int: bool) -> None:
    for index, leaf in enumerate(tree.leaves(argument)):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else type_of(leaf).dtype
        if is_floating(dtype) and (dtype.kind == "c" or not holomorphic):
            continue
        if allow_int and dtype.kind in "biu":
            continue
        path = tree.paths(argument)[index]
        what = f"argument {position}" + (f" at {path!r}" if path else "")
        if holomorphic:
            raise TypeError(message(f"grad({name}, holomorphic=True)", what, "be complex", dtype))
        raise TypeError(
            message(
                f"grad({name})",
                what,
                "be real or complex floating point",
                dtype,
                "convert it to a float, or pass allow_int=True to get None for it",
            )
        )


def _check_output(name: str, out: Any, holomorphic: bool) -> np.dtype[Any]:
    if getattr(out, "shape", None) == () and out.dtype.kind == "f" and not holomorphic:
        return out.dtype  # type: ignore[no-any-return]
    if not hasattr(out, "shape") and not isinstance(out, (int, float, complex)):
        raise TypeError(
            message(
                f"grad({name})", "the output", "be one array", type(out).__name__, "use vjp or has_aux=True"
            )
        )
    shape, dtype = type_of(out).shape, type_of(out).dtype
    if shape != ():
        raise TypeError(
            message(
                f"grad({name})",
                "the output",
                "be a scalar",
                f"shape {shape}",
                "reduce it (np.sum, np.mean), or use jacobian or vjp",
            )
        )
    if holomorphic:
        if dtype.kind != "c":
            raise TypeError(message(f"grad({name}, holomorphic=True)", "the output", "be complex", dtype))
    elif dtype.kind == "c" or not is_floating(dtype):
        raise TypeError(
            message(
                f"grad({name})",
                "the output",
                "be real floating point",
                dtype,
                "take its real part or absolute value, or pass holomorphic=True",
            )
        )
    return dtype
