"""Differences and integrals of samples."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, vjp, vmap

X = np.array([[0.5, -1.25, 2.0, 0.7], [1.5, 0.75, -0.3, 1.1], [0.1, 0.4, -0.7, 0.9]])
PLACES = np.array([0.0, 0.5, 1.7, 2.0])
NO_PAIRS = "jax takes no coordinates"

CASES = [
    Case("diff", lambda xp, x: xp.diff(x), (X,)),
    Case("second diff", lambda xp, x: xp.diff(x, n=2, axis=0), (X,)),
    Case("no diff", lambda xp, x: xp.diff(x, n=0), (X,)),
    Case("more diffs than elements", lambda xp, x: xp.diff(x, n=5), (X,)),
    Case("diff of booleans", lambda xp, b: xp.diff(b), (np.array([True, False, False]),), order=0),
    Case(
        "diff with edges",
        lambda xp, x, y: xp.diff(x, axis=0, prepend=y[:1], append=y),
        (X, X[:2]),
    ),
    Case("ediff1d", lambda xp, x: xp.ediff1d(x), (X,)),
    Case("ediff1d with ends", lambda xp, x, y: xp.ediff1d(x, to_begin=y, to_end=y[:1]), (X, X[0])),
    Case("trapezoid", lambda xp, y: xp.trapezoid(y), (X,)),
    Case("trapezoid with a width", lambda xp, y: xp.trapezoid(y, dx=0.3, axis=0), (X,)),
    Case("trapezoid over places", lambda xp, y, x: xp.trapezoid(y, x), (X, PLACES)),
    Case(
        "trapezoid over places along the first axis",
        lambda xp, y, x: xp.trapezoid(y, x, axis=0),
        (X, PLACES[:3]),
    ),
    Case("trapezoid over places for each", lambda xp, y, x: xp.trapezoid(y, x, axis=0), (X, X**3)),
    Case("unwrap", lambda xp, x: xp.unwrap(x), (4 * X,)),
    Case("unwrap along the first axis", lambda xp, x: xp.unwrap(x, axis=0, period=1.0), (X,)),
    Case("unwrap with a threshold", lambda xp, x: xp.unwrap(x, discont=5.0), (4 * X,)),
    Case("gradient", lambda xp, x: xp.gradient(x), (X,)),
    Case("gradient along an axis", lambda xp, x: xp.gradient(x, 0.3, axis=1), (X,)),
    Case(
        "gradient along two axes",
        lambda xp, x: xp.gradient(x, 0.3, 2.0, axis=(1, 0)),
        (X,),
        oracle="jax sorts axes",
    ),
    Case(
        "gradient with parabolas at the edges",
        lambda xp, x: xp.gradient(x, edge_order=2),
        (X,),
        oracle="jax has no edge_order",
    ),
    Case("gradient over places", lambda xp, x, p: xp.gradient(x, p, axis=1), (X, PLACES), oracle=NO_PAIRS),
    Case(
        "gradient over places with parabolas",
        lambda xp, x, p: xp.gradient(x, p, axis=1, edge_order=2),
        (X, PLACES),
        oracle=NO_PAIRS,
    ),
    Case(
        "gradient in its width",
        lambda xp, x, h: xp.gradient(x, h, axis=0),
        (X, np.array(0.4)),
        oracle=NO_PAIRS,
    ),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


def test_jump_of_half_a_period_keeps_its_sign() -> None:
    x = np.array([0.0, 2.0, 0.0, 4.0])
    np.testing.assert_array_equal(vjp(lambda x: np.unwrap(x, period=4), x)[0], np.unwrap(x, period=4))


def test_unwrap_passes_the_derivative_through() -> None:
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.unwrap(x) * X))(9 * X), X)


def test_gradient_keeps_the_dtype_of_the_samples() -> None:
    for spacing in (np.float64(0.5), PLACES):
        f = vjp(lambda x, spacing=spacing: np.gradient(x, spacing, axis=1), X.astype(np.float32))
        assert f[0].dtype == np.float32


def test_gradient_in_the_middle_does_not_read_the_element_itself() -> None:
    x = np.array([1.0, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(vjp(np.gradient, x)[0], np.gradient(x))


def test_unwrap_of_integers() -> None:
    x = np.array([0, 3, 1, 5, 9])
    for period in (4, 5):
        np.testing.assert_array_equal(
            vmap(lambda x, period=period: np.unwrap(x, period=period))(x[None])[0],
            np.unwrap(x, period=period),
        )


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"numpy\.diff: n must not be negative, got -1"):
        vjp(lambda x: np.diff(x, n=-1), X)
    with pytest.raises(TypeError, match=r"numpy\.ediff1d: to_begin and to_end must be of dtype float64"):
        vjp(lambda x: np.ediff1d(x, to_end=1j), X)
    with pytest.raises(ValueError, match=r"numpy\.gradient: edge_order must be 1 or 2, got 3"):
        vjp(lambda x: np.gradient(x, edge_order=3), X)
    with pytest.raises(ValueError, match=r"numpy\.gradient: each axis must have at least 2 elements, got 1"):
        vjp(np.gradient, np.ones(1))
    with pytest.raises(TypeError, match=r"numpy\.gradient: the spacings must be none, one or 2, got 3"):
        vjp(lambda x: np.gradient(x, 1.0, 2.0, 3.0), X)
    with pytest.raises(ValueError, match=r"numpy\.gradient: a spacing's coordinates must have shape \(4,\)"):
        vjp(lambda x: np.gradient(x, np.arange(3.0), axis=1), X)
