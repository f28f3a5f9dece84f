"""Checks of derivatives against differences of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.jvp import jvp
from transforms.types import Array, is_differentiable, type_of
from transforms.vjp import vjp

_STEPS = {8: 1e-6, 4: 1e-2, 2: 1e-1}  # for a real number of so many bytes
_TOLERANCES = {8: 1e-5, 4: 3e-2, 2: 2e-1}


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    tolerance: float | None = None,
    step: float | None = None,
) -> None:
    """Check the derivatives of a function against central differences, at a random direction.

    Forward mode must give what the differences give, and reverse mode must be its transpose:
    ``<u, J v> = <pullback(u), v>``. Higher orders check the derivatives of the derivatives.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        args: its arguments; use float64 for a sharp check.
        order: how many times to differentiate, at least 1.
        modes: "fwd", "rev" or both.
        tolerance: relative to the size of what is compared; by default 1e-5 for float64 and 3e-2 for
            float32.
        step: of the differences; by default 1e-6 for float64 and 1e-2 for float32.

    Raises:
        TypeError: ``args`` is no tuple or list.
        AssertionError: a derivative is wrong; the message says which and by how much.
        ValueError: a mode is neither "fwd" nor "rev", or ``order`` is less than 1.

    >>> check_grads(lambda x: np.sin(x) * x, (np.arange(3.0),), order=2)
    """
    if not isinstance(args, (tuple, list)):
        got = type(args).__name__
        raise TypeError(message("check_grads", "args", "be a tuple of arguments", got, "write (args,)"))
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or order < 1:
        raise ValueError(
            f"check_grads: modes must be 'fwd' or 'rev' and order at least 1, got {modes} and {order}"
        )
    _check(f, tuple(args), order, tuple(modes), tolerance, step, np.random.default_rng(0), "")


def _check(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int,
    modes: tuple[str, ...],
    tolerance: float | None,
    step: float | None,
    rng: np.random.Generator,
    trail: str,
) -> None:
    width = min((_real_width(leaf) for leaf in tree.leaves(args) if _varies(leaf)), default=8)
    tolerance_here = _TOLERANCES[width] if tolerance is None else tolerance
    tangents = tree.map(lambda leaf: _direction(rng, leaf), args)
    expected = _central_difference(f, args, tangents, _STEPS[width] if step is None else step)
    out, pushed = jvp(f, args, tangents)
    if "fwd" in modes:
        _compare(pushed, expected, tolerance_here, f"jvp{trail} against differences")
    if "rev" in modes:
        _, pullback = vjp(f, *args)
        cotangent = tree.map(lambda leaf: _direction(rng, leaf), out)
        pulled = pullback(cotangent)
        left = _inner(cotangent, expected)
        right = _inner(pulled, tangents)
        _compare(np.asarray(right), np.asarray(left), tolerance_here, f"vjp{trail} against differences")
        if order > 1:

            def reverse(*primals: Any) -> Any:
                return vjp(f, *primals)[1](cotangent)

            _check(reverse, args, order - 1, modes, tolerance, step, rng, f"{trail} of vjp")
    if order > 1 and "fwd" in modes:

        def forward(*primals: Any) -> Any:
            return jvp(f, primals, tangents)[1]

        _check(forward, args, order - 1, modes, tolerance, step, rng, f"{trail} of jvp")


def _varies(leaf: Any) -> bool:
    return is_differentiable(type_of(leaf).dtype)


def _real_width(leaf: Any) -> int:
    dtype = type_of(leaf).dtype
    return dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize


def _direction(rng: np.random.Generator, leaf: Any) -> Array:
    shape, dtype = type_of(leaf)
    if not _varies(leaf):
        return np.zeros(shape)
    direction = rng.standard_normal(shape)
    if dtype.kind == "c":
        direction = direction + 1j * rng.standard_normal(shape)
    return np.asarray(direction).astype(dtype)


def _central_difference(f: Callable[..., Any], args: Any, tangents: Any, step: float) -> Any:
    def moved(sign: float) -> Any:
        return f(
            *tree.map(
                lambda x, v: x + (sign * step * v).astype(type_of(x).dtype) if _varies(x) else x,
                args,
                tangents,
            )
        )

    return tree.map(
        lambda high, low: (high - low) / (2 * step) if _varies(high) else high, moved(1), moved(-1)
    )


def _inner(left: Any, right: Any) -> float:
    """Return the inner product of two trees; None in the left one, for what has no derivative, is zero."""
    leaves, structure = tree.flatten(right)
    pairs = zip(tree.flatten_up_to(structure, left, "check_grads"), leaves, strict=True)
    return float(sum(np.real(np.sum(x * y)) for x, y in pairs if x is not None and _varies(x)))


def _compare(got: Any, expected: Any, tolerance: float, what: str) -> None:
    for path, x, y in zip(tree.paths(expected), tree.leaves(got), tree.leaves(expected), strict=True):
        if not _varies(y):
            continue
        scale = tolerance * (1.0 + float(np.max(np.abs(y), initial=0.0)))
        difference = float(np.max(np.abs(x - y), initial=0.0))
        if not difference <= scale:
            place = f" at {path!r}" if path else ""
            raise AssertionError(
                f"check_grads: {what}{place} must agree within {scale:.2g}, got {difference:.2g}"
            )
