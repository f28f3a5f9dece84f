"""Reductions of native code: vectors side by side, whatever the length, and NaN wherever it stands."""

import math

import numpy as np
import pytest

from transforms import jit, reduce_window

# One vector and less, several side by side, and what is left over after these.
LENGTHS = (1, 3, 15, 16, 17, 32, 64, 100, 129, 250, 512, 1000, 2047, 2049)
EXTREMES = {"max": np.max, "min": np.min}


def numbers(dtype, *shape):
    """Return numbers of a dtype from end to end."""
    rng = np.random.default_rng(math.prod(shape))
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "uint64", "float32", "float64"])
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_of_rows_of_any_length(name, dtype):
    arrays = [numbers(dtype, 5, n) for n in LENGTHS]
    reduce = EXTREMES[name]
    compiled = jit(lambda *xs: [reduce(x, 1) for x in xs])
    for got, x in zip(compiled(*arrays), arrays, strict=True):
        np.testing.assert_array_equal(got, reduce(x, 1), str(x.shape))


@pytest.mark.parametrize("axes", [0, 1, 2, (0, 1), (1, 2), (0, 2), None])
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_over_any_axes(name, axes):
    x = numbers("float32", 6, 7, 66)
    x[1, 2, 3], x[4, 5, 65], x[5, 6, 0] = np.nan, np.inf, -np.inf
    reduce = EXTREMES[name]
    np.testing.assert_array_equal(jit(lambda x: reduce(x, axes))(x), reduce(x, axes))
    np.testing.assert_array_equal(jit(lambda x: reduce(x, axes))(x[2:4]), reduce(x[2:4], axes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("length", [1, 17, 64, 100, 200])
def test_an_extreme_of_nan_is_nan_wherever_it_stands(length, name, dtype):
    reduce = EXTREMES[name]
    compiled = jit(lambda x: (reduce(x, 1), reduce(x, 0)))
    for nan in (np.nan, -np.nan):
        x = numbers(dtype, length, length)
        np.fill_diagonal(x, nan)
        for got in compiled(x):
            assert np.all(np.isnan(got))
    x = numbers(dtype, length, length)
    x[length // 2] = np.nan
    rows, columns = compiled(x)
    np.testing.assert_array_equal(rows, reduce(x, 1))
    assert np.all(np.isnan(columns))


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_of_infinities_and_zeros(name):
    x = np.array([np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38], np.float32)
    rows = np.stack(np.meshgrid(*[x] * 4), -1).reshape(-1, 4).repeat(5, axis=1)
    np.testing.assert_array_equal(jit(lambda x: EXTREMES[name](x, 1))(rows), EXTREMES[name](rows, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_rows_of_any_length(dtype):
    arrays = [numbers(dtype, 3, n) for n in LENGTHS]
    compiled = jit(lambda *xs: [(np.sum(x, 1), np.mean(x * x, 1), np.prod(1 + x / 64, 1)) for x in xs])
    epsilon = np.finfo(dtype).eps
    for got, x in zip(compiled(*arrays), arrays, strict=True):
        exact = x.astype(float)
        length = x.shape[1]
        sums = [math.fsum(row) for row in exact]
        np.testing.assert_allclose(got[0], sums, rtol=0, atol=epsilon * length)
        np.testing.assert_allclose(got[1], [math.fsum(row) / length for row in exact**2], rtol=20 * epsilon)
        np.testing.assert_allclose(got[2], np.prod(1 + exact / 64, 1), rtol=2 * length * epsilon)


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64"])
def test_sums_of_integers_are_exact(dtype):
    arrays = [numbers(dtype, 3, n) for n in LENGTHS]
    compiled = jit(lambda *xs: [(np.sum(x, 1), np.prod(x, 1), np.any(x > 9, 1), np.all(x, 1)) for x in xs])
    for got, x in zip(compiled(*arrays), arrays, strict=True):
        for one, expected in zip(got, (x.sum(1), x.prod(1), np.any(x > 9, 1), x.all(1)), strict=True):
            np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("name", EXTREMES)
def test_windows_give_nan_where_they_hold_one(name):
    x = numbers("float32", 2, 9, 11, 18)
    x[0, 3, 4, 5] = x[1, 8, 10, 17] = x[1, 0, 0, 0] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2]
    got = jit(lambda x: reduce_window(x, name, (1, 3, 3, 1), strides=(1, 2, 2, 1)))(x)
    np.testing.assert_array_equal(got, EXTREMES[name](windows, (-2, -1)))
