"""The functions of mathematics are within 4 units in the last place of NumPy's, wherever they are defined."""

import numpy as np
import pytest
from scipy import special

from transforms import jit

FUNCTIONS = [
    np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.tanh, np.sinh, np.cosh, np.arcsinh,
    np.arccosh, np.arctanh, np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.sqrt, np.cbrt,
    special.erf,
]  # fmt: skip


def samples(dtype):
    """Return floats of all sizes, dense ones where functions bend, and what is special."""
    rng = np.random.default_rng(0)
    unsigned = f"u{np.dtype(dtype).itemsize}"
    bits = rng.integers(0, np.iinfo(unsigned).max, 50_000, unsigned, endpoint=True).view(dtype)
    near = [rng.uniform(-scale, scale, 20_000) for scale in (1e-30, 1e-5, 0.1, 1.0, 3.0, 10.0, 100.0, 800.0)]
    limits = np.finfo(dtype)
    small = [limits.tiny, limits.smallest_subnormal, limits.tiny / 2, limits.eps, 0.0]
    # Near the last arguments whose exponentials are finite, normal, or not zero.
    bends = [0.5, 1.0, 2.0, 87.4, 88.72, 88.8, 103.9, 104.0, 708.5, 709.7, 709.8, 745.1, 745.2]
    special_values = np.array([*small, *bends, limits.max, np.inf])
    with np.errstate(over="ignore"):
        values = np.concatenate([*near, special_values, -special_values, [np.nan]]).astype(dtype)
    return np.concatenate([bits, values])


def distance(got, expected):
    """Return how many units in the last place are between the finite values of two arrays."""
    finite = np.isfinite(expected)
    gap = np.abs(got[finite].astype(np.longdouble) - expected[finite])
    return np.max(gap / np.spacing(np.abs(expected[finite])).astype(np.longdouble))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_within_four_units(function, dtype):
    x = samples(dtype)
    with np.errstate(all="ignore"):
        expected = function(x)
    got = jit(lambda x: function(x), backend="llvm")(x)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(got[infinite], expected[infinite])
    assert not np.any(np.isinf(got) & ~infinite)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))
    assert distance(got, expected) <= 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [np.power, np.arctan2, np.hypot], ids=lambda function: function.__name__)
def test_functions_of_two_operands(function, dtype):
    rng = np.random.default_rng(1)
    special_values = np.array([0.0, 1.0, 0.5, 2.0, 3.0, np.inf, 1e-30, 1e30])
    pairs = np.meshgrid(*[np.concatenate([special_values, -special_values, [np.nan]])] * 2)
    dense = rng.uniform(-5, 5, (2, 20_000))
    x, y = (np.concatenate([z.ravel(), w]).astype(dtype) for z, w in zip(pairs, dense, strict=True))
    with np.errstate(all="ignore"):
        expected = function(x, y)
    got = jit(lambda x, y: function(x, y), backend="llvm")(x, y)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(got[infinite], expected[infinite])
    assert distance(got, expected) <= 4


def test_powers_that_are_simpler_functions():
    x = np.linspace(0.1, 4, 50)
    for exponent in (-1, 0.5, 1, 2, 3, 2.5, 0):
        got = jit(lambda x, exponent=exponent: x**exponent, backend="llvm")(x)
        assert distance(got, x**exponent) <= 4
