"""The ufuncs of `scipy.special`: errors, gammas, distributions, entropies, losses, integrals.

This file is imported when one of them is first traced, because importing SciPy is costly. A parameter
of which no derivative is known in closed form has `NoRule`; what is not named here is refused.

Source of the derivatives: NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from transforms.errors import NoRuleError
from transforms.primitive import UFUNCS, NoRule
from transforms.primitives import bessel as bessel
from transforms.primitives.arithmetic import polynomial
from transforms.primitives.declare import elementwise, piecewise_constant
from transforms.types import Array

_PARAMETER = NoRule("no derivative with respect to this parameter is known in closed form")
_INTEGER = NoRule("it is defined at integers only")

# --- what NumPy has too

for _own, _numpys in (
    (special.cbrt, np.cbrt),
    (special.exp2, np.exp2),
    (special.expm1, np.expm1),
    (special.log1p, np.log1p),
    (special.round, np.rint),
):
    UFUNCS[_own] = UFUNCS[_numpys]

exp10 = elementwise(special.exp10, lambda d, out, _x: d * (out * math.log(10.0)))

_DEGREE = math.pi / 180.0
sindg = elementwise(special.sindg, lambda d, _out, x: d * (special.cosdg(x) * _DEGREE))
cosdg = elementwise(special.cosdg, lambda d, _out, x: -d * (special.sindg(x) * _DEGREE))
tandg = elementwise(special.tandg, lambda d, out, _x: d * ((1.0 + out * out) * _DEGREE))
cotdg = elementwise(special.cotdg, lambda d, out, _x: -d * ((1.0 + out * out) * _DEGREE))
cosm1 = elementwise(special.cosm1, lambda d, _out, x: -d * np.sin(x))

# --- the error function and its relatives

_TWO_BY_ROOT_PI = 2.0 / math.sqrt(math.pi)

erf = elementwise(special.erf, lambda d, _out, x: d * (_TWO_BY_ROOT_PI * np.exp(-x * x)))
erfc = elementwise(special.erfc, lambda d, _out, x: -d * (_TWO_BY_ROOT_PI * np.exp(-x * x)))
erfi = elementwise(special.erfi, lambda d, _out, x: d * (_TWO_BY_ROOT_PI * np.exp(x * x)))
erfcx = elementwise(special.erfcx, lambda d, out, x: d * (2.0 * x * out - _TWO_BY_ROOT_PI))
wofz = elementwise(special.wofz, lambda d, out, x: d * (_TWO_BY_ROOT_PI * 1j - 2.0 * x * out))
dawsn = elementwise(special.dawsn, lambda d, out, x: d * (1.0 - 2.0 * x * out))
erfinv = elementwise(special.erfinv, lambda d, out, _x: d * (np.exp(out * out) / _TWO_BY_ROOT_PI))
erfcinv = elementwise(special.erfcinv, lambda d, out, _x: -d * (np.exp(out * out) / _TWO_BY_ROOT_PI))


def _fresnel_slopes(x: Array) -> tuple[Array, Array]:
    angle = 0.5 * math.pi * x * x
    return np.sin(angle), np.cos(angle)


def _sici_slopes(x: Array) -> tuple[Array, Array]:
    return np.sinc(x / math.pi), np.cos(x) / x


def _shichi_slopes(x: Array) -> tuple[Array, Array]:
    at_zero = x == 0
    return np.where(at_zero, 1.0, np.sinh(x) / np.where(at_zero, 1.0, x)), np.cosh(x) / x


def _pair(function: np.ufunc, slopes: Any) -> Any:
    """Declare a ufunc of one operand and two results with the given slopes."""

    def push(d: Array, _out: Any, x: Array) -> tuple[Array, Array]:
        first, second = slopes(x)
        return d * first, d * second

    def pull(cotangents: tuple[Array, Array], _out: Any, x: Array) -> Array:
        first, second = slopes(x)
        return cotangents[0] * first + cotangents[1] * second

    return elementwise(function, push, adjoints=(pull,))


fresnel = _pair(special.fresnel, _fresnel_slopes)
sici = _pair(special.sici, _sici_slopes)
shichi = _pair(special.shichi, _shichi_slopes)

# --- the logistic function

expit = elementwise(special.expit, lambda d, out, _x: d * (out * (1.0 - out)))
logit = elementwise(special.logit, lambda d, _out, x: d / (x * (1.0 - x)))
log_expit = elementwise(special.log_expit, lambda d, _out, x: d * special.expit(-x))

# --- the normal distribution

_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_PEAK = 1.0 / _ROOT_TWO_PI  # of the normal density

ndtr = elementwise(special.ndtr, lambda d, _out, x: d * (np.exp(-0.5 * x * x) * _PEAK))
log_ndtr = elementwise(special.log_ndtr, lambda d, out, x: d * (np.exp(-0.5 * x * x - out) * _PEAK))
ndtri = elementwise(special.ndtri, lambda d, out, _x: d * (_ROOT_TWO_PI * np.exp(0.5 * out * out)))
ndtri_exp = elementwise(special.ndtri_exp, lambda d, out, x: d * (_ROOT_TWO_PI * np.exp(0.5 * out * out + x)))


def _owens_t_slope(d: Array, _out: Array, h: Array, a: Array) -> Array:
    return -d * (np.exp(-0.5 * h * h) * special.erf(a * h / math.sqrt(2.0)) / (2.0 * _ROOT_TWO_PI))


def _owens_t_slope_in_a(d: Array, _out: Array, h: Array, a: Array) -> Array:
    square = 1.0 + a * a
    return d * (np.exp(-0.5 * h * h * square) / (2.0 * math.pi * square))


owens_t = elementwise(special.owens_t, _owens_t_slope, _owens_t_slope_in_a)

# --- gamma and beta functions

# The Hurwitz zeta function. special.zeta(s, q) calls it.
zeta = elementwise(
    special._ufuncs._zeta,
    _PARAMETER,
    lambda d, _out, s, q: d * (-s * special.zeta(s + 1.0, q)),
    name="zeta",
)


def _digamma_differential(d: Array, _out: Array, x: Array) -> Array:
    if x.dtype.kind == "c":
        raise NoRuleError(
            f"digamma: the argument must be real to be differentiated, got {x.dtype}; "
            "SciPy has no polygamma function of complex numbers"
        )
    return d * special.zeta(2.0, x)


digamma = elementwise(special.psi, _digamma_differential, name="digamma")
gammaln = elementwise(special.gammaln, lambda d, _out, x: d * special.psi(x))
loggamma = elementwise(special.loggamma, lambda d, _out, x: d * special.psi(x))
gamma = elementwise(special.gamma, lambda d, out, x: d * (out * special.psi(x)))
rgamma = elementwise(special.rgamma, lambda d, out, x: -d * (out * special.psi(x)))
gammasgn = piecewise_constant(special.gammasgn)


def _beta_slope(a: Array, b: Array) -> Array:
    return special.psi(a) - special.psi(a + b)


betaln = elementwise(
    special.betaln,
    lambda d, _out, a, b: d * _beta_slope(a, b),
    lambda d, _out, a, b: d * _beta_slope(b, a),
)
beta = elementwise(
    special.beta,
    lambda d, out, a, b: d * (out * _beta_slope(a, b)),
    lambda d, out, a, b: d * (out * _beta_slope(b, a)),
)
poch = elementwise(
    special.poch,
    lambda d, out, z, m: d * (out * (special.psi(z + m) - special.psi(z))),
    lambda d, out, z, m: d * (out * special.psi(z + m)),
)


def _gamma_density(a: Array, x: Array) -> Array:
    return np.exp(special.xlogy(a - 1.0, x) - x - special.gammaln(a))


gammainc = elementwise(special.gammainc, _PARAMETER, lambda d, _out, a, x: d * _gamma_density(a, x))
gammaincc = elementwise(special.gammaincc, _PARAMETER, lambda d, _out, a, x: -d * _gamma_density(a, x))
gammaincinv = elementwise(special.gammaincinv, _PARAMETER, lambda d, out, a, _y: d / _gamma_density(a, out))
gammainccinv = elementwise(
    special.gammainccinv, _PARAMETER, lambda d, out, a, _y: -d / _gamma_density(a, out)
)


def _beta_density(a: Array, b: Array, x: Array) -> Array:
    return np.exp(special.xlogy(a - 1.0, x) + special.xlog1py(b - 1.0, -x) - special.betaln(a, b))


betainc = elementwise(
    special.betainc, _PARAMETER, _PARAMETER, lambda d, _out, a, b, x: d * _beta_density(a, b, x)
)
betaincc = elementwise(
    special.betaincc, _PARAMETER, _PARAMETER, lambda d, _out, a, b, x: -d * _beta_density(a, b, x)
)
betaincinv = elementwise(
    special.betaincinv, _PARAMETER, _PARAMETER, lambda d, out, a, b, _y: d / _beta_density(a, b, out)
)

# --- entropies. x log y is 0 where both x and y are, and there its slopes are taken as 0 too


def _both_zero(x: Array, y: Array) -> Array:
    return (x == 0) & (y == 0)


def _quotient(x: Array, y: Array) -> Array:
    undefined = _both_zero(x, y)
    return np.where(undefined, 0.0, x / np.where(undefined, 1.0, y))


xlogy = elementwise(
    special.xlogy,
    lambda d, _out, x, y: d * np.log(np.where(_both_zero(x, y), 1.0, y)),
    lambda d, _out, x, y: d * _quotient(x, y),
)
xlog1py = elementwise(
    special.xlog1py,
    lambda d, _out, x, y: d * np.log1p(np.where(_both_zero(x, 1.0 + y), 0.0, y)),
    lambda d, _out, x, y: d * _quotient(x, 1.0 + y),
)
entr = elementwise(special.entr, lambda d, _out, x: -d * (np.log(x) + 1.0))
rel_entr = elementwise(
    special.rel_entr,
    lambda d, _out, x, y: d * (np.log(x / y) + 1.0),
    lambda d, _out, x, y: -d * (x / y),
)
kl_div = elementwise(
    special.kl_div, lambda d, _out, x, y: d * np.log(x / y), lambda d, _out, x, y: d * (1.0 - x / y)
)

# --- robust losses, with the width first

huber = elementwise(
    special.huber,
    lambda d, _out, delta, r: d * np.maximum(np.absolute(r) - delta, 0.0),
    lambda d, _out, delta, r: d * np.clip(r, -delta, delta),
)


def _pseudo_huber_slope_in_delta(d: Array, _out: Array, delta: Array, r: Array) -> Array:
    ratio = r / delta
    root = np.sqrt(1.0 + ratio * ratio)
    return d * (delta * (2.0 * (root - 1.0) - ratio * ratio / root))


pseudo_huber = elementwise(
    special.pseudo_huber,
    _pseudo_huber_slope_in_delta,
    lambda d, _out, delta, r: d * (r / np.sqrt(1.0 + (r / delta) ** 2)),
)

# --- (exp(x) - 1) / x and the power transforms made of it

# Near 0 the quotient for the slope would lose its digits. This is its Taylor series.
_SLOPE_SERIES = [(k + 1) / math.factorial(k + 2) for k in range(15)]


def _exprel_slope(x: Array) -> Array:
    near = np.absolute(x) < 0.5
    inside, outside = np.where(near, x, 0.0), np.where(near, 1.0, x)
    return np.where(
        near, polynomial(_SLOPE_SERIES, inside), (np.exp(outside) - special.exprel(outside)) / outside
    )


def _boxcox_slope_in_exponent(d: Array, logarithm: Array, exponent: Array) -> Array:
    return d * (logarithm * logarithm * _exprel_slope(exponent * logarithm))


exprel = elementwise(special.exprel, lambda d, _out, x: d * _exprel_slope(x))
boxcox = elementwise(
    special.boxcox,
    lambda d, _out, x, exponent: d * x ** (exponent - 1.0),
    lambda d, _out, x, exponent: _boxcox_slope_in_exponent(d, np.log(x), exponent),
)
boxcox1p = elementwise(
    special.boxcox1p,
    lambda d, _out, x, exponent: d * np.exp((exponent - 1.0) * np.log1p(x)),
    lambda d, _out, x, exponent: _boxcox_slope_in_exponent(d, np.log1p(x), exponent),
)

# --- integrals of exp and log

exp1 = elementwise(special.exp1, lambda d, _out, x: -d * (np.exp(-x) / x))
expi = elementwise(special.expi, lambda d, _out, x: d * (np.exp(x) / x))
expn = elementwise(special.expn, _INTEGER, lambda d, _out, n, x: -d * special.expn(n - 1, x))


def _spence_slope(x: Array) -> Array:
    at_one = x == 1
    return np.where(at_one, -1.0, np.log(x) / np.where(at_one, 1.0, 1.0 - x))


spence = elementwise(special.spence, lambda d, _out, x: d * _spence_slope(x))

# --- hypergeometric functions

hyp0f1 = elementwise(special.hyp0f1, _PARAMETER, lambda d, _out, v, x: d * (special.hyp0f1(v + 1.0, x) / v))
hyp1f1 = elementwise(
    special.hyp1f1,
    _PARAMETER,
    _PARAMETER,
    lambda d, _out, a, b, x: d * (a / b * special.hyp1f1(a + 1.0, b + 1.0, x)),
)
hyp2f1 = elementwise(
    special.hyp2f1,
    _PARAMETER,
    _PARAMETER,
    _PARAMETER,
    lambda d, _out, a, b, c, x: d * (a * b / c * special.hyp2f1(a + 1.0, b + 1.0, c + 1.0, x)),
)
