"""Choices obey the laws; ties share the derivative."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, stage, vjp, vmap

X = np.array([0.7, -1.3, 0.4])
Y = np.array([1.9, -1.6, 0.3])
MASK = np.array([True, False, True])
NAN = np.nan
ODD = np.array([NAN, np.inf, -np.inf, 2.5])

CASES = [
    Case("where", lambda xp, x, y: xp.where(x > 0.5, x * y, y), (X, Y)),
    Case("where broadcasts", lambda xp, m, x, y: xp.where(m, x, y), (MASK, X[:, None], np.array(2.5))),
    Case("where with numbers", lambda xp, x: xp.where(x > 0, x, 0.0), (X,)),
    Case("where of integers", lambda xp, n, x: xp.where(n, x, 1), (np.array([0, 2, -1]), X)),
    Case("where complex", lambda xp, m, x: xp.where(m, x, 1j), (MASK, X)),
    Case("maximum", lambda xp, x, y: xp.maximum(x, y), (X, Y)),
    Case("minimum", lambda xp, x, y: xp.minimum(x, y), (X, Y[:, None])),
    Case("maximum at a tie", lambda xp, x, y: xp.maximum(x, y), (X, X), order=1),
    Case("minimum at a tie", lambda xp, x, y: xp.minimum(x, y), (X, X), order=1),
    Case("relu", lambda xp, x: xp.maximum(x, 0), (X,)),
    Case("relu from the left", lambda xp, x: xp.maximum(0.0, x), (X,)),
    Case("minimum with zero", lambda xp, x: xp.minimum(x, 0), (X,)),
    Case("fmax", lambda xp, x, y: xp.fmax(x, y), (X[:2], Y[:2])),
    Case("fmin", lambda xp, x, y: xp.fmin(x, y), (X[:2], Y[:2])),
    Case("clip", lambda xp, x: xp.clip(x, -1.0, 0.5), (X,)),
    Case("clip below", lambda xp, x: xp.clip(x, 0.5, None), (X,)),
    Case("clip by keyword", lambda xp, x: xp.clip(x, max=0.5), (X,)),
    Case("clip by arrays", lambda xp, x, low, high: xp.clip(x, low, high), (X, X - Y, X + 0.2)),
    Case("clip method", lambda xp, x: x.clip(-1.0, 0.5), (X,)),
    Case(
        "nan_to_num",
        lambda xp, x: xp.nan_to_num(xp.where(x > 0, x, np.inf), posinf=3.0, neginf=-3.0),
        (X,),
    ),
    Case("nan_to_num of integers", lambda xp, n: xp.nan_to_num(n), (np.arange(3),), order=0),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.fmax, np.fmin])
@pytest.mark.parametrize("value", [0.0, 2.0, np.inf, -np.inf])
def test_ties_share_equally(function, value):
    assert grad(function, argnums=(0, 1))(value, value) == (0.5, 0.5)


def test_the_kink_of_relu():
    x = np.array([-2.0, 0.0, 3.0, np.inf, -np.inf], np.float32)
    for function in (lambda x: np.maximum(x, 0), lambda x: np.maximum(0.0, x)):
        gradient = grad(lambda x, f=function: np.sum(f(x)))(x)
        np.testing.assert_array_equal(gradient, [0.0, 0.5, 1.0, 1.0, 0.0])
        assert gradient.dtype == np.float32
    np.testing.assert_array_equal(
        hessian(lambda x: np.sum(np.maximum(x, 0) ** 2))(x[:3]).diagonal(), [0, 0.5, 2]
    )


def test_a_number_wins_over_nan():
    for function in (np.fmax, np.fmin):
        assert grad(function, argnums=(0, 1))(NAN, 1.0) == (0.0, 1.0)
        assert grad(function, argnums=(0, 1))(1.0, NAN) == (1.0, 0.0)


def test_clip_shares_with_its_bounds():
    x = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.clip(x, -1.0, 1.0)))(x), [0.5, 1.0, 0.5])


def test_what_is_not_numbers_becomes_a_constant():
    out, pullback = vjp(np.nan_to_num, ODD)
    np.testing.assert_array_equal(out, np.nan_to_num(ODD))
    np.testing.assert_array_equal(pullback(np.ones(4))[0], [0.0, 0.0, 0.0, 1.0])
    z = np.array([NAN + 1j, 2.0 - np.inf * 1j])
    np.testing.assert_array_equal(vjp(np.nan_to_num, z)[0], np.nan_to_num(z))
    assert vjp(np.nan_to_num, ODD.astype(np.float32))[0].dtype == np.float32
    with pytest.raises(TypeError, match="copy must be True, got False"):
        vjp(lambda x: np.nan_to_num(x, copy=False), ODD)


def test_an_untaken_branch_contributes_zero_times_its_derivative():
    x = np.array([0.0, 4.0])

    def doubled(x):
        safe = np.where(x > 0, x, 1.0)
        return np.sum(np.where(x > 0, np.sqrt(safe), 0.0))

    np.testing.assert_array_equal(grad(doubled)(x), [0.0, 0.25])
    with np.errstate(all="ignore"):
        naive = grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
    assert np.isnan(naive[0])


def test_where_on_lists_and_traced_conditions():
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(np.where([True, False, True], x, 0.0)))(X), [1.0, 0.0, 1.0]
    )
    assert grad(lambda c: np.where(c, 2.0, 3.0) + 0.0 * c)(1.0) == 0.0
    np.testing.assert_array_equal(vmap(lambda m, x: np.where(m, x, 0.0))(MASK, X), np.where(MASK, X, 0.0))
    assert "where" in str(stage(lambda m: np.where(m, 1.0, 2.0))(MASK))
