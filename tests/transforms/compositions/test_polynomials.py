import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, stage, vjp
from transforms.errors import ConcreteValueError

P = np.array([2.0, -1.0, 0.5, 3.0])
Q = np.array([1.0, 0.4])
X = np.array([[0.3, -1.2], [2.0, 0.7]])

CASES = [
    Case("polyval", lambda xp, p, x: xp.polyval(p, x), (P, X)),
    Case("polyadd", lambda xp, p, q: xp.polyadd(p, q), (P, Q)),
    Case("polysub", lambda xp, p, q: xp.polysub(q, p), (P, Q)),
    Case("polymul", lambda xp, p, q: xp.polymul(p, q), (P, Q)),
    Case("polyder", lambda xp, p: xp.polyder(p, 2), (P,)),
    Case("polyder-none", lambda xp, p: xp.polyder(p, 0), (P,)),
    Case("polyint", lambda xp, p: xp.polyint(p, 2), (P,)),
    Case("polyint-constants", lambda xp, p: xp.polyint(p, 2, p[:2]), (P,)),
    Case("poly", lambda xp, p: xp.poly(p), (P,)),
]  # fmt: skip


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_polydiv():
    def f(u, v):
        return np.polydiv(u, v)

    got, pullback = vjp(f, P, Q)
    same(got, np.polydiv(P, Q), 1e-12)
    # u = q v + r, so a change du of u alone with du = dq v leaves r as it is.
    (du, _) = pullback((np.array([0.0, 0.0, 1.0]), np.zeros(1)))
    assert du @ np.polymul([1.0, 2.0, 3.0], Q) == pytest.approx(3.0)


def test_division_by_a_longer_polynomial_leaves_the_dividend():
    got, _ = vjp(lambda q: np.polydiv(q, P), Q)
    same(got, np.polydiv(Q, P))


def test_an_exact_division_leaves_zero():
    got, _ = vjp(lambda q: np.polydiv(q * 2, q), Q)
    same(got, np.polydiv(2 * Q, Q))


@pytest.mark.parametrize("p", [P, np.array([0.0, 1.0, -3.0, 2.0, 0.0, 0.0]), np.array([2.0]), np.zeros(3)])
def test_roots(p):
    got, _ = vjp(np.roots, p)
    np.testing.assert_allclose(np.sort_complex(got), np.sort_complex(np.roots(p)), atol=1e-12)


def test_the_derivative_of_roots():
    # x^2 + b x + c has the roots 1 and 2, and d(root) = -(root db + dc) / (2 root + b).
    for i, root in enumerate(np.roots([1.0, -3.0, 2.0])):
        gradient = grad(lambda p, i=i: np.real(np.roots(p)[i]))(np.array([1.0, -3.0, 2.0]))
        slope = 2 * root - 3.0
        np.testing.assert_allclose(gradient, -np.array([root**2, root, 1.0]) / slope)


def test_where_values_are_not_known_a_remedy_is_named():
    with pytest.raises(ConcreteValueError, match=r"numpy.roots: the number of roots must not depend"):
        stage(np.roots)(P)


def test_the_coefficients_may_be_a_list_beside_a_traced_point():
    def f(x):
        return np.polyval([x, 2.0, x * x], x)

    assert grad(f)(1.5) == pytest.approx(3 * 1.5**2 + 2 + 2 * 1.5)


def test_wrong_orders_are_errors():
    with pytest.raises(ValueError, match=r"numpy.polyder: m must not be negative, got -1"):
        grad(lambda p: np.sum(np.polyder(p, -1)))(P)
    with pytest.raises(ValueError, match=r"numpy.polyint: k must be one number or 3, one for each m, got 2"):
        grad(lambda p: np.sum(np.polyint(p, 3, [1.0, 2.0])))(P)


T = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
Y = np.array([1.0, 0.2, -0.3, 0.8, 2.0])
W = np.array([1.0, 2.0, 0.5, 1.0, 1.5])

PAIRS = np.stack([Y, W], axis=1)
SCALE = "JAX scales it otherwise"


def _fit(**options):
    return lambda xp, x, y: xp.polyfit(x, y, 2, **options)


FITS = [
    Case("polyfit", _fit(), (T + 0.25, Y), tolerance=1e-7),
    Case("columns", _fit(), (T + 0.25, PAIRS), tolerance=1e-7),
    Case("weights", lambda xp, x, y, w: xp.polyfit(x, y, 1, w=w), (T + 0.25, Y, W), tolerance=1e-7),
    Case("covariance", _fit(cov=True), (T + 0.25, Y), oracle=SCALE),
    Case("covariance-columns", _fit(cov=True), (T + 0.25, PAIRS), oracle=SCALE),
    Case("unscaled", _fit(cov="unscaled"), (T + 0.25, Y), oracle=SCALE),
]


@parametrize(FITS)
def test_laws_of_fits(case):
    check(case)


def test_a_full_fit_returns_what_numpy_does():
    got, _ = vjp(lambda y: np.polyfit(T, y, 1, full=True)[:2], Y)
    for x, y in zip(got, np.polyfit(T, Y, 1, full=True)[:2], strict=True):
        np.testing.assert_allclose(x, y)


def test_a_covariance_needs_more_points_than_coefficients():
    with pytest.raises(
        ValueError, match="the points must be more than the 3 coefficients for a covariance, got 3"
    ):
        grad(lambda y: np.sum(np.polyfit(T[:3], y, 2, cov=True)[1]))(Y[:3])
