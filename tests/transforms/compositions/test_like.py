"""NumPy's own way to make arrays of traced numbers: ``like=``."""

import numpy as np
import pytest

from transforms import grad, vjp

X = np.array([0.5, 2.0])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: np.array([x, 2 * x], like=x), [X, 2 * X]),
        (lambda x: np.array([x[0], 1.0], ndmin=2, like=x), [[0.5, 1.0]]),
        (lambda x: np.array(x, np.float32, like=x), X),
        (lambda x: np.asarray([x[0], x[1]], like=x), X),
        (lambda x: np.asanyarray((x[0], x[1]), like=x), X),
        (lambda x: np.ascontiguousarray([x, x], like=x), [X, X]),
        (lambda x: np.asfortranarray([x, x], like=x), [X, X]),
        (lambda x: np.require(x, requirements="C", like=x), X),
        (lambda x: np.full((2, 2), x, like=x), [X, X]),
        (lambda x: np.arange(x[0], x[1], x[0], like=x), [0.5, 1.0, 1.5]),
    ],
)
def test_values_and_derivatives(function, expected):
    got, pullback = vjp(function, X)
    np.testing.assert_array_equal(got, expected)
    assert np.any(pullback(np.ones_like(got))[0] != 0)


@pytest.mark.parametrize("name", ["zeros", "ones", "empty", "identity", "eye", "tri"])
def test_what_takes_no_numbers_is_plain(name):
    seen = []

    def f(x):
        seen.append(getattr(np, name)(3, dtype=np.float32, like=x))
        return np.sum(x)

    grad(f)(X)
    assert isinstance(seen[0], np.ndarray)
    assert seen[0].dtype == np.float32
    if name != "empty":
        np.testing.assert_array_equal(seen[0], getattr(np, name)(3))


def test_fromfunction_calls_the_function():
    gradient = grad(lambda x: np.sum(np.fromfunction(lambda i: i * x[1], (4,), like=x)))(X)
    np.testing.assert_array_equal(gradient, [0.0, 6.0])
