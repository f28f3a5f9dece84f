"""Median and quantiles."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, jacobian, vjp
from transforms.errors import RefusedError

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.3]])
CUBE = np.sin(np.arange(24.0) * 5).reshape(2, 3, 4)
LEVELS = np.array([0.1, 0.55, 1.0])
METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]

CASES = [
    Case("median of an even number", lambda xp, x: xp.median(x), (X,)),
    Case("median of an odd number", lambda xp, x: xp.median(x, axis=1), (X,)),
    Case("median over two axes", lambda xp, x: xp.median(x, axis=(0, -1), keepdims=True), (CUBE,)),
    Case(
        "median of integers",
        lambda xp, n: xp.median(n),
        (np.array([3, 1, 4, 1]),),
        order=0,
        single="NumPy gives float64",
    ),
    Case("quantile", lambda xp, x: xp.quantile(x, 0.3), (X,)),
    Case("quantiles", lambda xp, x: xp.quantile(x, LEVELS, axis=1), (CUBE,), single="q is float64"),
    Case(
        "quantiles with keepdims",
        lambda xp, x: xp.quantile(x, LEVELS.reshape(3, 1), axis=(0, 2), keepdims=True),
        (CUBE,),
        single="q is float64",
        oracle=lambda x: jnp.quantile(x, LEVELS, axis=(0, 2), keepdims=True)[:, None],
    ),
    Case("percentile", lambda xp, x: xp.percentile(x, 30.0, axis=0), (X,)),
    Case("percentiles", lambda xp, x: xp.percentile(x, LEVELS * 100), (X,), single="q is float64"),
    Case("quantile in its level", lambda xp, x, q: xp.quantile(x, q, axis=1), (X, np.array([0.3, 0.8]))),
    Case(
        "quantile of integers",
        lambda xp, n: xp.quantile(n, 0.3),
        (np.array([3, 1, 4, 1]),),
        order=0,
        single="NumPy gives float64",
    ),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_methods(method: str, length: int) -> None:
    x = np.cos(np.arange(3.0 * length) * 7).reshape(length, 3)
    levels = np.array([0.0, 0.125, 0.3, 0.5, 0.75, 0.9, 1.0])
    got, pullback = vjp(lambda x: np.quantile(x, levels, axis=0, method=method), x)
    np.testing.assert_allclose(got, np.quantile(x, levels, axis=0, method=method), rtol=1e-13)
    # A quantile moves with the data, so its derivative has the sum 1.
    np.testing.assert_allclose(pullback(np.ones_like(got))[0].sum(0), [len(levels)] * 3, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dtypes_are_those_of_numpy(dtype) -> None:
    x = X.astype(dtype)
    levels = [0.3, np.array([0.3], np.float32)]
    if np.lib.NumpyVersion(np.__version__) >= "2.4.0":  # before, the type of the level did not count
        levels.append(np.float64(0.3))
    for q in levels:
        assert vjp(lambda x, q=q: np.quantile(x, q), x)[0].dtype == np.quantile(x, q).dtype


def test_nan_makes_the_result_nan() -> None:
    x = np.array([[1.0, np.nan, 0.0], [2.0, 1.0, 3.0]])
    np.testing.assert_array_equal(vjp(lambda x: np.median(x, axis=1), x)[0], [np.nan, 2])
    np.testing.assert_array_equal(
        vjp(lambda x: np.quantile(x, [0.0, 1.0], axis=1), x)[0], [[np.nan, 1], [np.nan, 3]]
    )


def test_derivatives_by_hand() -> None:
    np.testing.assert_array_equal(grad(np.median)(np.array([3.0, 1.0, 2.0])), [0, 0, 1])
    np.testing.assert_array_equal(grad(np.median)(np.array([3.0, 1.0, 2.0, 9.0])), [0.5, 0, 0.5, 0])
    # Among ties the stable order decides.
    np.testing.assert_array_equal(grad(np.median)(np.array([1.0, 1.0, 1.0])), [0, 1, 0])
    np.testing.assert_allclose(
        jacobian(lambda x: np.quantile(x, [0.25]))(np.array([2.0, 0.0, 1.0])), [[0, 0.5, 0.5]]
    )


def test_infinite_middle_elements() -> None:
    assert vjp(np.median, np.array([np.inf, np.inf, 0.0, np.inf]))[0] == np.inf


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"numpy\.quantile: q must lie in \[0, 1\], got 1.5"):
        vjp(lambda x: np.quantile(x, 1.5), X)
    with pytest.raises(ValueError, match=r"numpy\.percentile: q must lie in \[0, 100\], got -1"):
        vjp(lambda x: np.percentile(x, -1), X)
    with pytest.raises(ValueError, match=r"numpy\.quantile: method must be one of .*linear.*, got 'cubic'"):
        vjp(lambda x: np.quantile(x, 0.5, method="cubic"), X)
    with pytest.raises(RefusedError, match=r"numpy\.quantile: weights must not be given"):
        vjp(lambda x: np.quantile(x, 0.5, method="inverted_cdf", weights=np.ones((2, 3))), X)
    with pytest.raises(ValueError, match=r"numpy\.median: the reduced axes must have at least one element"):
        vjp(np.median, np.zeros(0))
    with pytest.raises(TypeError, match=r"numpy\.median: the array must be real, got complex128"):
        vjp(np.median, np.zeros(2, complex))
