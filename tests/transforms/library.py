"""Functions beside NumPy's, by name, with one call of each: SciPy's, and the engine's own.

As in `tests.transforms.surface`, the argument of a call is a matrix of two rows and columns with distinct
elements between 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

import transforms
from tests.transforms.surface import Call
from transforms import at
from transforms.primitive import UFUNCS
from transforms.scipy import linalg as linalg_forms
from transforms.scipy import special as special_forms

# Arguments that most functions take; these want others.
_SHIFTS = (0.05, 0.35, 0.65)
# An order or a shape parameter has no derivative; the table says what is true of the argument.
_SPECIAL: dict[str, Call] = {
    **{
        name: lambda x, name=name: getattr(special, name)(1.5, x)
        for name in (
            "gammainc", "gammaincc", "gammaincinv", "gammainccinv", "hankel1", "hankel2", "hyp0f1", "iv",
            "ive", "jv", "kv", "kve", "yv",
        )
    },
    **{
        name: lambda x, name=name: getattr(special, name)(1.5, 0.5, x)
        for name in ("betainc", "betaincc", "betaincinv", "hyp1f1")
    },
    "expn": lambda x: special.expn(2, x),
    "hyp2f1": lambda x: special.hyp2f1(0.5, 1.5, 2.0, x / 2),
    "ndtri_exp": lambda x: special.ndtri_exp(-x),
}  # fmt: skip


def _of_shifted(ufunc: np.ufunc) -> Call:
    return lambda x: ufunc(x, *(x.T + shift for shift in _SHIFTS[: ufunc.nin - 1]))


def _special() -> dict[str, Call]:
    ufuncs = [u for u in UFUNCS if getattr(special, u.__name__, None) is u]
    return {u.__name__: _SPECIAL.get(u.__name__) or _of_shifted(u) for u in ufuncs}


SCIPY: dict[str, Call] = {
    **{f"scipy.special.{name}": call for name, call in _special().items()},
    **{
        f"transforms.scipy.special.{name}": lambda x, name=name: getattr(special_forms, name)(x)
        for name in ("logsumexp", "softmax", "log_softmax")
    },
    "transforms.scipy.special.multigammaln": lambda x: special_forms.multigammaln(x + 2, 2),
    "transforms.scipy.special.polygamma": lambda x: special_forms.polygamma(1, x + 2),
    "transforms.scipy.linalg.solve_triangular": lambda x: linalg_forms.solve_triangular(x, x[0]),
    "transforms.scipy.linalg.cho_factor": lambda x: linalg_forms.cho_factor(x @ x.T + np.eye(2))[0],
    "transforms.scipy.linalg.cho_solve": lambda x: linalg_forms.cho_solve((x, True), x[0]),
    "transforms.scipy.linalg.block_diag": lambda x: linalg_forms.block_diag(x, 2 * x),
    "transforms.scipy.linalg.toeplitz": lambda x: linalg_forms.toeplitz(x[0], x[1]),
}


@transforms.custom_vjp
def _with_vjp(x: Any) -> Any:
    return np.sin(x)


_with_vjp.defvjp(lambda x: (np.sin(x), x), lambda x, cotangent: (cotangent * np.cos(x),))


@transforms.custom_jvp
def _with_jvp(x: Any) -> Any:
    return np.sin(x)


_with_jvp.defjvps(lambda t, out, x: t * np.cos(x))


def _converted(x: Any) -> Any:
    converted, consts = transforms.closure_convert(lambda y: np.sin(y) * x, x)
    return converted(2 * x, *consts)


def _linear(x: Any) -> Any:
    def solve(_: Any, b: Any) -> Any:
        return np.linalg.solve(x + 2 * np.eye(2), b)

    def solve_transposed(_: Any, b: Any) -> Any:
        return np.linalg.solve(x.T + 2 * np.eye(2), b)

    return transforms.custom_linear_solve(lambda v: x @ v + 2 * v, x[0], solve, solve_transposed)


def _root(x: Any) -> Any:
    def newton(f: Any, guess: Any) -> Any:
        return transforms.fori_loop(0, 12, lambda _, y: y - f(y) / (3 * y * y), guess)

    ones = np.ones((2, 2))
    return transforms.custom_root(lambda y: y**3 - x, ones, newton, lambda g, b: b / g(ones))


def _over_named_axis(collective: Any) -> Call:
    return lambda x: transforms.vmap(lambda row: row * collective(np.sin(row), "i"), axis_name="i")(x)


ENGINE: dict[str, Call] = {
    "at": lambda x: at(x)[0].set(2 * x[1]),
    "conv": lambda x: transforms.conv(x[None, :, :, None], x[:, :, None, None]),
    "conv_transpose": lambda x: transforms.conv_transpose(x[None, :, :, None], x[:, :, None, None]),
    "reduce_window": lambda x: transforms.reduce_window(x, "max", (2, 1)),
    "triangular_solve": lambda x: transforms.triangular_solve(x, x),
    "stop_gradient": lambda x: transforms.stop_gradient(x) * x,
    "scan": lambda x: transforms.scan(lambda c, row: (np.sin(c * row), c), x[0], x),
    "map": lambda x: transforms.map(np.sin, x),
    "fori_loop": lambda x: transforms.fori_loop(0, 3, lambda i, v: np.sin(v) + i, x),
    "while_loop": lambda x: transforms.while_loop(lambda v: np.sum(v) < 9, lambda v: v * v + 2 * v, x),
    "associative_scan": lambda x: transforms.associative_scan(np.multiply, x),
    "cond": lambda x: transforms.cond(x[0, 0] > 0.2, np.sin, np.cos, x),
    "switch": lambda x: transforms.switch(1, [np.sin, np.cos], x),
    "checkpoint": lambda x: transforms.checkpoint(lambda v: np.sin(np.sin(v)))(x),
    "custom_vjp": _with_vjp,
    "custom_jvp": _with_jvp,
    "closure_convert": _converted,
    "custom_linear_solve": _linear,
    "custom_root": _root,
    "pure_callback": lambda x: transforms.pure_callback(np.sin, x, x),
    "psum": _over_named_axis(transforms.psum),
    "pmean": _over_named_axis(transforms.pmean),
    "pmax": _over_named_axis(transforms.pmax),
    "pmin": _over_named_axis(transforms.pmin),
    "all_gather": _over_named_axis(lambda row, name: transforms.all_gather(row, name)[0]),
}
