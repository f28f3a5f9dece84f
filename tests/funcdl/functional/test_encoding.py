import jax
import numpy as np
import pytest

from funcdl import functional


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_one_hot_equals_jax(shape, dtype):
    labels = np.random.default_rng(0).integers(-1, 6, shape)
    got = functional.one_hot(labels, 5, dtype=dtype)
    with jax.enable_x64(True):
        expected = np.asarray(jax.nn.one_hot(labels, 5, dtype=dtype))
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_one_hot_is_float32_by_default():
    assert functional.one_hot(np.array([0]), 2).dtype == np.float32


def test_one_hot_refuses_floats():
    with pytest.raises(TypeError, match=r"one_hot: labels must have an integer dtype, got float64; convert"):
        functional.one_hot(np.array([0.0]), 2)


@pytest.mark.parametrize(("classes", "error"), [("3", TypeError), (0, ValueError)])
def test_one_hot_refuses_other_numbers_of_classes(classes, error):
    with pytest.raises(error, match=f"one_hot: classes must be a positive integer, got {classes!r}"):
        functional.one_hot(np.array([0]), classes)
