"""Primitives that run as NumPy on the host, called back from the device."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback

from transforms.backends.xla.registry import struct
from transforms.graph.ir import Equation
from transforms.types import Array, ArrayType

_COLLECTIVE = "the vmap that names its axis takes its place before a program runs"
_SCIPY = "neither XLA nor JAX has it, or JAX's is not exact to rounding: SciPy computes it"

HOST_CALLBACKS: dict[str, str] = {
    **dict.fromkeys(("pure_callback", "debug_callback"), "it is a call of a Python function"),
    "eig": "XLA computes it on CPUs only, and scales the vectors otherwise",
    **dict.fromkeys(("psum", "pmax", "pmin", "all_gather"), _COLLECTIVE),
    **dict.fromkeys(
        (
            # of angles, errors and exponentials
            "sindg", "cosdg", "tandg", "cotdg", "erfi", "erfcx", "wofz", "dawsn", "fresnel", "sici", "shichi",
            "exp1", "expi", "expn", "spence",
            # of the normal distribution
            "ndtri_exp", "owens_t",
            # gammas and betas
            "loggamma", "gamma", "rgamma", "gammasgn", "poch", "gammaincinv", "gammainccinv", "betaincc",
            "betaincinv",
            # Bessel's, Airy's and hypergeometric
            "jv", "yv", "hankel1", "hankel2", "j0", "j1", "y0", "y1", "iv", "kv", "k0", "k1", "ive", "kve",
            "k0e", "k1e", "airy", "hyp0f1", "hyp1f1", "hyp2f1",
        ),
        _SCIPY,
    ),
}  # fmt: skip
"""Why a primitive has no lowering, by its name."""


class HostCalls:
    """Notes, for the time of a ``with`` block, whether a program that JAX traces calls the host.

    Attributes:
        any: whether it does.
    """

    def __enter__(self) -> HostCalls:
        self.any = False
        self._outer = _noted.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _noted.reset(self._outer)


_noted: ContextVar[HostCalls | None] = ContextVar("whether the host is called", default=None)


def call_on_host(equation: Equation, operands: list[Any]) -> Any:
    """Evaluate an equation on the host, in the middle of a program on a device."""
    calls = _noted.get()
    if calls is not None:
        calls.any = True
    primitive, attributes = equation.primitive, equation.attributes
    dtypes = {i: np.dtype(x.dtype) for i, x in enumerate(operands) if hasattr(x, "dtype")}
    types = [variable.type for variable in equation.results]

    def evaluate(*words: Any) -> list[Any]:
        values = list(operands)
        for (position, dtype), x in zip(dtypes.items(), words, strict=True):
            values[position] = _unpack(np.asarray(x), dtype)
        out = primitive.evaluate(*values, **attributes)
        results = out if primitive.multiple else (out,)
        return [_pack(np.asarray(x), t.dtype) for x, t in zip(results, types, strict=True)]

    packed = [_pack_on_device(operands[i]) for i in dtypes]
    if primitive.effect:
        words = io_callback(evaluate, list(map(_packed_type, types)), *packed, ordered=True)
    else:
        words = jax.pure_callback(evaluate, list(map(_packed_type, types)), *packed, vmap_method="sequential")
    results = tuple(_unpack_on_device(x, t.dtype) for x, t in zip(words, types, strict=True))
    return results if primitive.multiple else results[0]


# --- JAX halves 64-bit numbers on their way to and from a callback, if that runs in another thread than the
# one which enabled them. So they travel as 32-bit words, on one axis more.


def _words(dtype: np.dtype[Any]) -> int:
    """Return how many words a number is; 0 for one that travels as it is."""
    parts = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    return dtype.itemsize // 4 if parts == 8 else 0


def _packed_type(array_type: ArrayType) -> Any:
    count = _words(array_type.dtype)
    return struct(ArrayType((*array_type.shape, count), np.uint32) if count else array_type)


def _pack(x: Array, dtype: np.dtype[Any]) -> Array:
    x = x.astype(dtype, copy=False)
    count = _words(dtype)
    return np.frombuffer(x.tobytes(), np.uint32).reshape((*x.shape, count)) if count else x


def _unpack(words: Array, dtype: np.dtype[Any]) -> Array:
    """Return an array; one of shape () as the NumPy scalar that a ufunc gives for it."""
    if _words(dtype):
        words = np.frombuffer(words.tobytes(), dtype).reshape(words.shape[:-1])
    return words[()]


def _pack_on_device(x: Array) -> Array:
    x = jnp.asarray(x)
    count = _words(x.dtype)
    if not count:
        return x
    parts = jnp.stack([x.real, x.imag], -1) if x.dtype.kind == "c" else x
    return lax.bitcast_convert_type(parts, np.uint32).reshape((*x.shape, count))


def _unpack_on_device(words: Array, dtype: np.dtype[Any]) -> Array:
    if not _words(dtype):
        return words
    if dtype.kind != "c":
        return lax.bitcast_convert_type(words, dtype)
    parts = lax.bitcast_convert_type(words.reshape((*words.shape[:-1], 2, 2)), np.float64)
    return lax.complex(parts[..., 0], parts[..., 1])
