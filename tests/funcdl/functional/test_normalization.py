import jax
import numpy as np
import pytest

from funcdl import functional
from tests.funcdl.functional.oracles import assert_same, by_jax, ours
from transforms import grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [-1, (0, 2)], ids=str)
def test_standardize_equals_jax(axis, dtype):
    x = np.random.default_rng(0).normal(2, 3, size=(3, 4, 5)).astype(dtype)
    assert_same(
        ours(lambda x: functional.standardize(x, axis, epsilon=1e-3), x),
        by_jax(lambda x: jax.nn.standardize(x, axis, epsilon=1e-3), x),
        dtype,
        # JAX takes the variance as the mean of squares less the square of the mean.
        tolerance=1e-5 if dtype == "float32" else 1e-12,
    )


def test_standardize_of_equal_entries_is_zero_with_finite_derivative():
    x = np.full(4, 7.0)
    np.testing.assert_array_equal(functional.standardize(x), 0)
    assert np.isfinite(grad(lambda x: functional.standardize(x)[0])(x)).all()
