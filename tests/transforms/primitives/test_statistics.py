"""Means, variances and averages."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, jacobian, stage, vjp

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.3]])
CUBE = np.linspace(-1.0, 1.3, 24).reshape(2, 3, 4)
COMPLEX = np.array([[0.5 + 1j, -1.0 - 0.2j], [0.3 - 2j, 1.5 + 0.1j]])
MASK = np.array([[True, False, True], [False, True, True]])
WEIGHTS = np.array([0.2, 0.5, 1.1])

CASES = [
    Case("mean", lambda xp, x: xp.mean(x), (X,)),
    Case("mean of a 0-d array", lambda xp, x: xp.mean(x), (np.array(2.0),)),
    Case("mean over an axis", lambda xp, x: x.mean(axis=-1, keepdims=True), (CUBE,)),
    Case("mean over two axes", lambda xp, x: xp.mean(x, axis=(0, 2)), (CUBE,)),
    Case("mean where", lambda xp, x: xp.mean(x, axis=0, where=MASK), (X,)),
    Case("mean of complex numbers", lambda xp, x: xp.mean(x, axis=1), (COMPLEX,)),
    Case(
        "mean of integers",
        lambda xp, n: xp.mean(n, axis=0),
        (np.arange(6).reshape(2, 3),),
        order=0,
        single="NumPy gives float64",
    ),
    Case("var", lambda xp, x: xp.var(x), (X,)),
    Case("var over an axis", lambda xp, x: xp.var(x, axis=1, ddof=1, keepdims=True), (CUBE,)),
    Case("var with a correction", lambda xp, x: xp.var(x, axis=1, correction=1), (CUBE,)),
    Case("var where", lambda xp, x: xp.var(x, axis=1, where=MASK), (X,)),
    Case("var of complex numbers", lambda xp, x: xp.var(x, axis=0), (COMPLEX,), order=1),
    Case("var of integers", lambda xp, n: xp.var(n), (np.arange(6),), order=0, single="NumPy gives float64"),
    Case(
        "var around a given mean",
        lambda xp, x, m: xp.var(x, axis=0, mean=m),
        (X, X.mean(0, keepdims=True) + 0.1),
        oracle=lambda x, m: jnp.mean((x - m) ** 2, axis=0),
    ),
    Case("std", lambda xp, x: xp.std(x), (X,)),
    Case("std over an axis", lambda xp, x: x.std(axis=0, ddof=1), (CUBE,)),
    Case("std with a correction", lambda xp, x: xp.std(x, axis=(0, 1), correction=1), (CUBE,)),
    Case("average", lambda xp, x: xp.average(x, axis=1), (X,)),
    Case("average with its count", lambda xp, x: xp.average(x, axis=1, returned=True), (X,)),
    Case("weighted average", lambda xp, x, w: xp.average(x, axis=1, weights=w), (X, WEIGHTS)),
    Case("weighted average of all", lambda xp, x, w: xp.average(x, weights=w), (X, X**2)),
    Case(
        "weighted average with its weight",
        lambda xp, x, w: xp.average(x, axis=1, weights=w, returned=True),
        (X, WEIGHTS),
    ),
    Case(
        "weighted average over two axes",
        lambda xp, x, w: xp.average(x, axis=(2, 0), weights=w, keepdims=True),
        (CUBE, CUBE[:, 0].T + 2),
        oracle=lambda x, w: jnp.sum(x * w.T[:, None], axis=(0, 2), keepdims=True) / jnp.sum(w),
    ),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


def test_mean_is_two_operations() -> None:
    names = [equation.primitive.name for equation in stage(lambda x: np.mean(x, axis=0))(X).equations]
    assert names == ["sum", "divide"]


def test_mean_of_float16_does_not_overflow() -> None:
    x = np.full(3000, 60.0, np.float16)
    out, pullback = vjp(np.mean, x)
    assert out.dtype == np.float16
    assert out == np.float16(60)
    assert pullback(np.float16(1))[0].dtype == np.float16


def test_spread_of_equal_values_has_derivative_zero() -> None:
    x = np.full((2, 3), 1.5)
    for function in (np.std, np.var):
        np.testing.assert_array_equal(grad(function)(x), np.zeros((2, 3)))
        np.testing.assert_array_equal(
            jacobian(lambda x, function=function: function(x, axis=1, ddof=1))(x), np.zeros((2, 2, 3))
        )


def test_std_derivative_by_hand() -> None:
    # (x - mean) / (n std), of 1, 2, 3.
    np.testing.assert_allclose(
        grad(np.std)(np.array([1.0, 2.0, 3.0])), np.array([-1, 0, 1]) / (3 * (2 / 3) ** 0.5)
    )


def test_weights_must_fit() -> None:
    with pytest.raises(ValueError, match=r"numpy\.average: weights must have the shape of the averaged axes"):
        vjp(lambda x: np.average(x, axis=1, weights=np.ones(2)), X)
    with pytest.raises(TypeError, match=r"numpy\.average: axis must be given if weights have another shape"):
        vjp(lambda x: np.average(x, weights=np.ones(3)), X)


def test_weights_must_not_cancel() -> None:
    with pytest.raises(ZeroDivisionError, match=r"numpy\.average: the weights must not have the sum 0"):
        vjp(lambda x: np.average(x, axis=0, weights=np.array([1.0, -1.0])), X)


@pytest.mark.parametrize("function", [np.mean, np.var, np.std])
def test_out_is_refused(function) -> None:
    with pytest.raises(TypeError, match=r"out= must not be given with a traced operand"):
        vjp(lambda x: function(x, axis=0, out=np.zeros(3)), X)
