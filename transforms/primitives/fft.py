"""Discrete Fourier transforms over any axes.

One primitive has four kinds: "fft" and "ifft" of complex numbers, "rfft" of real numbers, which keeps
the first half of the spectrum along the last of the axes, and "irfft" back from such a half.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import Primitive, implements
from transforms.primitives.matrices import conjugate
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array, ArrayType

Axes = tuple[int, ...]

_DUAL = {"backward": "forward", "forward": "backward", "ortho": "ortho"}

_EVALUATE: dict[str, Callable[..., Array]] = {
    "fft": lambda x, axes, norm, length: np.fft.fftn(x, axes=axes, norm=norm),
    "ifft": lambda x, axes, norm, length: np.fft.ifftn(x, axes=axes, norm=norm),
    "rfft": lambda x, axes, norm, length: np.fft.rfftn(x, axes=axes, norm=norm),
    "irfft": lambda x, axes, norm, length: np.fft.irfftn(
        x, s=(*(x.shape[axis] for axis in axes[:-1]), length), axes=axes, norm=norm
    ),
}


def _evaluate(x: Array, kind: str, axes: Axes, norm: str, length: int) -> Array:
    return _EVALUATE[kind](x, axes, norm, length)


@functools.cache
def _result_dtype(dtype: np.dtype[Any], kind: str) -> np.dtype[Any]:
    result: np.dtype[Any] = _EVALUATE[kind](np.zeros(1, dtype), (0,), "backward", 1).dtype
    return result


def _infer(x: Any, kind: str, axes: Axes, norm: str, length: int) -> ArrayType:
    shape = list(x.shape)
    if kind == "rfft":
        shape[axes[-1]] = length // 2 + 1
    elif kind == "irfft":
        shape[axes[-1]] = length
    return ArrayType(tuple(shape), _result_dtype(x.dtype, kind))


def _pull(
    cotangent: Array, _out: None, x_type: ArrayType, kind: str, axes: Axes, norm: str, length: int
) -> Array:
    """Apply the transposed matrix: that of a complex transform is symmetric.

    A real transform stands for half of the spectrum and its mirror image, so on the way back each
    frequency that has an image counts half, or twice.
    """
    if kind in ("fft", "ifft"):
        return bind(fft, cotangent, kind=kind, axes=axes, norm=norm, length=length)
    options = {"axes": axes, "norm": _DUAL[norm], "length": length}
    counts = _image_counts(length, cotangent.real.dtype if kind == "rfft" else cotangent.dtype)
    counts = counts.reshape((-1, *(1,) * (len(x_type.shape) - 1 - axes[-1])))
    if kind == "rfft":
        return bind(fft, conjugate(cotangent) / counts, kind="irfft", **options)
    return conjugate(bind(fft, cotangent, kind="rfft", **options)) * counts


def _image_counts(length: int, dtype: np.dtype[Any]) -> Array:
    counts = np.full(length // 2 + 1, 2, dtype)
    counts[0] = 1
    if length % 2 == 0:
        counts[-1] = 1
    return counts


def _batch(
    size: int, operands: Sequence[Array], batch_axes: Sequence[int], axes: Axes, **attributes: Any
) -> tuple[Array, int]:
    (x,), (batch_axis,) = operands, batch_axes
    moved = tuple(axis + (axis >= batch_axis) for axis in axes)
    return bind(fft, x, axes=moved, **attributes), batch_axis


fft: Primitive = Primitive(
    "fft",
    _evaluate,
    infer=_infer,
    jvp=(lambda tangent, _out, _x, **attributes: bind(fft, tangent, **attributes),),
    vjp=(_pull,),
    batch=_batch,
)


# --- NumPy's functions


def _transform(name: str, kind: str, a: Any, lengths: Any, axes: Any, norm: str | None) -> Array:
    """Cut or fill each axis to its length, and transform."""
    a = as_array(a)
    norm = norm or "backward"
    if norm not in _DUAL:
        raise ValueError(message(f"fft.{name}", "norm", "be 'backward', 'ortho' or 'forward'", repr(norm)))
    if axes is None:
        axes = range(-len(lengths), 0) if lengths is not None else range(a.ndim)
    axes = tuple(normalize_axis_index(axis, a.ndim) for axis in axes)
    if not axes:
        return a
    wanted = [None] * len(axes) if lengths is None else list(lengths)
    last = wanted[-1]
    if last in (None, -1):
        last = 2 * (a.shape[axes[-1]] - 1) if kind == "irfft" else a.shape[axes[-1]]
    wanted[-1] = last // 2 + 1 if kind == "irfft" else last
    if min(n for n in wanted if n is not None) < 1 or last < 1:
        raise ValueError(message(f"fft.{name}", "the lengths of the axes", "be positive", wanted))
    for axis, length in zip(axes, wanted, strict=True):
        a = _resize(a, axis, a.shape[axis] if length in (None, -1) else length)
    return bind(fft, a, kind=kind, axes=axes, norm=norm, length=int(last))


def _resize(x: Array, axis: int, length: int) -> Array:
    missing = length - x.shape[axis]
    if missing > 0:
        return np.pad(x, [(0, missing if i == axis else 0) for i in range(x.ndim)])
    return x[(slice(None),) * axis + (slice(length),)] if missing else x


def _one(n: int | None) -> tuple[int] | None:
    return None if n is None else (n,)


def _implement(kind: str) -> None:
    """Implement the three functions of NumPy for one kind: over one axis, over two, over any."""

    @implements(getattr(np.fft, kind))
    def over_one(
        a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None
    ) -> Array:
        refuse_out(f"fft.{kind}", out)
        return _transform(kind, kind, a, _one(n), (axis,), norm)

    @implements(getattr(np.fft, f"{kind}2"))
    def over_two(
        a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: None = None
    ) -> Array:
        refuse_out(f"fft.{kind}2", out)
        return _transform(f"{kind}2", kind, a, s, axes, norm)

    @implements(getattr(np.fft, f"{kind}n"))
    def over_any(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: None = None) -> Array:
        refuse_out(f"fft.{kind}n", out)
        return _transform(f"{kind}n", kind, a, s, axes, norm)


for _kind in _EVALUATE:
    _implement(_kind)


@implements(np.fft.hfft)
def _hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    refuse_out("fft.hfft", out)
    return _transform("hfft", "irfft", conjugate(as_array(a)), _one(n), (axis,), _dual(norm))


@implements(np.fft.ihfft)
def _ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    refuse_out("fft.ihfft", out)
    return conjugate(_transform("ihfft", "rfft", a, _one(n), (axis,), _dual(norm)))


def _dual(norm: str | None) -> str:
    return _DUAL.get(norm or "backward", norm or "")


@implements(np.fft.fftshift)
def _fftshift(x: Any, axes: Any = None) -> Array:
    return _shift(as_array(x), axes, 1)


@implements(np.fft.ifftshift)
def _ifftshift(x: Any, axes: Any = None) -> Array:
    return _shift(as_array(x), axes, -1)


def _shift(x: Array, axes: Any, direction: int) -> Array:
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    lengths = [x.shape[axis] for axis in axes]
    return np.roll(x, [n // 2 if direction > 0 else -(n // 2) for n in lengths], axes)
