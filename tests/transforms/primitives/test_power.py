"""Powers and roots obey the laws, and are right at base 0 and at exponent 0."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, stage, vjp

X = np.array([0.7, 1.3, 2.4])
SIGNED = np.array([0.7, -1.3, 2.4])
Y = np.array([1.9, -0.6, 0.0])
Z = np.array([0.7 + 0.2j, -1.3 - 0.8j])
W = np.array([-0.4 + 1.2j, 0.9 - 0.3j])

CASES = [
    Case("power", lambda xp, x, y: xp.power(x, y), (X, Y)),
    Case("power broadcasts", lambda xp, x, y: x**y, (X[:, None], Y)),
    Case("power complex", lambda xp, z, w: xp.power(z, w), (Z, W)),
    *(
        Case(f"power {n}", lambda xp, x, n=n: (x**n, xp.power(x, n)), (X,))
        for n in (0, 1, 2, 3, -1, -2, 0.5, 2.0, 0.0, -1.5)
    ),
    Case("integer power of negative numbers", lambda xp, x: x**3, (SIGNED,)),
    Case("power of a number", lambda xp, y: 2.5**y, (Y,)),
    Case(
        "integer exponents", lambda xp, x, n: x**n, (SIGNED, np.array([0, 2, -1])), single="int64 promotes it"
    ),
    Case("float_power", lambda xp, x, y: xp.float_power(x, y), (X, Y), single="NumPy widens it"),
    Case("float_power 2", lambda xp, x: xp.float_power(x, 2), (X,), single="NumPy widens it"),
    Case("square", lambda xp, x: xp.square(x), (SIGNED,)),
    Case("square complex", lambda xp, z: xp.square(z), (Z,)),
    Case("sqrt", lambda xp, x: xp.sqrt(x), (X,)),
    Case("sqrt complex", lambda xp, z: xp.sqrt(z), (Z,)),
    Case("cbrt", lambda xp, x: xp.cbrt(x), (SIGNED,)),
    Case("reciprocal", lambda xp, x: xp.reciprocal(x), (SIGNED,)),
    Case("reciprocal complex", lambda xp, z: xp.reciprocal(z), (Z,)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def powers_at_zero():
    return [(0, 0.0, 0.0), (0.0, 0.0, 0.0), (1, 1.0, 0.0), (2, 0.0, 2.0), (2.0, 0.0, 2.0), (3, 0.0, 0.0)]


@pytest.mark.parametrize(("exponent", "first", "second"), powers_at_zero())
def test_powers_of_zero(exponent, first, second):
    for n in (exponent, np.float64(exponent)):
        assert grad(lambda x, n=n: x**n)(0.0) == first
        assert grad(grad(lambda x, n=n: x**n))(0.0) == second


def test_powers_of_zero_for_an_array_of_exponents():
    x, n = np.zeros(4), np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**n))(x), [0.0, 1.0, 0.0, 0.0])
    second = np.diag(hessian(lambda x: np.sum(x**n))(x))
    np.testing.assert_array_equal(second, [0.0, 0.0, 2.0, 0.0])


def test_zero_to_a_power_is_constant_in_the_exponent():
    np.testing.assert_array_equal(grad(lambda y: np.sum(0.0**y))(np.array([0.5, 1.0, 2.0])), np.zeros(3))
    dx, dy = grad(lambda x, y: x**y, argnums=(0, 1))(0.0, 2.0)
    assert (dx, dy) == (0.0, 0.0)
    np.testing.assert_array_equal(
        hessian(lambda v: v[0] ** v[1])(np.array([0.0, 2.0])), [[2.0, 0.0], [0.0, 0.0]]
    )


def test_the_root_of_zero_rises_infinitely():
    with np.errstate(divide="ignore"):
        assert grad(np.sqrt)(0.0) == np.inf
        assert grad(lambda x: x**0.5)(0.0) == np.inf
        assert grad(np.cbrt)(0.0) == np.inf


@pytest.mark.parametrize("exponent", [2, 2.0, -1, 0.5])
def test_the_type_of_a_power_of_integers_is_numpys(exponent):
    x = np.array([1, 4])
    if exponent == -1:
        with pytest.raises(ValueError, match="negative integer powers"):
            vjp(lambda s: s * x**exponent, 1.0)
        return
    graph = stage(lambda n: n**exponent)(x)
    assert graph.outputs[0].type.dtype == (x**exponent).dtype


def test_powers_with_number_exponents_stay_single_precision():
    x = np.full(3, 1.5, np.float32)
    for exponent in (2, 2.0, 0.5, -1, 3, 1.7):
        assert grad(lambda x, n=exponent: np.sum(x**n))(x).dtype == np.float32
    assert grad(lambda y: np.sum(2.0**y))(x).dtype == np.float32
