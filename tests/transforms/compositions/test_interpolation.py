import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, vjp

POINTS = np.array([0.0, 0.7, 1.0, 2.5])
VALUES = np.array([1.0, -2.0, 0.5, 3.0])
QUERIES = np.array([-0.5, 0.2, 0.9, 2.0, 3.0])

ARGS = (QUERIES, POINTS, VALUES)

CASES = [
    Case("vector", lambda xp, x, p, f: xp.interp(x, p, f), ARGS),
    Case("matrix", lambda xp, x, p, f: xp.interp(x[:4].reshape(2, 2), p, f), ARGS),
    Case("scalar", lambda xp, x, p, f: xp.interp(x[1], p, f), ARGS),
    Case("bounds", lambda xp, x, p, f: xp.interp(x, p, f, left=-9.0, right=9.0), ARGS),
    Case("period", lambda xp, x, p, f: xp.interp(x, p[::-1], f, period=1.7), ARGS),
    Case("one-point", lambda xp, x, p, f: xp.interp(x, p[:1], f[:1]), ARGS),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_at_a_point_the_slope_is_that_of_the_segment_on_the_right():
    slope = grad(lambda x: np.interp(x, POINTS, VALUES))
    assert slope(0.7) == pytest.approx((0.5 + 2.0) / 0.3)
    assert slope(2.5) == pytest.approx(2.5 / 1.5)


def test_repeated_points_give_finite_derivatives():
    points = np.array([0.0, 1.0, 1.0, 2.0])

    def f(points):
        return np.sum(np.interp(np.array([0.5, 1.0, 1.5]), points, VALUES))

    assert np.all(np.isfinite(grad(f)(points)))


def test_complex_values():
    values = VALUES + 1j * VALUES[::-1]
    got, pullback = vjp(lambda f: np.interp(QUERIES, POINTS, f), values)
    np.testing.assert_allclose(got, np.interp(QUERIES, POINTS, values))
    with jax.enable_x64(True):
        _, oracle = jax.vjp(lambda f: jnp.interp(QUERIES, POINTS, f), values)
        np.testing.assert_allclose(pullback(got)[0], oracle(jnp.asarray(got))[0])
