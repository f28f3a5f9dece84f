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


class Opaque(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that, like a tracer, is reached only through NumPy's two protocols and never shows a value."""

    __array__ = __bool__ = __index__ = __float__ = __iter__ = None

    def __init__(self, value):
        self.value = value
        self.shape, self.dtype, self.ndim = value.shape, value.dtype, value.ndim

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        assert "out" not in kwargs
        return conceal(getattr(ufunc, method)(*reveal(inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        return conceal(function(*reveal(args), **reveal(kwargs)))

    def __getitem__(self, index):
        return conceal(self.value[index])

    def astype(self, dtype):
        return conceal(self.value.astype(dtype))

    def reshape(self, *shape):
        return conceal(self.value.reshape(*shape))


def conceal(x):
    return tuple(map(conceal, x)) if isinstance(x, tuple) else Opaque(x)


def reveal(x):
    if isinstance(x, dict):
        return {name: reveal(value) for name, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [reveal(value) for value in x]
    return x.value if isinstance(x, Opaque) else x


ALL = {
    "split": lambda key: random.split(key, 3),
    "fold_in": lambda key: random.fold_in(key, 3),
    "bits": lambda key: random.bits(key, (2, 3), np.uint64),
    "scalar bits": lambda key: random.bits(key),
    "uniform": lambda key: random.uniform(key, (2 * BLOCK_SIZE,)),
    "uniform between": lambda key: random.uniform(key, (5,), np.float64, 0.1, 0.4),
    "randint": lambda key: random.randint(key, (2, 3), -5, 17),
    "bernoulli": lambda key: random.bernoulli(key, 0.2, (30,)),
    "rademacher": lambda key: random.rademacher(key, (30,)),
    "permutation": lambda key: random.permutation(key, np.arange(12).reshape(4, 3), independent=True),
    "permutation of a range": lambda key: random.permutation(key, 2000),
    "choice": lambda key: random.choice(key, 5, (7,)),
    "choice by probability": lambda key: random.choice(key, 5, (7,), p=P),
    "choice without replacement": lambda key: random.choice(key, MATRIX, (3,), replace=False, p=P, axis=1),
    "categorical": lambda key: random.categorical(key, LOGITS, shape=(2, 3, 4)),
    "categorical without replacement": lambda key: random.categorical(
        key, LOGITS[0, 0], shape=(3,), replace=False
    ),
    "orthogonal": lambda key: random.orthogonal(key, 3, m=4),
    "multivariate_normal": lambda key: random.multivariate_normal(key, np.zeros(3), np.eye(3)),
    "gumbel high": lambda key: random.gumbel(key, (5,), mode="high"),
    "truncated_normal": lambda key: random.truncated_normal(key, -1, 2, (5,)),
    **{
        name: lambda key, name=name: getattr(random, name)(key, shape=(5,))
        for name in ("normal", "lognormal", "exponential", "gumbel", "laplace", "logistic", "cauchy")
    },
}


@pytest.mark.parametrize("name", ALL)
def test_a_traced_key_draws_the_same(name):
    concrete, traced = ALL[name](KEY), ALL[name](Opaque(KEY))
    assert_identical(traced.value, concrete)


def test_traced_parameters_draw_the_same():
    f32 = np.float32
    seed, p, low, high = np.array(5), np.array([0.2, 0.7], f32), np.array(-2.0, f32), np.array(1.5, f32)
    for draw in (
        lambda wrap: random.key(wrap(seed)),
        lambda wrap: random.fold_in(KEY, wrap(seed)),
        lambda wrap: random.uniform(KEY, (3,), f32, wrap(low), wrap(high)),
        lambda wrap: random.truncated_normal(KEY, wrap(low), wrap(high), (3,)),
        lambda wrap: random.bernoulli(KEY, wrap(p), (9, 2)),
        lambda wrap: random.randint(KEY, (4,), 0, wrap(seed)),
        lambda wrap: random.permutation(KEY, wrap(p)),
        lambda wrap: random.choice(KEY, wrap(p), (4,), p=wrap(p)),
        lambda wrap: random.categorical(KEY, wrap(p)),
        lambda wrap: random.lognormal(KEY, wrap(high)),
    ):
        assert_identical(draw(Opaque).value, draw(lambda x: x))


BAD_KEYS = [
    (np.zeros(3), TypeError, r"got float64\[3\]; make one with random\.key\(seed\)"),
    (7, TypeError, r"got int64\[\]; make one"),
    (np.zeros(3, np.uint32), ValueError, r"got uint32\[3\]; make one"),
    (np.zeros((5, 2), np.uint32), ValueError, r"got uint32\[5,2\]; map over many keys with vmap"),
]
DRAWS = {
    "split": (),
    "fold_in": (1,),
    "bits": (),
    "uniform": (),
    "normal": (),
    "truncated_normal": (-1, 1),
    "lognormal": (),
    "bernoulli": (),
    "rademacher": (),
    "randint": ((2,), 0, 5),
    "permutation": (5,),
    "choice": (5,),
    "categorical": (LOGITS,),
    "gumbel": (),
    "exponential": (),
    "laplace": (),
    "logistic": (),
    "cauchy": (),
    "orthogonal": (3,),
    "multivariate_normal": (np.zeros(2), np.eye(2)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_not_a_key_is_refused(name):
    for key, error, text in BAD_KEYS:
        rule = rf"random\.{name}: key must be a uint32 array of shape \(2,\), {text}"
        with pytest.raises(error, match=rule):
            getattr(random, name)(key, *DRAWS[name])


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda: random.key(1.5), TypeError, r"random\.key: seed must be an integer, got float64\[\]"),
        (
            lambda: random.key(2**64),
            ValueError,
            r"seed must be in \[-2\*\*63, 2\*\*64\), got 18446744073709551616",
        ),
        (
            lambda: random.key(np.arange(3)),
            ValueError,
            r"seed must have no axes, got int64\[3\]; map over many",
        ),
        (
            lambda: random.fold_in(KEY, -1),
            ValueError,
            r"random\.fold_in: data must be in \[0, 2\*\*32\), got -1",
        ),
        (lambda: random.fold_in(KEY, 0.5), TypeError, r"data must be an integer, got float64"),
        (
            lambda: random.uniform(KEY, (2, -1)),
            ValueError,
            r"random\.uniform: shape must have no negative size",
        ),
        (
            lambda: random.uniform(KEY, 5),
            TypeError,
            r"shape must be a tuple of integers, got 5; write \(5,\)",
        ),
        (lambda: random.uniform(KEY, (2.5,)), TypeError, r"shape must be a tuple of integers, got \(2\.5,\)"),
        (
            lambda: random.split(KEY, -1),
            ValueError,
            r"random\.split: shape must have no negative size, got \(-1,\)",
        ),
        (
            lambda: random.uniform(KEY, (2,), int),
            TypeError,
            r"dtype must be float16, float32 or float64, got int64",
        ),
        (lambda: random.normal(KEY, (2,), np.int32), TypeError, r"random\.normal: dtype must be float16"),
        (
            lambda: random.bits(KEY, (2,), np.int32),
            TypeError,
            r"dtype must be an unsigned integer type, got int32",
        ),
        (
            lambda: random.rademacher(KEY, (2,), np.uint8),
            TypeError,
            r"dtype must be a signed integer or floating",
        ),
        (
            lambda: random.uniform(KEY, (2,), minval=1.0, maxval=0.5),
            ValueError,
            r"minval must be at most maxval, 0\.5",
        ),
        (
            lambda: random.uniform(KEY, (2,), minval=np.zeros(3)),
            ValueError,
            r"parameters must broadcast to shape \(2,",
        ),
        (
            lambda: random.truncated_normal(KEY, 1, 1),
            ValueError,
            r"lower must be below upper, 1\.0, got 1\.0",
        ),
        (
            lambda: random.bernoulli(KEY, 1.5),
            ValueError,
            r"random\.bernoulli: p must be in \[0, 1\], got 1\.5",
        ),
        (
            lambda: random.bernoulli(KEY, np.array([0.5, np.nan])),
            ValueError,
            r"p must be in \[0, 1\], got \[0\.5 nan\]",
        ),
        (
            lambda: random.bernoulli(KEY, np.arange(2)),
            TypeError,
            r"p must be float16, float32 or float64, got int64",
        ),
        (
            lambda: random.bernoulli(KEY, 0.5, mode="mid"),
            ValueError,
            r"mode must be 'low' or 'high', got 'mid'",
        ),
        (
            lambda: random.randint(KEY, (2,), 5, 5),
            ValueError,
            r"random\.randint: minval must be below maxval, 5, got 5",
        ),
        (
            lambda: random.randint(KEY, (2,), 0, 5.0),
            TypeError,
            r"maxval must be an integer or an integer array",
        ),
        (
            lambda: random.randint(KEY, (2,), 0, 5, float),
            TypeError,
            r"dtype must be an integer type, got float64",
        ),
        (
            lambda: random.permutation(KEY, -3),
            ValueError,
            r"random\.permutation: x must not be negative, got -3",
        ),
        (
            lambda: random.permutation(KEY, 2.5),
            TypeError,
            r"x must be an integer or an array, got float64\[\]",
        ),
        (lambda: random.permutation(KEY, [1, 2]), TypeError, r"x must be an integer or an array, got list"),
        (lambda: random.permutation(KEY, MATRIX, 2), ValueError, r"axis must be in \[-2, 2\), got 2"),
        (
            lambda: random.choice(KEY, 0),
            ValueError,
            r"random\.choice: a must have something to draw, got 0 elements",
        ),
        (
            lambda: random.choice(KEY, 3, (2, 2), replace=False),
            ValueError,
            r"shape must have at most 3 elements, got \(2, 2\); draw with replace=True",
        ),
        (lambda: random.choice(KEY, 3, p=P), ValueError, r"p must have shape \(3,\), got float32\[5\]"),
        (lambda: random.choice(KEY, 2, p=[0.5, -0.5]), ValueError, r"p must be finite and not negative, got"),
        (
            lambda: random.choice(KEY, 2, p=[0, 0]),
            ValueError,
            r"p must have at least 1 positive entries, got 0",
        ),
        (
            lambda: random.choice(KEY, 5, (5,), replace=False, p=P),
            ValueError,
            r"p must have at least 5 positive entries, got 4",
        ),
        (
            lambda: random.categorical(KEY, np.arange(3)),
            TypeError,
            r"logits must be float16, float32 or float64",
        ),
        (lambda: random.categorical(KEY, LOGITS, 3), ValueError, r"axis must be in \[-3, 3\), got 3"),
        (
            lambda: random.categorical(KEY, LOGITS, shape=(4, 4)),
            ValueError,
            r"must broadcast to shape \(4, 4\), got",
        ),
        (
            lambda: random.categorical(KEY, LOGITS[0, 0], shape=(6,), replace=False),
            ValueError,
            r"shape must start with at most 5 draws, got \(6,\)",
        ),
        (
            lambda: random.categorical(KEY, LOGITS[:1, 0], shape=(2, 4), replace=False),
            ValueError,
            r"shape must end with \(1,\), without replacement, got \(2, 4\)",
        ),
        (
            lambda: random.orthogonal(KEY, -1),
            ValueError,
            r"random\.orthogonal: shape must have no negative size",
        ),
        (lambda: random.orthogonal(KEY, 2, dtype=np.float16), TypeError, r"dtype must have at least 32 bits"),
        (
            lambda: random.multivariate_normal(KEY, np.zeros(2), np.eye(3)),
            ValueError,
            r"mean and cov must have shapes \(\.\.\., n\) and \(\.\.\., n, n\), got float64\[2\] and",
        ),
    ],
)
def test_bad_arguments_are_refused(draw, error, text):
    with pytest.raises(error, match=text):
        draw()


def test_a_traced_number_of_elements_is_refused():
    with pytest.raises(TypeError, match="a traced number cannot be the size of an array"):
        random.permutation(KEY, Opaque(np.array(5)))
