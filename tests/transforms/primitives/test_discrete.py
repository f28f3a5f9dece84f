"""Piecewise constant functions obey the laws, and carry no derivative."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, vjp
from transforms.errors import RefusedError

X = np.array([0.7, -1.5, 2.5])
Y = np.array([0.7, 0.6, -0.8])
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -2.0])
N = np.array([12, 5, 9])
M = np.array([8, 3, 6])
TRUTH = np.array([True, False, True])
LIES = np.array([True, True, False])

COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
CONNECTIVES = ["logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"]
OF_INTEGERS = [
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm"
]  # fmt: skip
TESTS = ["isfinite", "isinf", "isnan", "isposinf", "isneginf"]
ROUNDING = ["floor", "ceil", "trunc", "rint", "round"]


def named(names, *args, **options):
    return [
        Case(f"{name}", lambda xp, *args, name=name: getattr(xp, name)(*args), args, order=0, **options)
        for name in names
    ]


CASES = [
    *named(COMPARISONS, X, Y),
    *named(CONNECTIVES, TRUTH, LIES),
    *named(["logical_and", "logical_or", "logical_xor"], X, Y),
    *named(["logical_not", "invert"], TRUTH),
    *named(["invert", "bitwise_count"], N),
    *named(OF_INTEGERS, N, M),
    *named(TESTS, SPECIAL, single="the same"),
    *named(ROUNDING, X),
    Case("fix", lambda xp, x: xp.fix(x), (X,), order=0, oracle="JAX has no fix; it is trunc"),
    Case("round to decimals", lambda xp, x: xp.round(x, 1), (X * 1.23,), order=0),
    Case("round to tens", lambda xp, x: xp.around(x, decimals=-1), (X * 10,), order=0),
    Case("round integers", lambda xp, n: (xp.round(n), xp.round(n, -1)), (N,), order=0, oracle="differs"),
    Case("round method", lambda xp, x: x.round(1), (X * 1.23,), order=0),
    Case("operators", lambda xp, n, m: (n & m, n | m, n ^ m, n << 2, n >> 1, ~n), (N, M), order=0),
    Case("comparison operators", lambda xp, x: (x < 0, x >= 0.7, x == 0.7, x != 0.7), (X,), order=0),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_results_are_plain_arrays_under_reverse_mode():
    seen = []

    def f(x):
        seen.extend([x > 0, np.floor(x), np.isnan(x), np.sign(x), round(x, 1)])
        return np.sum(x)

    grad(f)(X)
    assert all(isinstance(value, np.ndarray) for value in seen)


def test_rounding_has_the_gradient_zero():
    for function in (np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.sign):
        np.testing.assert_array_equal(grad(lambda x, f=function: np.sum(x * 0.0 + f(x)))(X), np.zeros(3))


def test_functions_of_strings_and_dates_are_refused():
    with pytest.raises(RefusedError, match=r"a function of dates: np\.isnan for numbers"):
        vjp(np.isnat, X)
    with pytest.raises(RefusedError, match=r"isalpha: .* it is a function of strings"):
        vjp(np.strings.isalpha, X)
