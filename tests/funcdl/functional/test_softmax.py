"""softmax, log_softmax and logsumexp against JAX, and with infinite and large logits."""

import functools

import jax
import numpy as np
import pytest
import scipy.special

from funcdl import functional
from tests.funcdl.functional.oracles import assert_same, by_jax, ours, table_by_jax
from transforms import eval_shape, grad, type_of, vmap

FUNCTIONS = {
    "softmax": (functional.softmax, jax.nn.softmax),
    "log_softmax": (functional.log_softmax, jax.nn.log_softmax),
    "logsumexp": (functional.logsumexp, jax.nn.logsumexp),
}
X = np.random.default_rng(0).normal(size=(3, 4, 5)) * 3
inf = np.inf

AXES = (-1, 1, (0, 2))

every_function = pytest.mark.parametrize("name", FUNCTIONS)


@functools.cache
def jax_results(dtype):
    return table_by_jax(
        {
            (name, str(axis)): functools.partial(theirs, axis=axis)
            for name, (_, theirs) in FUNCTIONS.items()
            for axis in AXES
        },
        X.astype(dtype),
    )


@every_function
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_equals_jax(name, axis, dtype):
    f, x = FUNCTIONS[name][0], X.astype(dtype)
    assert_same(ours(lambda x: f(x, axis), x), jax_results(dtype)[name, str(axis)], dtype)


@every_function
def test_large_and_missing_logits_equal_jax(name):
    f, theirs = FUNCTIONS[name]
    x = np.array([[1000.0, 999.0, -1000.0], [-inf, 0.0, 1.0], [-1e30, -1e30, -inf]])
    assert_same(ours(lambda x: f(x, -1), x), by_jax(lambda x: theirs(x, -1), x), "float64")


@every_function
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_keeps_dtype(name, dtype):
    assert FUNCTIONS[name][0](np.ones((2, 3), dtype)).dtype == dtype


@every_function
def test_types_and_batches(name):
    f, x = FUNCTIONS[name][0], X.astype(np.float32)
    y = f(x, -1)
    assert eval_shape(lambda x: f(x, -1), type_of(x)) == type_of(y)
    np.testing.assert_allclose(vmap(lambda x: f(x, -1))(x), y, rtol=1e-6)


@every_function
def test_no_rows(name):
    f = FUNCTIONS[name][0]
    assert f(np.zeros((0, 3)), -1).shape == ((0,) if name == "logsumexp" else (0, 3))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("row", [[-inf, -inf], [inf, 1.0]], ids=str)
def test_rows_without_a_distribution_are_nan_as_in_jax(name, row):
    f, theirs = FUNCTIONS[name]
    with np.errstate(invalid="ignore"):
        got = f(np.array([row, [0.0, 0.0]]))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(theirs(np.array([row, [0.0, 0.0]]))))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)], ids=str)
def test_logsumexp_equals_scipy(axis, keepdims):
    got = functional.logsumexp(X, axis, keepdims=keepdims)
    expected = scipy.special.logsumexp(X, axis, keepdims=keepdims)
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_logsumexp_of_infinities():
    x = np.array([[-inf, -inf], [inf, 0.0], [inf, -inf]])
    np.testing.assert_array_equal(functional.logsumexp(x, 1), [-inf, inf, inf])


def test_logsumexp_of_nothing_has_derivative_zero():
    x = np.array([[-inf, -inf], [0.0, 0.0]])
    gradient = grad(
        lambda x: functional.logsumexp(x, 1)[1] + 0.0 * np.sum(np.exp(functional.logsumexp(x, 1)))
    )
    np.testing.assert_array_equal(gradient(x), [[0, 0], [0.5, 0.5]])


@every_function
def test_second_derivative_equals_jax(name):
    f, theirs = FUNCTIONS[name]
    got = ours(grad(lambda x: np.sum(np.sin(f(x, -1)))), X[0])
    expected = by_jax(jax.grad(lambda x: jax.numpy.sin(theirs(x, -1)).sum()), X[0])
    assert_same(got, expected, "float64")
