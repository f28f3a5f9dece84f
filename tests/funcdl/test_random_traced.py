"""Random numbers of keys and parameters that are traced are those of plain arrays."""

import numpy as np
import pytest

from funcdl import random
from funcdl.random.threefry import BLOCK_SIZE

KEY = np.array([12, 2**32 - 3], np.uint32)
P = np.array([0.1, 0.0, 0.5, 0.15, 0.25], np.float32)
MATRIX = np.arange(20, dtype=np.int16).reshape(4, 5)
LOGITS = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)


def assert_identical(ours, theirs):
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs, strict=np.ndim(theirs) > 0)


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


def test_a_traced_number_of_elements_is_refused():
    with pytest.raises(TypeError, match="a traced number cannot be the size of an array"):
        random.permutation(KEY, Opaque(np.array(5)))
