"""Reductions over windows, as in pooling.

Elements of a window that are equally the largest, or the smallest, share its derivative equally.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import Joint, NoRule, Primitive, implements
from transforms.primitives.declare import linear, move_axis
from transforms.primitives.window_geometry import (
    Lengths,
    Padding,
    crop,
    dilated,
    explicit_padding,
    fill,
    offsets,
    per_axis,
    window_counts,
)
from transforms.tracer import bind
from transforms.types import Array, ArrayType


class Windows(NamedTuple):
    """The attributes of a reduction over windows, of which each has a value for each axis."""

    window: Lengths
    strides: Lengths
    padding: Padding
    dilation: Lengths
    input_dilation: Lengths

    def counts(self, shape: Lengths) -> Lengths:
        """Return how many windows stand on each axis of an input."""
        spread = tuple(dilated(n, d) for n, d in zip(shape, self.input_dilation, strict=True))
        covered = tuple(dilated(n, d) for n, d in zip(self.window, self.dilation, strict=True))
        return window_counts("reduce_window", spread, covered, self.strides, self.padding)

    def with_batch(self, axis: int) -> Windows:
        """Return the same windows for an input with one axis more, of examples."""
        one, none = (1,), ((0, 0),)
        return Windows(
            self.window[:axis] + one + self.window[axis:],
            self.strides[:axis] + one + self.strides[axis:],
            self.padding[:axis] + none + self.padding[axis:],
            self.dilation[:axis] + one + self.dilation[axis:],
            self.input_dilation[:axis] + one + self.input_dilation[axis:],
        )

    def places(self, shape: Lengths) -> Iterator[tuple[slice, ...]]:
        """Yield for each place in a window the slice of the padded input that all windows have there."""
        return offsets(self.window, self.dilation, self.strides, self.counts(shape))


def _infer(x: Any, windows: Windows, **attributes: Any) -> ArrayType:
    return ArrayType(windows.counts(x.shape), x.dtype)


def _reduce(x: Array, ufunc: np.ufunc, fill_value: Any, windows: Windows) -> Array:
    """Reduce one axis after the other: a reduction over a box is one over each of its sides."""
    counts = windows.counts(x.shape)
    padded = any(map(any, windows.padding)) or any(step > 1 for step in windows.input_dilation)
    out = fill(x, 0, windows.padding, windows.input_dilation, fill_value) if padded else x
    for axis in range(x.ndim):
        if windows.window[axis] == windows.strides[axis] == 1 and out.shape[axis] == counts[axis]:
            continue
        parts = [
            out[(slice(None),) * axis + places]
            for places in offsets(
                windows.window[axis : axis + 1],
                windows.dilation[axis : axis + 1],
                windows.strides[axis : axis + 1],
                counts[axis : axis + 1],
            )
        ]
        out = ufunc(parts[0], parts[1]) if len(parts) > 1 else parts[0].copy()
        for part in parts[2:]:
            ufunc(out, part, out=out)
    return out.copy() if out is x else out


def _batch(primitive: Callable[[], Primitive]) -> Callable[..., tuple[Array, int]]:
    """Make windows of length one along the axis of the examples."""

    def rule(
        size: int, operands: Sequence[Array], axes: Sequence[int | None], windows: Windows, **attributes: Any
    ) -> tuple[Array, int]:
        if len(operands) == 1:
            axis = axes[0] or 0
            return bind(primitive(), operands[0], windows=windows.with_batch(axis), **attributes), axis
        moved = [
            np.broadcast_to(x, (size, *x.shape)) if axis is None else move_axis(x, axis, 0)
            for x, axis in zip(operands, axes, strict=True)
        ]
        return bind(primitive(), *moved, windows=windows.with_batch(0), **attributes), 0

    return rule


# --- sum


def _pull_sum(cotangent: Array, _out: None, x_type: ArrayType, windows: Windows) -> Array:
    """Sum the cotangents of all windows that hold an element: they stand in a window, too."""
    padding = []
    for axis, length in enumerate(x_type.shape):
        covered = dilated(windows.window[axis], windows.dilation[axis])
        before = covered - 1 - windows.padding[axis][0]
        seen = dilated(cotangent.shape[axis], windows.strides[axis])
        spread = dilated(length, windows.input_dilation[axis])
        padding.append((before, spread + covered - 1 - before - seen))
    cropped, rest = crop(cotangent, 0, tuple(padding), windows.strides)
    back = Windows(windows.window, windows.input_dilation, rest, windows.dilation, windows.strides)
    return bind(window_sum, cropped, windows=back)


window_sum: Primitive = linear(
    "window_sum",
    lambda x, windows: _reduce(x, np.add, 0, windows),
    _pull_sum,
    infer=_infer,
    batch=_batch(lambda: window_sum),
)


# --- maximum and minimum


def _lowest(dtype: np.dtype[Any], kind: str) -> Any:
    """Return what no element is more extreme than: the padding."""
    if dtype.kind == "b":
        return kind == "min"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.min if kind == "max" else limits.max
    return -math.inf if kind == "max" else math.inf


_EXTREMES = {"max": np.maximum, "min": np.minimum}


def _evaluate_extreme(x: Array, kind: str, windows: Windows) -> Array:
    return _reduce(x, _EXTREMES[kind], _lowest(x.dtype, kind), windows)


def _matches(x: Array, out: Array, kind: str, windows: Windows) -> tuple[list[Any], Array]:
    """Return for each place in a window which windows have their extreme there, and how many places tie."""
    padded = fill(x, 0, windows.padding, windows.input_dilation, _lowest(x.dtype, kind))
    masks = [(places, padded[places] == out) for places in windows.places(x.shape)]
    return masks, np.add.reduce([mask for _, mask in masks], dtype=np.intp)


def _pick(t: Array, x: Array, out: Array, kind: str, windows: Windows) -> Array:
    """Return the mean of ``t`` over the places where ``x`` has a window's extreme."""
    masks, ties = _matches(x, out, kind, windows)
    padded = fill(t, 0, windows.padding, windows.input_dilation)
    total = np.zeros(out.shape, t.dtype)
    for places, mask in masks:
        total += padded[places] * mask
    return total / ties.astype(t.real.dtype)


def _route(cotangent: Array, x: Array, out: Array, kind: str, windows: Windows) -> Array:
    """Give each window's cotangent to the places of its extreme, in equal shares."""
    masks, ties = _matches(x, out, kind, windows)
    share = cotangent / ties.astype(cotangent.real.dtype)
    padded = np.zeros(
        tuple(low + n + high for n, (low, high) in zip(x.shape, windows.padding, strict=True)),
        cotangent.dtype,
    )
    for places, mask in masks:
        padded[places] += share * mask
    return padded[tuple(slice(low, low + n) for n, (low, _) in zip(x.shape, windows.padding, strict=True))]


_PIECEWISE = NoRule("where a window has its extreme is piecewise constant")

# These two are the derivative of the extreme and its transpose. Both are linear in their first operand
# and constant, wherever they are smooth, in the others.
window_pick: Primitive = Primitive(
    "window_pick",
    _pick,
    infer=lambda t, x, out, kind, windows: ArrayType(out.shape, t.dtype),
    jvp=Joint(
        lambda tangents, _result, _t, x, out, **attributes: (
            None if tangents[0] is None else bind(window_pick, tangents[0], x, out, **attributes)
        )
    ),
    vjp=Joint(
        lambda cotangent, _result, _t, x, out, wanted, **attributes: (
            bind(window_route, cotangent, x, out, **attributes) if 0 in wanted else None,
            None,
            None,
        )
    ),
    batch=_batch(lambda: window_pick),
)

window_route: Primitive = Primitive(
    "window_route",
    _route,
    infer=lambda cotangent, x, out, kind, windows: ArrayType(x.shape, cotangent.dtype),
    jvp=Joint(
        lambda tangents, _result, _c, x, out, **attributes: (
            None if tangents[0] is None else bind(window_route, tangents[0], x, out, **attributes)
        )
    ),
    vjp=Joint(
        lambda cotangent, _result, _c, x, out, wanted, **attributes: (
            bind(window_pick, cotangent, x, out, **attributes) if 0 in wanted else None,
            None,
            None,
        )
    ),
    batch=_batch(lambda: window_route),
)

window_extreme: Primitive = Primitive(
    "window_extreme",
    _evaluate_extreme,
    infer=_infer,
    jvp=(lambda tangent, out, x, **attributes: bind(window_pick, tangent, x, out, **attributes),),
    vjp=(lambda cotangent, out, x, **attributes: bind(window_route, cotangent, x, out, **attributes),),
    batch=_batch(lambda: window_extreme),
)


def reduce_window(
    x: Array,
    kind: str,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "VALID",
    dilation: int | Sequence[int] = 1,
) -> Array:
    """Reduce each window of an array.

    Elements that tie for a window's maximum or minimum share its derivative equally.

    Args:
        x: an array with any number of axes.
        kind: "max", "min" or "sum".
        window: lengths of the windows, positive; one for all axes or one for each.
        strides: steps between neighbouring windows, positive.
        padding: "VALID" for none, "SAME" for as many windows as ``ceil(length / stride)``, or for each
            axis a pair of numbers of elements before and after; one number serves for both, or for all.
            What is padded does not count.
        dilation: steps between neighbouring elements of a window, positive.

    Returns:
        An array with as many axes, and an element for each window.

    Raises:
        ShapeError: a window is longer than its padded axis.
        ValueError: an option is unknown, negative, or holds more or fewer values than there are axes.

    >>> reduce_window(np.array([1.0, 3.0, 2.0, 5.0]), "max", 2, strides=2)
    array([3., 5.])
    """
    x = as_array(x)
    if kind not in ("max", "min", "sum"):
        raise ValueError(message("reduce_window", "kind", "be 'max', 'min' or 'sum'", repr(kind)))
    lengths = per_axis("reduce_window", "window", window, x.ndim)
    steps = per_axis("reduce_window", "strides", strides, x.ndim)
    holes = per_axis("reduce_window", "dilation", dilation, x.ndim)
    covered = tuple(dilated(n, hole) for n, hole in zip(lengths, holes, strict=True))
    pairs = explicit_padding("reduce_window", padding, x.shape, covered, steps)
    if any(min(pair) < 0 for pair in pairs):
        raise ValueError(message("reduce_window", "padding", "not be negative", padding, "crop the array"))
    windows = Windows(lengths, steps, pairs, holes, (1,) * x.ndim)
    if kind == "sum":
        return bind(window_sum, x, windows=windows)
    return bind(window_extreme, x, kind=kind, windows=windows)


@implements(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(
    x: Array, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Array:
    lengths = (window_shape,) if isinstance(window_shape, (int, np.integer)) else tuple(window_shape)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, (int, np.integer)) else axis
    axes = [a % x.ndim for a in axes]
    if len(lengths) != len(axes):
        raise ValueError(
            message(
                "sliding_window_view", "window_shape", f"have a length for each of {len(axes)} axes", lengths
            )
        )
    for a, length in zip(axes, lengths, strict=True):
        count = x.shape[a] - length + 1
        if count < 1:
            raise ShapeError(
                message("sliding_window_view", f"the window {lengths}", "fit into the axes", x.shape)
            )
        places = np.arange(count)[:, None] + np.arange(length)
        x = np.moveaxis(x[(slice(None),) * a + (places,)], a + 1, -1)
    return x
