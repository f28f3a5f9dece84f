"""Random numbers, against JAX: equal bit by bit, or to rounding after a transcendental function."""

import math

import jax
import numpy as np
import pytest
from scipy import special

from funcdl import random
from funcdl.random.threefry import BLOCK_SIZE, threefry2x32

KEY = np.array([12, 2**32 - 3], np.uint32)


# Compiling takes most of the time of this file; without optimization it takes a third.
QUICK = {"xla_backend_optimization_level": 0}


def oracle(name, *args, wide=False, compiler_options=QUICK, **kwargs):
    """Call `jax.random.<name>` with the common key, with 64-bit types if wide.

    Arrays are arguments of the program, because XLA folds constants with other rounding errors.
    """
    arrays = {str(where): x for where, x in (*enumerate(args), *kwargs.items()) if isinstance(x, np.ndarray)}

    def draw(key, arrays):
        positional = [arrays.get(str(where), x) for where, x in enumerate(args)]
        named = {where: arrays.get(where, x) for where, x in kwargs.items()}
        return getattr(jax.random, name)(key, *positional, **named)

    with jax.enable_x64(wide):
        return np.asarray(jax.jit(draw, compiler_options=compiler_options)(KEY, arrays))


def direct_oracle(name, *args):
    """Call `jax.random.<name>` as users do: optimized, so that XLA fuses a multiplication and an addition.

    The functions that are used with this one take their bounds as arguments of one compiled program.
    """
    with jax.enable_x64(True):
        return np.asarray(getattr(jax.random, name)(KEY, *args))


def assert_identical(ours, theirs):
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs, strict=np.ndim(theirs) > 0)


# The known answers that the authors of Threefry publish with Random123.
@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_answers(key, counter, answer):
    as_vectors = [np.array([word], np.uint32) for word in (*key, *counter)]
    words = threefry2x32(*as_vectors)
    assert (int(words[0][0]), int(words[1][0])) == answer
    assert threefry2x32(*key, *counter, lambda word: word & 0xFFFFFFFF) == answer


@pytest.mark.parametrize("seed", [0, 1, 2**31 + 5, 2**32 - 1])
def test_keys_are_jax_keys(seed):
    assert_identical(random.key(seed), np.asarray(jax.random.PRNGKey(seed)))


@pytest.mark.parametrize(
    "seed", [-1, -(2**63), 2**40 + 7, 2**63 - 1, np.int32(-5), np.array(2**35), np.uint8(200)]
)
def test_seeds_of_64_bits_and_arrays_give_the_keys_of_jax_with_wide_types(seed):
    with jax.enable_x64(True):
        expected = np.asarray(jax.random.PRNGKey(seed))
    assert_identical(random.key(seed), expected)


@pytest.mark.parametrize("num", [1, 2, 0, 7, (2, 3)])
def test_split(num):
    assert_identical(random.split(KEY, num), oracle("split", num))


@pytest.mark.parametrize("data", [0, 1, 2**32 - 1, np.int32(-1), np.array(77, np.uint8), np.int64(2**33 + 1)])
def test_fold_in(data):
    assert_identical(random.fold_in(KEY, data), direct_oracle("fold_in", data))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((), np.uint32),
        ((5, 0), np.uint8),
        ((3,), np.uint64),
        *(((2, BLOCK_SIZE + 3), dtype) for dtype in (np.uint8, np.uint16, np.uint32, np.uint64)),
    ],
)
def test_bits(shape, dtype):
    assert_identical(random.bits(KEY, shape, dtype), oracle("bits", shape, dtype, wide=True))


def test_blocks_and_scalars_draw_the_same_numbers():
    long = random.bits(KEY, (2 * BLOCK_SIZE + 1,))
    for size in (0, 1, 4, 5, BLOCK_SIZE, BLOCK_SIZE + 1):
        np.testing.assert_array_equal(random.bits(KEY, (size,)), long[:size])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_uniform(dtype):
    draw = random.uniform(KEY, (4, 500), dtype)
    assert_identical(draw, oracle("uniform", (4, 500), dtype, wide=True))
    assert draw.min() >= 0
    assert draw.max() < 1
    assert random.uniform(KEY, dtype=dtype).shape == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("minval", "maxval"),
    [(-1, 1), (0.1, 0.7), (-0.3, 5.0), (1e-3, 1.0), (2.0, 2.0), (np.float64(-7.7), 1e5)],
)
def test_uniform_between_bounds(dtype, minval, maxval):
    draw = random.uniform(KEY, (3000,), dtype, minval, maxval)
    assert_identical(draw, direct_oracle("uniform", (3000,), dtype, dtype(minval), dtype(maxval)))


def test_uniform_between_arrays_of_bounds():
    minval, maxval = np.linspace(-3, 0, 4), np.array([[0.3], [0.9], [7.1]])
    for dtype in (np.float32, np.float64):
        bounds = minval.astype(dtype), maxval.astype(dtype)
        draw = random.uniform(KEY, (3, 4), dtype, *bounds)
        assert_identical(draw, direct_oracle("uniform", (3, 4), dtype, *bounds))


RANGES = [
    (0, 10, np.int32),
    (-5, 6, np.int32),
    (-(2**31), 2**31, np.int32),
    (-7, 2**31 - 1, np.int32),
    (3, 2**40, np.int32),
    (0, 2**32, np.uint32),
    (7, 2**32, np.uint32),
    (0, 256, np.uint8),
    (-300, 300, np.int8),
    (5, 60000, np.uint16),
    (-100, 100, np.int16),
    (0, 10**15, np.int64),
    (-(2**63), 2**63 - 1, np.int64),
    (3, 2**63 - 1, np.uint64),
]


@pytest.mark.parametrize(("minval", "maxval", "dtype"), RANGES)
def test_randint(minval, maxval, dtype):
    draw = random.randint(KEY, (400,), minval, maxval, dtype)
    assert_identical(draw, direct_oracle("randint", (400,), minval, maxval, dtype))


def test_randint_of_the_full_range_is_the_bits():
    bits = random.bits(random.split(KEY)[1], (50,), np.uint64)
    assert_identical(random.randint(KEY, (50,), 0, 2**64, np.uint64), bits)
    assert_identical(random.randint(KEY, (50,), -(2**63), 2**63, np.int64), (bits ^ 2**63).view(np.int64))


@pytest.mark.parametrize(
    ("dtype", "bounds_dtype"), [(np.int32, np.int8), (np.int32, np.uint64), (np.uint8, np.int64)]
)
def test_randint_between_arrays_of_bounds(dtype, bounds_dtype):
    minval, maxval = np.array([0, 3, 100], bounds_dtype), np.array([[1], [101], [127]], bounds_dtype)
    minval = np.minimum(minval, maxval - 1)
    draw = random.randint(KEY, (3, 3), minval, maxval, dtype)
    assert_identical(draw, direct_oracle("randint", (3, 3), minval, maxval, dtype))


def test_randint_without_axes():
    assert_identical(random.randint(KEY, (), 0, 1000), oracle("randint", (), 0, 1000))


def test_bernoulli():
    assert_identical(random.bernoulli(KEY, shape=(300,)), oracle("bernoulli", shape=(300,)))
    assert_identical(random.bernoulli(KEY, 0.3, (7, 100)), oracle("bernoulli", 0.3, (7, 100)))
    assert_identical(random.bernoulli(KEY, 0.3, (900,), "high"), oracle("bernoulli", 0.3, (900,), "high"))
    p = np.linspace(0, 1, 50)
    assert_identical(random.bernoulli(KEY, p), oracle("bernoulli", p, wide=True))
    p = p.astype(np.float32)
    assert_identical(random.bernoulli(KEY, p, (20, 50)), oracle("bernoulli", p, (20, 50)))
    assert not random.bernoulli(KEY, 0, (100,)).any()
    assert random.bernoulli(KEY, 1, (100,)).all()


@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.float32])
def test_rademacher(dtype):
    assert_identical(random.rademacher(KEY, (100,), dtype), oracle("rademacher", (100,), dtype))


@pytest.mark.parametrize("n", [0, 1, 2, 300, 5000])
def test_permutation_of_a_range(n):
    assert_identical(random.permutation(KEY, n), oracle("permutation", n))


def test_permutation_of_an_array():
    x = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    assert_identical(random.permutation(KEY, x[0]), oracle("permutation", x[0]))
    for axis in (0, -1):
        assert_identical(random.permutation(KEY, x, axis), oracle("permutation", x, axis))
        shuffled = random.permutation(KEY, x, axis, independent=True)
        assert_identical(shuffled, oracle("permutation", x, axis, independent=True))
    assert_identical(x, np.arange(24.0, dtype=np.float32).reshape(4, 6))


P = np.array([0.1, 0.0, 0.5, 0.15, 0.25], np.float32)
MATRIX = np.arange(20, dtype=np.int16).reshape(4, 5)


@pytest.mark.parametrize(
    ("a", "options"),
    [
        (5, {}),
        (np.int64(5), {"shape": (3, 50)}),
        (5, {"shape": (5,), "replace": False}),
        (5, {"shape": (200,), "p": P}),
        (5, {"shape": (4,), "replace": False, "p": P}),
        (5, {"shape": (4,), "replace": False, "p": P, "mode": "high"}),
        (MATRIX, {"shape": (2, 3), "axis": 1}),
        (MATRIX, {"shape": (3,), "replace": False, "axis": -1}),
        (MATRIX, {"shape": (2, 3), "axis": 1, "p": P}),
    ],
)
def test_choice(a, options):
    assert_identical(random.choice(KEY, a, **options), oracle("choice", a, **options))


@pytest.mark.parametrize(("dtype", "wide"), [(np.float32, False), (np.float64, True)])
def test_choice_by_many_probabilities(dtype, wide):
    # So many that the order of summation shows in the last bits of the cumulative probabilities.
    p = np.random.default_rng(0).random(5000).astype(dtype)
    ours = random.choice(KEY, 5000, (20000,), p=p)
    np.testing.assert_array_equal(ours, oracle("choice", 5000, (20000,), p=p, wide=wide))
    assert ours.dtype == np.int32


def test_choice_of_nothing():
    assert random.choice(KEY, 0, (0, 3)).shape == (0, 3)
    assert random.choice(KEY, MATRIX, (0,), axis=1).shape == (4, 0)


LOGITS = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": 0},
        {"axis": 1, "shape": (6, 3, 5)},
        {"mode": "high"},
        {"axis": -1, "shape": (2, 2, 3, 4)},
        {"axis": 1, "shape": (4, 3, 5), "replace": False},
        {"axis": -1, "replace": False},
    ],
)
def test_categorical(options):
    assert_identical(random.categorical(KEY, LOGITS, **options), oracle("categorical", LOGITS, **options))


def test_lists_count_as_float32():
    p, logits = [0.2, 0.3, 0.5], [0.0, 1.0, 2.0]
    expected = oracle("choice", 3, (50,), p=np.array(p, np.float32))
    assert_identical(random.choice(KEY, 3, (50,), p=p), expected)
    expected = oracle("categorical", np.array(logits, np.float32), shape=(50,))
    assert_identical(random.categorical(KEY, logits, shape=(50,)), expected)


def test_categorical_never_draws_the_impossible():
    logits = np.array([0.0, -np.inf, 1.0])
    drawn = random.categorical(KEY, logits, shape=(1000,))
    assert set(drawn.tolist()) == {0, 2}
    np.testing.assert_array_equal(drawn, oracle("categorical", logits, shape=(1000,), wide=True))


DISTRIBUTIONS = [
    ("normal", (), {}),
    ("truncated_normal", (-2.0, 2.0), {}),
    ("truncated_normal", (-0.5, 4.0), {}),
    ("lognormal", (0.7,), {}),
    ("exponential", (), {}),
    ("gumbel", (), {}),
    ("gumbel", (), {"mode": "high"}),
    ("laplace", (), {}),
    ("logistic", (), {}),
    ("cauchy", (), {}),
]


@pytest.mark.parametrize(("name", "parameters", "options"), DISTRIBUTIONS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float32, 1e-5, 5e-7), (np.float64, 2e-12, 1e-14)])
def test_continuous_distributions(name, parameters, options, dtype, rtol, atol):
    options = {"shape": (3, 2000), "dtype": dtype, **options}
    ours = getattr(random, name)(KEY, *parameters, **options)
    assert ours.dtype == dtype
    theirs = oracle(name, *parameters, wide=True, **options)
    np.testing.assert_allclose(ours, theirs, rtol, atol, strict=True)


@pytest.mark.parametrize("name", ["normal", "gumbel", "cauchy"])
def test_half_precision_is_kept(name):
    draw = getattr(random, name)(KEY, (50,), np.float16)
    assert draw.dtype == np.float16
    assert np.all(np.isfinite(draw))
    theirs = oracle(name, (50,), np.float16)
    np.testing.assert_allclose(draw, theirs, 1e-2, 5e-3)


def test_normal_is_the_quantile_within_a_few_units_in_the_last_place():
    above_minus_one = np.nextafter(np.float32(-1), np.float32(0))
    u = random.uniform(KEY, (100000,), minval=above_minus_one, maxval=1.0)
    exact = math.sqrt(2) * special.erfinv(u.astype(np.float64))
    draw = random.normal(KEY, (100000,))
    assert np.max(np.abs(draw - exact) / np.spacing(np.abs(draw))) < 4


@pytest.mark.parametrize(("dtype", "rtol"), [(np.complex64, 1e-5), (np.complex128, 2e-12)])
def test_complex_normal(dtype, rtol):
    theirs = oracle("normal", (300,), dtype, wide=True)
    np.testing.assert_allclose(random.normal(KEY, (300,), dtype), theirs, rtol, strict=True)


def test_truncated_normal_stays_inside_and_takes_arrays_of_bounds():
    lower, upper = np.array([-1.0, 0.0, 6.0], np.float32), np.array([[0.5], [0.1], [9.0]], np.float32)
    lower = np.minimum(lower, upper - 0.05).astype(np.float32)
    draw = random.truncated_normal(KEY, lower, upper)
    assert draw.shape == (3, 3)
    assert np.all((lower < draw) & (draw < upper))
    np.testing.assert_allclose(draw, oracle("truncated_normal", lower, upper), 1e-4, 1e-5)


@pytest.mark.parametrize(
    ("n", "shape", "m", "dtype"),
    [
        (4, (), None, np.float32),
        (3, (2,), 5, np.float64),
        (5, (), 3, np.float32),
        (3, (), None, np.complex64),
    ],
)
def test_orthogonal(n, shape, m, dtype):
    draw = random.orthogonal(KEY, n, shape, dtype, m)
    theirs = oracle("orthogonal", n, shape, dtype, m, wide=True)
    np.testing.assert_allclose(draw, theirs, atol=2e-5, strict=True)


def test_multivariate_normal():
    factor = np.random.default_rng(2).normal(size=(3, 3))
    mean, cov = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 5.0]]), factor @ factor.T
    for arguments in [(mean, cov), (mean[0], cov, (4, 7)), (mean, cov, (6, 2))]:
        theirs = oracle("multivariate_normal", *arguments, wide=True)
        np.testing.assert_allclose(random.multivariate_normal(KEY, *arguments), theirs, 1e-11, strict=True)
