"""Initializers, against JAX where it has them, else against formulas and statistics."""

import jax
import numpy as np
import pytest

from funcdl import initializers, random

KEY = random.key(7)

CASES = [
    ("zeros", None, {}, (2, 3)),
    ("ones", None, {}, (2, 3)),
    ("constant", (-7.5,), {}, (2, 3)),
    ("constant", (np.array([1.0, 2.0, 3.0]),), {}, (2, 3)),
    ("normal", (), {}, (50, 6)),
    ("normal", (5.0,), {}, (7,)),
    ("uniform", (), {}, (50, 6)),
    ("uniform", (10.0,), {}, (7,)),
    ("truncated_normal", (), {}, (50, 6)),
    ("truncated_normal", (0.3,), {"lower": -1.0, "upper": 3.0}, (50,)),
    *(
        ("variance_scaling", (0.7, mode, distribution), {}, (10, 12))
        for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
        for distribution in ("truncated_normal", "normal", "uniform")
    ),
    *(
        (f"{name}_{distribution}", (), {}, (3, 3, 4, 8))
        for name in ("glorot", "he", "lecun")
        for distribution in ("normal", "uniform")
    ),
    ("he_normal", (), {"in_axis": (0, 1), "out_axis": (2,)}, (3, 4, 5)),
    ("lecun_uniform", (), {"in_axis": 2, "out_axis": 1, "batch_axis": 0}, (6, 4, 5)),
    ("glorot_uniform", (), {"in_axis": 0, "out_axis": 0}, (9,)),
    ("orthogonal", (), {}, (4, 4)),
    ("orthogonal", (2.0,), {}, (3, 5)),
    ("orthogonal", (), {"column_axis": 0}, (3, 2, 5)),
    ("delta_orthogonal", (), {}, (3, 2, 2)),
    ("delta_orthogonal", (0.5,), {}, (3, 4, 2, 5)),
    ("delta_orthogonal", (), {}, (1, 2, 3, 2, 2)),
]


def initial(namespace, name, args, kwargs, shape, key, dtype):
    maker = getattr(namespace, name)
    return (maker if args is None else maker(*args, **kwargs))(key, shape, dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 2e-12)])
def test_initializers_are_those_of_jax(dtype, tolerance):
    # One program for all: most of the time goes into compiling, less of it without optimization.
    def all_cases(key):
        return [initial(jax.nn.initializers, *case, key, dtype) for case in CASES]

    with jax.enable_x64(True):
        quick = {"xla_backend_optimization_level": 0}
        expected = [np.asarray(x) for x in jax.jit(all_cases, compiler_options=quick)(KEY)]
    for case, theirs in zip(CASES, expected, strict=True):
        ours = initial(initializers, *case, KEY, dtype)
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance, strict=True, err_msg=str(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_float32_is_the_default_and_is_kept(case):
    name, args, kwargs, shape = case
    maker = getattr(initializers, name)
    strong = args and [np.float64(x) if isinstance(x, float) else x for x in args]
    made = maker if args is None else maker(*strong, **kwargs)
    assert made(KEY, shape).dtype == np.float32
    assert made(KEY, shape).shape == shape


def test_identity():
    np.testing.assert_array_equal(initializers.identity(3.0)(KEY, (2, 3)), [[3, 0, 0], [0, 3, 0]])
    assert initializers.identity(np.float64(2))(KEY, (2, 2)).dtype == np.float32


def test_distributions_that_are_not_centred():
    shape = (200, 300)
    draw = initializers.normal(0.05, mean=2.0)(KEY, shape, np.float64)
    assert abs(draw.mean() - 2.0) < 1e-3
    assert abs(draw.std() - 0.05) < 1e-3
    draw = initializers.uniform(0.3, minval=-0.1)(KEY, shape)
    assert -0.1 <= draw.min() < -0.099
    assert 0.299 < draw.max() < 0.3
    assert abs(draw.mean() - 0.1) < 1e-3
    draw = initializers.truncated_normal(0.1, mean=1.0)(KEY, shape)
    assert 0.8 < draw.min() < 0.801
    assert 1.199 < draw.max() < 1.2
    assert abs(draw.std() - 0.1 * initializers.TRUNCATED_STDDEV) < 1e-3


@pytest.mark.parametrize(
    ("maker", "variance"),
    [
        (initializers.glorot_normal, 2 / (2700 + 3600)),
        (initializers.glorot_uniform, 2 / (2700 + 3600)),
        (initializers.he_normal, 2 / 2700),
        (initializers.he_uniform, 2 / 2700),
        (initializers.lecun_normal, 1 / 2700),
        (initializers.lecun_uniform, 1 / 2700),
    ],
)
def test_variances_are_the_published_ones(maker, variance):
    kernel = maker()(KEY, (3, 3, 300, 400))
    assert kernel.var() == pytest.approx(variance, rel=0.01)
    assert abs(kernel.mean()) < 1e-4


def test_delta_orthogonal_keeps_the_norm_of_each_pixel():
    kernel = initializers.delta_orthogonal()(KEY, (3, 3, 4, 6), np.float64)
    assert np.count_nonzero(kernel) == 24
    np.testing.assert_allclose(kernel[1, 1] @ kernel[1, 1].T, np.eye(4), atol=1e-12)


def test_empty_parameters():
    for maker in (initializers.normal, initializers.glorot_uniform, initializers.he_normal):
        assert maker()(KEY, (0, 5)).shape == (0, 5)
    assert initializers.orthogonal()(KEY, (0, 5)).shape == (0, 5)
    assert initializers.orthogonal()(KEY, (2, 0, 3)).shape == (2, 0, 3)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: initializers.glorot_uniform()(KEY, (5,)),
            r"initializers\.variance_scaling: shape must have the axes \[-2, -1\], got \(5,\); use another",
        ),
        (lambda: initializers.variance_scaling(0.0, "fan_in", "normal"), r"scale must be positive, got 0\.0"),
        (
            lambda: initializers.variance_scaling(1.0, "fan", "normal"),
            r"mode must be one of \('fan_in', .* got 'fan'",
        ),
        (
            lambda: initializers.variance_scaling(1.0, "fan_in", "cauchy"),
            r"distribution must be one of .* got 'cauchy'",
        ),
        (
            lambda: initializers.identity()(KEY, (2, 2, 2)),
            r"identity: shape must have two axes, got \(2, 2, 2\)",
        ),
        (
            lambda: initializers.orthogonal()(KEY, (5,)),
            r"orthogonal: shape must have two axes or more, got \(5,\)",
        ),
        (
            lambda: initializers.orthogonal(column_axis=2)(KEY, (5, 5)),
            r"orthogonal: shape must have the axis 2",
        ),
        (
            lambda: initializers.delta_orthogonal()(KEY, (5, 5)),
            r"delta_orthogonal: shape must have three to five axes",
        ),
        (
            lambda: initializers.delta_orthogonal()(KEY, (3, 5, 4)),
            r"delta_orthogonal: shape must have no more inputs than outputs, got \(3, 5, 4\)",
        ),
        (
            lambda: initializers.uniform(0.1, minval=0.2)(KEY, (3,)),
            r"random\.uniform: minval must be at most maxval",
        ),
    ],
)
def test_bad_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_wrong_key_is_refused():
    with pytest.raises(
        TypeError, match=r"random\.normal: key must be a uint32 array of shape \(2,\), got int64\[\]"
    ):
        initializers.normal()(0, (3,))
