"""Exponentials, logarithms and hyperbolic functions obey the laws, and infinities are right."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian

X = np.array([0.7, -1.3, 0.4])
Y = np.array([1.9, 0.6, -0.8])
POSITIVE = np.array([0.7, 1.3, 2.4])
ABOVE_ONE = np.array([1.7, 2.3, 1.1])
Z = np.array([0.7 + 0.2j, -1.3 - 0.8j])
INF = np.inf

REAL = [
    ("exp", X),
    ("exp2", X),
    ("expm1", X),
    ("log", POSITIVE),
    ("log2", POSITIVE),
    ("log10", POSITIVE),
    ("log1p", POSITIVE),
    ("sinh", X),
    ("cosh", X),
    ("tanh", X),
    ("arcsinh", X),
    ("arccosh", ABOVE_ONE),
    ("arctanh", X / 2),
]
COMPLEX = ["exp", "expm1", "log", "log10", "log1p", "sinh", "cosh", "tanh", "arcsinh", "arctanh"]

CASES = [
    *(Case(name, lambda xp, x, name=name: getattr(xp, name)(x), (x,)) for name, x in REAL),
    *(Case(f"{name} complex", lambda xp, z, name=name: getattr(xp, name)(z), (Z,)) for name in COMPLEX),
    Case(
        "arccosh complex",
        lambda xp, z: xp.arccosh(z),
        (Z,),
        oracle="JAX's derivative has the wrong sign where the real part is negative",
    ),
    Case("logaddexp", lambda xp, x, y: xp.logaddexp(x, y), (X, Y)),
    Case("logaddexp of a number", lambda xp, x: xp.logaddexp(0.0, x), (X,)),
    Case("logaddexp at a tie", lambda xp, x, y: xp.logaddexp(x, y), (X, X)),
    Case("logaddexp2", lambda xp, x, y: xp.logaddexp2(x, y), (X, Y[:, None])),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (-INF, 1.0, (0.0, 1.0)),
        (1.0, -INF, (1.0, 0.0)),
        (INF, 1.0, (1.0, 0.0)),
        (-INF, INF, (0.0, 1.0)),
        (-INF, -INF, (0.5, 0.5)),
        (INF, INF, (0.5, 0.5)),
        (5000.0, -5000.0, (1.0, 0.0)),
        (5000.0, 5000.0, (0.5, 0.5)),
    ],
)
def test_the_logarithm_of_a_sum_at_infinities(function, x, y, expected):
    assert grad(function, argnums=(0, 1))(x, y) == expected


def test_softplus_keeps_its_digits_in_the_tail():
    assert grad(lambda x: np.logaddexp(x, 0.0))(-40.0) == pytest.approx(np.exp(-40.0), rel=1e-12)
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(np.logaddexp(0, x)))(np.array([-INF, INF])), [0.0, 1.0]
    )


def test_the_curvature_of_softplus_at_zero():
    assert grad(grad(lambda x: np.logaddexp(x, 0.0)))(0.0) == pytest.approx(0.25)
    np.testing.assert_allclose(
        hessian(lambda v: np.logaddexp(v[0], v[1]))(np.zeros(2)), [[0.25, -0.25], [-0.25, 0.25]]
    )


def test_the_slope_of_expm1_keeps_its_digits():
    assert grad(np.expm1)(-50.0) == pytest.approx(np.exp(-50.0), rel=1e-12)


def test_logarithms_of_sums_stay_single_precision():
    x = np.array([0.5, -INF], np.float32)
    assert grad(lambda x: np.sum(np.logaddexp(x, 1.0)))(x).dtype == np.float32
