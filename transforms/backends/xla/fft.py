"""Lowerings of discrete Fourier transforms: XLA does up to three axes at once, and the rest one by one."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower
from transforms.types import Array

Axes = tuple[int, ...]


@lower("fft")
def _fft(x: Array, kind: str, axes: Axes, norm: str, length: int) -> Array:
    *others, last = axes
    if kind == "rfft":
        return _complex("fft", jnp.fft.rfft(x, axis=last, norm=norm), tuple(others), norm)
    if kind == "irfft":
        return jnp.fft.irfft(_complex("ifft", x, tuple(others), norm), length, axis=last, norm=norm)
    return _complex(kind, x, axes, norm)


def _complex(kind: str, x: Array, axes: Axes, norm: str) -> Array:
    transform = getattr(jnp.fft, f"{kind}n")
    for start in range(0, len(axes), 3):
        x = transform(x, axes=axes[start : start + 3], norm=norm)
    return x
