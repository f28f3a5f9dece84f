"""Primitives that run as NumPy on the host, called back from the device."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import io_callback

from transforms.graph.ir import Equation

_SCIPY = "neither XLA nor JAX has it, or JAX's is not exact to rounding: SciPy computes it"

HOST_CALLBACKS: dict[str, str] = {
    "eig": "XLA computes it on CPUs only, and scales the vectors otherwise",
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


def call_on_host(equation: Equation, operands: list[Any]) -> Any:
    """Evaluate an equation on the host, in the middle of a program on a device."""
    primitive, attributes = equation.primitive, equation.attributes
    types = [jax.ShapeDtypeStruct(*variable.type) for variable in equation.results]

    def evaluate(*values: Any) -> list[Any]:
        out = primitive.evaluate(*map(_on_host, values), **attributes)
        results = out if primitive.multiple else (out,)
        return [np.asarray(x).astype(t.dtype, copy=False) for x, t in zip(results, types, strict=True)]

    if primitive.effect:
        results = io_callback(evaluate, types, *operands, ordered=True)
    else:
        results = jax.pure_callback(evaluate, types, *operands, vmap_method="sequential")
    return tuple(results) if primitive.multiple else results[0]


def _on_host(value: Any) -> Any:
    """Return an array; one of shape () as the NumPy scalar that a ufunc gives for it."""
    array = np.asarray(value)
    return array[()] if array.shape == () else array
