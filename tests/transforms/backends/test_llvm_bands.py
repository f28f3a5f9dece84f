"""Bands of native code: units that run together never read what another unit still has to write."""

import random

import numpy as np
import pytest

from transforms import conv, get_threads, jit, reduce_window, set_threads, stage
from transforms.backends.llvm import bands
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.schedule import make_schedule
from transforms.graph.passes import optimize

ROWS, COLUMNS = 24, 48


@pytest.fixture
def eager_bands(monkeypatch):
    """Make bands of whatever may run together, however small it is."""
    small = {"_UNIT_BYTES": 1 << 9, "_UNIT_ROWS": 2, "_COLUMNS": 4}
    worth_it = {"_WORTH_THREADS": 0.0, "_AT_ONCE": 0.0, "_COARSEST": 1 << 12}
    for name, value in {**small, **worth_it}.items():
        monkeypatch.setattr(bands, name, value)
    monkeypatch.setenv("FUNCDL_CACHE", "0")


def matrix(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def in_parts(x, parts):
    """Return columns in parts, one part after another."""
    rows, columns = x.shape
    return x.reshape(rows, parts, columns // parts).transpose(1, 0, 2)


def elementwise(rng, x, y):
    functions = [np.add, np.subtract, np.maximum, lambda a, b: np.where(a > b, a, 0.5 * b)]
    return rng.choice(functions)(x, y)


def unary(rng, x, y):
    return rng.choice([np.tanh, np.negative, np.abs, lambda a: 0.5 * a, lambda a: a[0] + a, np.sin])(x)


def product(rng, x, y):
    return rng.choice([lambda a: a @ WEIGHTS, lambda a: TURNED.T @ a, lambda a: a @ WEIGHTS.T])(x) / 8


def reduction(rng, x, y):
    function = rng.choice([np.sum, np.max, np.mean])
    return x - function(x, axis=rng.choice([0, 1]), keepdims=True) / 4


def movement(rng, x, y):
    half = COLUMNS // 2
    moves = [
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
        lambda a: np.roll(a, 1, 0),
        lambda a: np.concatenate([a[:, half:], np.tanh(a[:, :half])], 1),
        lambda a: np.concatenate([a[1:], a[:1]], 0),
        lambda a: np.tanh(in_parts(a, 4)).transpose(1, 0, 2).reshape(a.shape),
        lambda a: (in_parts(a, 6) @ BLOCK).transpose(1, 0, 2).reshape(a.shape),
        lambda a: np.tanh(a.T).T,
        lambda a: a.T.reshape(a.shape),
        lambda a: np.cumsum(a, rng.choice([0, 1])) / 8,
        lambda a: a[np.array([1, 0, *range(2, ROWS)])],
    ]
    return rng.choice(moves)(x)


def pooled(rng, x, y):
    windows = x.reshape(ROWS // 2, 2, COLUMNS // 2, 2)
    return elementwise(rng, x, np.repeat(np.repeat(np.max(windows, (1, 3)), 2, 0), 2, 1))


WEIGHTS, TURNED, BLOCK = matrix(COLUMNS, COLUMNS), matrix(ROWS, ROWS), matrix(8, 8)
STEPS = [elementwise, unary, product, reduction, movement, pooled]


def random_program(seed):
    """Return a function of three matrices that does the same each time it is called."""

    def program(*arrays):
        rng = random.Random(seed)
        made = list(arrays)
        for _ in range(rng.randint(4, 14)):
            x = made[-1] if rng.random() < 0.7 else rng.choice(made)
            made.append(rng.choice(STEPS)(rng, x, rng.choice(made)))
        return [made[-1], rng.choice(made[3:]), rng.choice(made)]

    return program


@pytest.fixture
def two_threads():
    before = get_threads()
    set_threads(2)
    yield
    set_threads(before)


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_random_programs_compute_what_numpy_does(eager_bands, two_threads, first):
    arrays = [matrix(ROWS, COLUMNS) + i for i in range(3)]
    for seed in range(first, first + 12):
        program = random_program(seed)
        expected = program(*(x.astype(float) for x in arrays))
        for found, wanted in zip(jit(program)(*arrays), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4, err_msg=str(seed))


# --- parts of features: what each unit has some elements of in each row


def image_layer(x, kernel, bias):
    """A convolution of one image, which goes through its features part by part, a relu and a pooling."""
    y = np.maximum(conv(x, kernel, padding="SAME") + bias, 0)
    return reduce_window(y, "max", (1, 2, 2, 1), strides=(1, 2, 2, 1))


@pytest.mark.parametrize("shape", [(32, 32), (30, 35)])
def test_a_convolution_of_one_image_is_pooled_part_by_part(two_threads, shape):
    x, kernel, bias = matrix(1, *shape, 32), matrix(3, 3, 32, 64) / 17, matrix(64)
    schedule = make_schedule(optimize(stage(image_layer)(x, kernel, bias)))
    (band,) = (step for step in schedule.steps if isinstance(step, bands.Band) and len(step.steps) > 2)
    (result, _), *_ = schedule.outputs
    assert band.units == 4
    assert result in set(bands.writes(band))
    inputs, products = 36 * 72 * 32, 2 * 36 * (72 + 32) * 16
    assert plan_memory(schedule, 2).size < 4.2 * (inputs + products)
    found = jit(image_layer)(x, kernel, bias)
    wide = [z.astype(float) for z in (x, kernel, bias)]
    np.testing.assert_allclose(found, image_layer(*wide), rtol=1e-4, atol=1e-4)


def test_what_is_wanted_in_other_units_does_not_run_along(two_threads):
    """Sums over all features need what all units make of them; they come after the band."""
    x, kernel, bias = matrix(1, 32, 32, 32), matrix(3, 3, 32, 64) / 17, matrix(64)

    def f(x, kernel, bias):
        y = np.maximum(conv(x, kernel, padding="SAME") + bias, 0)
        return y / (1 + np.sum(y, axis=-1, keepdims=True)), y[..., ::-1] + y

    for found, wanted in zip(jit(f)(x, kernel, bias), f(x, kernel, bias), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
