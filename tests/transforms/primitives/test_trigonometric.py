"""Trigonometric functions obey the laws, and are right at the origin."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jvp

X = np.array([0.7, -1.3, 0.4])
Y = np.array([1.9, 0.6, -0.8])
Z = np.array([0.7 + 0.2j, -1.3 - 0.8j])

FUNCTIONS = ["sin", "cos", "tan", "arctan", "degrees", "radians", "deg2rad", "rad2deg", "sinc"]

CASES = [
    *(Case(name, lambda xp, x, name=name: getattr(xp, name)(x), (X,)) for name in FUNCTIONS),
    Case("arcsin", lambda xp, x: xp.arcsin(x), (X / 2,)),
    Case("arccos", lambda xp, x: xp.arccos(x), (X / 2,)),
    *(
        Case(f"{name} complex", lambda xp, z, name=name: getattr(xp, name)(z), (Z,))
        for name in ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinc")
    ),
    Case("hypot", lambda xp, x, y: xp.hypot(x, y), (X, Y[:, None])),
    Case("arctan2", lambda xp, y, x: xp.arctan2(y, x), (Y, X)),
    Case("arctan2 of a number", lambda xp, x: xp.arctan2(1.0, x), (X,)),
    Case("sinc near zero", lambda xp, x: xp.sinc(x), (np.array([0.01, -0.1, 0.159, 0.16]),)),
    Case("sinc of integers", lambda xp, x, n: x * xp.sinc(n), (X, np.arange(3)), single="int64 promotes it"),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_arctan2_and_hypot_are_flat_at_the_origin():
    assert grad(np.arctan2, argnums=(0, 1))(0.0, 0.0) == (0.0, 0.0)
    assert grad(np.hypot, argnums=(0, 1))(0.0, 0.0) == (0.0, 0.0)
    assert jvp(np.arctan2, (0.0, 0.0), (1.0, 2.0))[1] == 0.0
    for function in (np.arctan2, np.hypot):
        second = hessian(lambda v, function=function: function(v[0], v[1]))(np.zeros(2))
        np.testing.assert_array_equal(second, np.zeros((2, 2)))


def test_triangles_of_extreme_sizes():
    dy, dx = grad(np.arctan2, argnums=(0, 1))(3e-200, 4e-200)
    assert (dy, dx) == (pytest.approx(0.16e200), pytest.approx(-0.12e200))
    dy, dx = grad(np.arctan2, argnums=(0, 1))(3e200, 4e200)
    assert (dy, dx) == (pytest.approx(0.16e-200), pytest.approx(-0.12e-200))
    assert grad(np.hypot)(3e200, 4e200) == pytest.approx(0.6)


def test_sinc_at_zero_to_fourth_order():
    derivative = np.sinc
    for expected in (0.0, -(np.pi**2) / 3, 0.0, np.pi**4 / 5):
        derivative = grad(derivative)
        assert derivative(0.0) == pytest.approx(expected, abs=1e-12)


def test_the_slope_of_sinc_keeps_its_digits_near_zero():
    x = 1e-6
    assert grad(np.sinc)(x) == pytest.approx(-(np.pi**2) * x / 3, rel=1e-10)
    assert grad(grad(np.sinc))(x) == pytest.approx(-(np.pi**2) / 3, rel=1e-10)
