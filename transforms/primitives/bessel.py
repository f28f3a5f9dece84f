"""Bessel and Airy functions of `scipy.special`; see `transforms.primitives.special`.

Source of the derivatives: NIST Digital Library of Mathematical Functions, sections 9.2, 10.6 and 10.29.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from transforms.errors import NoRuleError
from transforms.primitive import NoRule, Primitive
from transforms.primitives.declare import elementwise
from transforms.types import Array

_ORDER = NoRule("no derivative with respect to the order is known in closed form")


def _between(function: np.ufunc, below: float, above: float) -> Primitive:
    """Declare a function whose slope combines those of the orders below and above its own."""
    return elementwise(
        function,
        _ORDER,
        lambda d, _out, order, x: d * (below * function(order - 1, x) + above * function(order + 1, x)),
    )


# --- of the first and second kind

jv = _between(special.jv, 0.5, -0.5)
yv = _between(special.yv, 0.5, -0.5)
hankel1 = _between(special.hankel1, 0.5, -0.5)
hankel2 = _between(special.hankel2, 0.5, -0.5)

# The slopes at order 1 are those of `_between`, because a quotient by x would be undefined at 0.
j0 = elementwise(special.j0, lambda d, _out, x: -d * special.j1(x))
j1 = elementwise(special.j1, lambda d, _out, x: d * (0.5 * (special.j0(x) - special.jv(2.0, x))))
y0 = elementwise(special.y0, lambda d, _out, x: -d * special.y1(x))
y1 = elementwise(special.y1, lambda d, out, x: d * (special.y0(x) - out / x))

# --- modified

iv = _between(special.iv, 0.5, 0.5)
kv = _between(special.kv, -0.5, -0.5)

i0 = elementwise(special.i0, lambda d, _out, x: d * special.i1(x))
i1 = elementwise(special.i1, lambda d, _out, x: d * (0.5 * (special.i0(x) + special.iv(2.0, x))))
k0 = elementwise(special.k0, lambda d, _out, x: -d * special.k1(x))
k1 = elementwise(special.k1, lambda d, out, x: -d * (special.k0(x) + out / x))

# --- modified and scaled, by exp(-abs(x)) or by exp(x)


def _ive_differential(d: Array, out: Array, order: Array, x: Array) -> Array:
    if x.dtype.kind == "c":
        raise NoRuleError(
            f"ive: the argument must be real to be differentiated, got {x.dtype}; "
            "its scale depends on the real part only: write iv(v, z) * np.exp(-z)"
        )
    return d * (0.5 * (special.ive(order - 1, x) + special.ive(order + 1, x)) - np.sign(x) * out)


ive = elementwise(special.ive, _ORDER, _ive_differential)
kve = elementwise(
    special.kve,
    _ORDER,
    lambda d, out, order, x: d * (out - 0.5 * (special.kve(order - 1, x) + special.kve(order + 1, x))),
)
i0e = elementwise(special.i0e, lambda d, out, x: d * (special.i1e(x) - np.sign(x) * out))
i1e = elementwise(
    special.i1e,
    lambda d, out, x: d * (0.5 * (special.i0e(x) + special.ive(2.0, x)) - np.sign(x) * out),
)
k0e = elementwise(special.k0e, lambda d, out, x: d * (out - special.k1e(x)))
k1e = elementwise(special.k1e, lambda d, out, x: d * (out - special.k0e(x) - out / x))

# --- Airy


def _push_airy(d: Array, outs: tuple[Array, ...], x: Array) -> tuple[Array, ...]:
    ai, ai_slope, bi, bi_slope = outs
    return d * ai_slope, d * (x * ai), d * bi_slope, d * (x * bi)


def _pull_airy(cotangents: tuple[Array, ...], outs: tuple[Array, ...], x: Array) -> Any:
    ai, ai_slope, bi, bi_slope = outs
    of_ai, of_ai_slope, of_bi, of_bi_slope = cotangents
    return of_ai * ai_slope + of_ai_slope * (x * ai) + of_bi * bi_slope + of_bi_slope * (x * bi)


airy = elementwise(special.airy, _push_airy, adjoints=(_pull_airy,))
