"""NumPy's overridable functions, by name, with one call of each that is not refused.

The argument of a call is a matrix of two rows and columns with distinct elements between 0 and 1. What
a call returns is what the laws are checked on: `DIFFERENTIABLE` functions have derivatives, the
results of `CONSTANT` ones carry none, `WITHOUT_RULE` are primitives that say why
they have no derivative, and `QUERIES` return no arrays of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.char
import numpy.fft
import numpy.lib.recfunctions
import numpy.lib.scimath
import numpy.polynomial
import numpy.strings
from numpy.lib import scimath
from numpy.testing.overrides import get_overridable_numpy_array_functions, get_overridable_numpy_ufuncs

# With SciPy's primitives, which are declared when they are first used.
import transforms.primitives.special  # noqa: F401
from transforms.primitive import FUNCTIONS, PRIMITIVES, UFUNCS, Refusal

Call = Callable[[Any], Any]

MATRIX = np.array([[0.3, 0.8], [0.55, 0.15]])
INDEX = np.array([1, 0])


def resolve(name: str) -> Any:
    """Return the function of a dotted name in NumPy, or None if this version has none."""
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def overridable() -> dict[str, Any]:
    """Return all functions and ufuncs that can be intercepted, by their names in `numpy`."""
    functions = {_name(function): function for function in get_overridable_numpy_array_functions()}
    # NumPy lists the inner twin of what takes like= beside the public function.
    functions = {name: resolve(name) or function for name, function in functions.items()}
    ufuncs = {ufunc.__name__: resolve(ufunc.__name__) for ufunc in get_overridable_numpy_ufuncs()}
    return functions | {name: u for name, u in ufuncs.items() if isinstance(u, np.ufunc)}


def inner_ufuncs() -> Iterator[np.ufunc]:
    """Yield the ufuncs that have no public name."""
    for ufunc in get_overridable_numpy_ufuncs():
        if not isinstance(resolve(ufunc.__name__), np.ufunc):
            yield ufunc


def _name(function: Any) -> str:
    module = str(function.__module__).removeprefix("numpy").lstrip(".").replace("_scimath_impl", "scimath")
    return f"{module}.{function.__name__}".lstrip(".")


def handling(function: Any) -> Any:
    """Return a function's primitive, composition or refusal, or None."""
    return UFUNCS.get(function) or FUNCTIONS.get(function) or FUNCTIONS.get(function.__module__)


def is_primitive(name: str, function: Any) -> bool:
    """Whether there is a primitive for just this function."""
    return function in UFUNCS or name.replace("linalg.", "") in PRIMITIVES


def is_refused(function: Any) -> bool:
    """Whether a function is declared to be refused."""
    return isinstance(handling(function), Refusal)


def _unary(names: str, shift: float = 0.0) -> dict[str, Call]:
    return {name: lambda x, name=name: getattr(np, name)(x + shift) for name in names.split()}


def _binary(names: str) -> dict[str, Call]:
    return {name: lambda x, name=name: getattr(np, name)(x, x.T + 0.05) for name in names.split()}


def _complex(x: Any) -> Any:
    return x + 1j * x.T


def _spd(x: Any) -> Any:
    """Return a positive definite matrix with distinct eigenvalues."""
    return x @ x.T + np.array([[1.0, 0.0], [0.0, 2.0]])


_UFUNCS: dict[str, Call] = {
    **_unary(
        "absolute arccos arcsin arcsinh arctan arctanh cbrt cos cosh deg2rad degrees exp exp2 expm1 fabs"
    ),
    **_unary(
        "log log10 log1p log2 negative positive rad2deg radians reciprocal sin sinh sqrt square tan tanh"
    ),
    **_unary("arccosh", 1.0),
    **_binary("add arctan2 copysign divide float_power fmax fmin fmod hypot logaddexp logaddexp2 maximum"),
    **_binary("minimum multiply power remainder subtract matmul matvec vecdot vecmat"),
    "clip": lambda x: np.clip(x, 0.2, 0.6),
    "conjugate": lambda x: np.conjugate(_complex(x)),
    "divmod": lambda x: np.divmod(x, x.T + 0.05)[1],
    "frexp": lambda x: np.frexp(x)[0],
    "heaviside": lambda x: np.heaviside(x - x, x),
    "ldexp": lambda x: np.ldexp(x, 2),
    "modf": lambda x: np.modf(x * 3)[0],
}

_SHAPE: dict[str, Call] = {
    **_unary("atleast_1d atleast_2d atleast_3d copy diag diagflat diagonal flip fliplr flipud ravel real"),
    **_unary("real_if_close rot90 squeeze trace transpose tril triu matrix_transpose unstack sort_complex"),
    "append": lambda x: np.append(x, x, axis=0),
    "apply_along_axis": lambda x: np.apply_along_axis(lambda row: row * row[0], 1, x),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x, [0, 1]),
    "array": lambda x: np.array([x[0], 2 * x[1]], like=x),
    "array_split": lambda x: np.array_split(x.reshape(-1), 3),
    "asanyarray": lambda x: np.asanyarray([x[0], 2 * x[1]], like=x),
    "asarray": lambda x: np.asarray([x[0], 2 * x[1]], like=x),
    "ascontiguousarray": lambda x: np.ascontiguousarray([x[0], 2 * x[1]], like=x),
    "asfortranarray": lambda x: np.asfortranarray([x[0], 2 * x[1]], like=x),
    "require": lambda x: np.require([x[0], 2 * x[1]], like=x),
    "full": lambda x: np.full((3, 2), x[0], like=x),
    "astype": lambda x: np.astype(x, np.complex128),
    "block": lambda x: np.block([[x, 2 * x], [x, x]]),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, x[0]),
    "broadcast_to": lambda x: np.broadcast_to(x, (3, 2, 2)),
    "choose": lambda x: np.choose(INDEX, x),
    "column_stack": lambda x: np.column_stack([x, x[0]]),
    "compress": lambda x: np.compress([True, False], x, axis=1),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "delete": lambda x: np.delete(x, 1, axis=0),
    "dsplit": lambda x: np.dsplit(x.reshape(1, 2, 2), 2),
    "dstack": lambda x: np.dstack([x, x]),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "extract": lambda x: np.extract(MATRIX > 0.2, x),
    "full_like": lambda x: np.full_like(x, x[0]),
    "hsplit": lambda x: np.hsplit(x, 2),
    "hstack": lambda x: np.hstack([x, x]),
    "insert": lambda x: np.insert(x, 1, x[0], axis=0),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1]),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "pad": lambda x: np.pad(x, 1, mode="edge"),
    "piecewise": lambda x: np.piecewise(x, [MATRIX < 0.5], [np.sin, np.cos]),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "reshape": lambda x: np.reshape(x, (4, 1)),
    "resize": lambda x: np.resize(x, (3, 3)),
    "roll": lambda x: np.roll(x, 1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "select": lambda x: np.select([MATRIX < 0.5], [x], 2 * x),
    "split": lambda x: np.split(x, 2),
    "stack": lambda x: np.stack([x, x]),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "take": lambda x: np.take(x, INDEX, axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, INDEX[None], axis=1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "trim_zeros": lambda x: np.trim_zeros(x[0]),
    "vander": lambda x: np.vander(x[0], 3),
    "vsplit": lambda x: np.vsplit(x, 2),
    "vstack": lambda x: np.vstack([x, x]),
    "where": lambda x: np.where(x > 0.5, x, 2 * x),
    "lib.stride_tricks.sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(
        x.reshape(-1), 2
    ),
}

_REDUCTIONS: dict[str, Call] = {
    **_unary("amax amin average cumprod cumsum diff ediff1d max mean median min nancumprod nancumsum nanmax"),
    **_unary(
        "nanmean nanmedian nanmin nanprod nanstd nansum nanvar prod ptp sort std sum trapezoid unwrap var"
    ),
    **_unary("unique unique_all unique_counts unique_inverse unique_values"),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=0),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=0),
    "gradient": lambda x: np.gradient(x, axis=0),
    "intersect1d": lambda x: np.intersect1d(x, x[0]),
    "nanpercentile": lambda x: np.nanpercentile(x, 30, axis=0),
    "nanquantile": lambda x: np.nanquantile(x, 0.3, axis=0),
    "partition": lambda x: np.partition(x, 1),
    "percentile": lambda x: np.percentile(x, 30, axis=0),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0),
    "setdiff1d": lambda x: np.setdiff1d(x, x[0]),
    "setxor1d": lambda x: np.setxor1d(x, np.array([5.0])),
    "union1d": lambda x: np.union1d(x, np.array([5.0])),
}

_ELSE: dict[str, Call] = {
    **_unary("i0 sinc nan_to_num cov"),
    "angle": lambda x: np.angle(_complex(x)),
    "imag": lambda x: np.imag(_complex(x)),
    "arange": lambda x: np.arange(x[0, 0], 2.0, 0.5, like=x),
    "bincount": lambda x: np.bincount(INDEX, weights=x[0]),
    "corrcoef": lambda x: np.corrcoef(np.concatenate([x, x**2], axis=1)),
    "geomspace": lambda x: np.geomspace(x[0], x[1], 5),
    "histogram": lambda x: np.histogram(x, bins=3, weights=x),
    "histogram2d": lambda x: np.histogram2d(x[0], x[1], bins=2, weights=x[0]),
    "histogram_bin_edges": lambda x: np.histogram_bin_edges(x, bins=3),
    "histogramdd": lambda x: np.histogramdd(x, bins=2, weights=x[0]),
    "interp": lambda x: np.interp(x[0], np.array([0.0, 0.4, 1.0]), np.array([1.0, 3.0, 2.0])),
    "linspace": lambda x: np.linspace(x[0], x[1], 5),
    "logspace": lambda x: np.logspace(x[0], x[1], 5),
    "polyadd": lambda x: np.polyadd(x[0], x[1]),
    "polydiv": lambda x: np.polydiv(x.reshape(-1), x[0]),
    "polyfit": lambda x: np.polyfit(np.array([0.0, 1.0, 2.0, 4.0]), x.reshape(-1), 2),
    "polymul": lambda x: np.polymul(x[0], x[1]),
    "polysub": lambda x: np.polysub(x[0], x[1]),
    "polyval": lambda x: np.polyval(x[0], x),
    "roots": lambda x: np.roots(np.concatenate([x[0], -x[1]])),
    "poly": lambda x: np.poly(x[0]),
    "polyder": lambda x: np.polyder(x.reshape(-1)),
    "polyint": lambda x: np.polyint(x.reshape(-1)),
    **{
        f"lib.scimath.{name}": lambda x, name=name: getattr(scimath, name)(x - 0.5)
        for name in ("log", "log2", "log10", "sqrt")
    },
    **{
        f"lib.scimath.{name}": lambda x, name=name: getattr(scimath, name)(x)
        for name in ("arccos", "arcsin", "arctanh")
    },
    "lib.scimath.logn": lambda x: scimath.logn(3.0, x - 0.5),
    "lib.scimath.power": lambda x: scimath.power(x - 0.5, 0.5),
}

_MATRIX_FUNCTIONS = (
    "cond", "det", "diagonal", "inv", "matrix_norm", "matrix_transpose", "norm", "pinv", "qr", "slogdet",
    "svdvals", "trace", "vector_norm",
)  # fmt: skip

_LINEAR_ALGEBRA: dict[str, Call] = {
    **{
        name: lambda x, name=name: getattr(np, name)(x, 2 * x.T) for name in ("dot", "inner", "kron", "outer")
    },
    **{
        f"linalg.{name}": lambda x, name=name: getattr(np.linalg, name)(x + np.eye(2))
        for name in _MATRIX_FUNCTIONS
    },
    **{
        f"linalg.{name}": lambda x, name=name: getattr(np.linalg, name)(_spd(x))
        for name in ("cholesky", "eigvalsh", "eigh", "eigvals")
    },
    "convolve": lambda x: np.convolve(x[0], x[1]),
    "correlate": lambda x: np.correlate(x[0], x[1], "full"),
    "cross": lambda x: np.cross(x.reshape(-1)[:3], x.reshape(-1)[1:]),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "tensordot": lambda x: np.tensordot(x, x, 1),
    "vdot": lambda x: np.vdot(x, x),
    "linalg.cross": lambda x: np.linalg.cross(x.reshape(-1)[:3], x.reshape(-1)[1:]),
    "linalg.eig": lambda x: np.abs(np.linalg.eig(_spd(x))[0]),
    "linalg.lstsq": lambda x: np.linalg.lstsq(x, x[0])[0],
    "linalg.matmul": lambda x: np.linalg.matmul(x, x),
    "linalg.matrix_power": lambda x: np.linalg.matrix_power(x, 3),
    "linalg.multi_dot": lambda x: np.linalg.multi_dot([x, x, x]),
    "linalg.outer": lambda x: np.linalg.outer(x[0], x[1]),
    "linalg.solve": lambda x: np.linalg.solve(x, x[0]),
    "linalg.svd": lambda x: np.linalg.svd(x)[1],
    "linalg.tensordot": lambda x: np.linalg.tensordot(x, x, axes=1),
    "linalg.tensorinv": lambda x: np.linalg.tensorinv(x, ind=1),
    "linalg.tensorsolve": lambda x: np.linalg.tensorsolve(x, x[0]),
    "linalg.vecdot": lambda x: np.linalg.vecdot(x, x),
    **{
        f"fft.{name}": lambda x, name=name: getattr(np.fft, name)(x)
        for name in [
            "fft",
            "fft2",
            "fftn",
            "fftshift",
            "ifft",
            "ifft2",
            "ifftn",
            "ifftshift",
            "ihfft",
            "rfft",
            "rfft2",
            "rfftn",
        ]
    },
    **{
        f"fft.{name}": lambda x, name=name: getattr(np.fft, name)(_complex(x))
        for name in ["hfft", "irfft", "irfft2", "irfftn"]
    },
}

DIFFERENTIABLE: dict[str, Call] = {**_UFUNCS, **_SHAPE, **_REDUCTIONS, **_ELSE, **_LINEAR_ALGEBRA}

_INTEGERS = ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm", "left_shift", "right_shift")

CONSTANT: dict[str, Call] = {
    **_unary(
        "ceil floor isfinite isinf isnan logical_not rint sign signbit trunc all any argmax argmin argsort"
    ),
    **_unary("argwhere around count_nonzero fix flatnonzero iscomplex isneginf isposinf isreal lexsort"),
    **_unary("nanargmax nanargmin nonzero ones_like round zeros_like"),
    **_binary("equal floor_divide greater greater_equal less less_equal logical_and logical_or logical_xor"),
    **_binary("not_equal allclose array_equal array_equiv isclose isin"),
    **{name: lambda x, name=name: getattr(np, name)(_whole(x), 3) for name in _INTEGERS},
    "argpartition": lambda x: np.argpartition(x, 1),
    "bitwise_count": lambda x: np.bitwise_count(_whole(x)),
    "diag_indices_from": lambda x: np.diag_indices_from(x),
    "digitize": lambda x: np.digitize(x, np.array([0.0, 0.5])),
    "eye": lambda x: np.eye(2, like=x),
    "fromfunction": lambda x: np.fromfunction(lambda i, j: i + j, (2, 3), like=x),
    "identity": lambda x: np.identity(2, like=x),
    "invert": lambda x: np.invert(_whole(x)),
    "ix_": lambda x: np.ix_(_whole(x[0]), _whole(x[1])),
    "linalg.matrix_rank": lambda x: np.linalg.matrix_rank(x),
    "ones": lambda x: np.ones(2, like=x),
    "ravel_multi_index": lambda x: np.ravel_multi_index((_whole(x[0]), INDEX), (9, 2), mode="clip"),
    "searchsorted": lambda x: np.searchsorted(np.array([0.0, 0.5]), x),
    "tri": lambda x: np.tri(2, like=x),
    "tril_indices_from": lambda x: np.tril_indices_from(x),
    "triu_indices_from": lambda x: np.triu_indices_from(x),
    "unravel_index": lambda x: np.unravel_index(_whole(x), (3, 3)),
    "zeros": lambda x: np.zeros(2, like=x),
}


def _whole(x: Any) -> Any:
    return np.astype(x * 10, np.int64) if hasattr(np, "astype") else (x * 10).astype(np.int64)


WITHOUT_RULE: dict[str, Call] = {**_unary("spacing"), **_binary("nextafter")}

QUERIES: dict[str, Call] = {
    **_unary("array2string array_repr array_str common_type empty_like iscomplexobj isrealobj"),
    **_unary("min_scalar_type ndim shape size"),
    "can_cast": lambda x: np.can_cast(x, np.complex128),
    "einsum_path": lambda x: np.einsum_path("ij,jk", x, x),
    "empty": lambda x: np.empty(2, like=x),
    "may_share_memory": lambda x: np.may_share_memory(x, x),
    "result_type": lambda x: np.result_type(x, np.float32),
    "shares_memory": lambda x: np.shares_memory(x, x),
}
