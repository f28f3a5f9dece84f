"""What functions of random numbers refuse: wrong keys, shapes, dtypes and parameters."""

import numpy as np
import pytest

from funcdl import random

KEY = np.array([12, 2**32 - 3], np.uint32)
P = np.array([0.1, 0.0, 0.5, 0.15, 0.25], np.float32)
MATRIX = np.arange(20, dtype=np.int16).reshape(4, 5)
LOGITS = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)

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
