"""`numpy.pad`: one axis after the other, as NumPy does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from transforms.boundary import as_array
from transforms.errors import RefusedError, message
from transforms.primitive import implements
from transforms.primitives.joining import along
from transforms.primitives.slicing import embed
from transforms.tracer import Tracer
from transforms.types import Array

Width = tuple[int, int]
Options = tuple[Any, Any]


@implements(np.pad)
def _pad(
    array: Array,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Array:
    widths = _read_widths(pad_width, array.ndim)
    if mode == "empty":
        mode, constant_values = "constant", 0
    pad_axis = _MODES.get(mode) or _unknown(mode)
    given = {"constant": constant_values, "linear_ramp": end_values} | dict.fromkeys(_STATISTICS, stat_length)
    options = _pairs(given.get(mode, reflect_type), array.ndim)
    if mode == "constant" and len({id(value) for pair in options for value in pair}) == 1:
        return _pad_constant(array, widths, options[0][0])
    for axis, width in enumerate(widths):
        if any(width):
            array = pad_axis(array, axis, width, options[axis], mode)
    return array


def _unknown(mode: Any) -> NoReturn:
    if callable(mode):
        raise RefusedError(
            message(
                "numpy.pad",
                "mode",
                "be a name with a traced array",
                "a function, which writes in place",
                "write np.concatenate([before, array, after], axis)",
            )
        )
    raise ValueError(message("pad", "mode", f"be one of {', '.join(sorted(_MODES))} or empty", repr(mode)))


def _read_widths(pad_width: Any, rank: int) -> list[Width]:
    if isinstance(pad_width, dict):
        by_axis: list[Any] = [(0, 0)] * rank
        for axis, width in pad_width.items():
            by_axis[axis] = (width, width) if isinstance(width, int) else tuple(width)
        pad_width = by_axis
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(message("pad", "pad_width", "be integers", widths.dtype))
    if widths.size and widths.min() < 0:
        raise ValueError(message("pad", "pad_width", "not be negative", pad_width))
    return [(int(low), int(high)) for low, high in np.broadcast_to(widths, (rank, 2))]


def _pairs(values: Any, rank: int) -> list[Options]:
    """Return what to do before and behind each axis; the values, which may be traced, broadcast to pairs."""
    if _is_single(values):
        return [(values, values)] * rank
    rows = list(values)
    if len(rows) == 1:
        return _pairs(rows[0], rank)
    if all(_is_single(row) for row in rows):
        before, behind = rows
        return [(before, behind)] * rank
    return [pair for row in rows for pair in _pairs(row, 1)]


def _is_single(value: Any) -> bool:
    return (
        value.ndim == 0 if isinstance(value, (Tracer, np.ndarray)) else not isinstance(value, (list, tuple))
    )


def _pad_constant(array: Array, widths: list[Width], value: Any) -> Array:
    """Pad all axes at once."""
    if not any(map(any, widths)):
        return array
    shape = tuple(n + low + high for n, (low, high) in zip(array.shape, widths, strict=True))
    places = tuple(slice(low, low + n) for n, (low, _) in zip(array.shape, widths, strict=True))
    value = as_array(value)
    is_zero = isinstance(value, np.ndarray) and not value.any()
    return embed(array, places, shape, None if is_zero else value.astype(array.dtype))


def _join(x: Array, axis: int, width: Width, before: Array, behind: Array) -> Array:
    """Put values, which broadcast, before and behind an axis."""
    sides = [
        np.broadcast_to(as_array(value).astype(x.dtype), (*x.shape[:axis], count, *x.shape[axis + 1 :]))
        for value, count in zip((before, behind), width, strict=True)
    ]
    return np.concatenate([sides[0], x, sides[1]], axis)


def _pad_values(x: Array, axis: int, width: Width, options: Options, mode: str) -> Array:
    return _join(x, axis, width, *options)


def _pad_copies(x: Array, axis: int, width: Width, options: Options, mode: Any) -> Array:
    """Take each new element from where NumPy's own padding of the places' numbers says."""
    if options[0] == "odd" and mode in ("reflect", "symmetric"):
        # The padding is linear, so NumPy's padding of a basis is its matrix.
        basis = np.eye(x.shape[axis], dtype=x.dtype)
        matrix = np.pad(basis, ((0, 0), width), mode, reflect_type="odd")
        return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis)
    return np.take(x, np.pad(np.arange(x.shape[axis]), width, mode), axis=axis)


def _pad_ramp(x: Array, axis: int, width: Width, options: Options, mode: str) -> Array:
    low, high = (
        (np.arange(count) / max(count, 1)).reshape((count,) + (1,) * (x.ndim - 1 - axis)) for count in width
    )
    before = x[along(axis, None, 1)] * low + options[0] * (1.0 - low)
    high = np.flip(high, 0)
    behind = x[along(axis, -1, None)] * high + options[1] * (1.0 - high)
    return _join(x, axis, width, before, behind)


_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}


def _pad_statistic(x: Array, axis: int, width: Width, options: Options, mode: str) -> Array:
    total = x.shape[axis]
    first, last = (total if length is None else min(length, total) for length in options)
    if min(first, last) < 1:
        raise ValueError(message("pad", "stat_length", "be positive", min(first, last)))
    before, behind = (
        _STATISTICS[mode](x[along(axis, *ends)], axis=axis, keepdims=True)
        for ends in ((None, first), (total - last, None))
    )
    if x.dtype.kind in "iu":
        before, behind = np.round(before), np.round(behind)
    return _join(x, axis, width, before, behind)


_MODES: dict[Any, Callable[..., Array]] = {
    "constant": _pad_values,
    "linear_ramp": _pad_ramp,
    **dict.fromkeys(_STATISTICS, _pad_statistic),
    **dict.fromkeys(("edge", "reflect", "symmetric", "wrap"), _pad_copies),
}
