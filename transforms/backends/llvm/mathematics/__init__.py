"""Functions of mathematics, written inline so that the loops over them are vectorised.

Each function says how its argument is reduced to a short interval; there it is a polynomial, which is fitted
when it is first needed. Few, for arguments that are rare, call the C library: see `outline`.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.backends.llvm.mathematics import (
    errors,
    exponential,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    logistic,
    power,
    remainders,
    representation,
    trigonometric,
)
from transforms.backends.llvm.mathematics.outline import outlined

FUNCTIONS: dict[str, Callable[..., str]] = {
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "exp10": exponential.exp10,
    "expm1": exponential.expm1,
    "log": logarithm.log,
    "log2": logarithm.log2,
    "log10": logarithm.log10,
    "log1p": logarithm.log1p,
    "tanh": hyperbolic.tanh,
    "sinh": hyperbolic.sinh,
    "cosh": hyperbolic.cosh,
    "arcsinh": hyperbolic.arcsinh,
    "arccosh": hyperbolic.arccosh,
    "arctanh": hyperbolic.arctanh,
    "sin": outlined("sin", 1, trigonometric.sin, "sin"),
    "cos": outlined("cos", 1, trigonometric.cos, "cos"),
    "tan": outlined("tan", 1, trigonometric.tan, "tan"),
    "arcsin": inverse_trigonometric.arcsin,
    "arccos": inverse_trigonometric.arccos,
    "arctan": inverse_trigonometric.arctan,
    "arctan2": inverse_trigonometric.arctan2,
    "erf": errors.erf,
    "erfc": errors.erfc,
    "erfinv": errors.erfinv,
    "erfcinv": errors.erfcinv,
    "ndtr": errors.ndtr,
    "ndtri": errors.ndtri,
    "expit": logistic.expit,
    "log_expit": logistic.log_expit,
    "logit": logistic.logit,
    "logaddexp": logistic.logaddexp,
    "logaddexp2": logistic.logaddexp2,
    "xlogy": logistic.xlogy,
    "xlog1py": logistic.xlog1py,
    "entr": logistic.entr,
    "rel_entr": logistic.rel_entr,
    "huber": logistic.huber,
    "power": power.power,
    "cbrt": power.cbrt,
    "hypot": power.hypot,
    "nextafter": representation.nextafter,
    "spacing": representation.spacing,
    "ldexp": representation.ldexp,
    "exponent": representation.exponent,
    "fmod": outlined("fmod", 2, remainders.fmod, "fmod"),
}
"""The functions by the names of their primitives."""
