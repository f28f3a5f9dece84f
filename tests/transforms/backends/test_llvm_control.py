"""Branches, loops and what depends on order need no Python, and equal the eager result."""

import numpy as np
import pytest

from transforms import at, cond, grad, jit, reduce_window, scan, switch, tree, vmap, while_loop
from transforms.types import type_of

RNG = np.random.default_rng(0)
F32 = np.float32
X = RNG.standard_normal((2, 3)).astype(F32)
TIES = np.round(RNG.standard_normal((4, 6, 5)).astype(F32), 1)
NAN = np.where(TIES > 1, F32(np.nan), TIES)


def check(f, *args):
    """Compare with the eager result, twice, and see that nothing goes to NumPy."""
    expected = f(*args)
    compiled = jit(f, backend="llvm")
    for _ in range(2):
        got = compiled(*args)
        for ours, eager in zip(tree.leaves(got), tree.leaves(expected), strict=True):
            assert type_of(ours) == type_of(eager)
            np.testing.assert_allclose(ours, eager, rtol=1e-5, atol=1e-6)
    assert "= numpy " not in compiled.lower(*args).source()


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("on_true", "on_false"),
    [
        (lambda x: np.sin(x) @ x.T, lambda x: x @ x.T),
        (lambda x: x, lambda x: np.zeros_like(x)),
        (lambda x: (x, 1.0), lambda x: (x + 1, 2.0)),
        (lambda x: (x, x), lambda x: (x.T.reshape(2, 3), x * 2)),
        (lambda x: np.sum(x), lambda x: cond(x[0, 0] > 0, np.max, np.min, x)),
    ],
)
def test_cond(taken, on_true, on_false):
    check(lambda p, x: cond(p, on_true, on_false, x), np.bool_(taken), X)


@pytest.mark.parametrize("index", [-5, 0, 1, 2, 7])
def test_switch(index):
    branches = [lambda x: x, lambda x: x * 2, lambda x: np.cumsum(x, axis=1)]
    check(lambda i, x: switch(i, branches, x), np.int32(index), X)


@pytest.mark.parametrize("taken", [True, False])
def test_gradient_of_cond(taken):
    def loss(x, p):
        return np.sum(cond(p, lambda x: np.sin(x) * x, lambda x: np.exp(x) * 3, x))

    check(grad(loss), X, np.bool_(taken))


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_while_loop_of_any_number_of_steps(steps):
    def f(n, x):
        return while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[2] * 2, c[1]), (np.int32(0), x, x + 1))

    check(f, np.int32(steps), X)


def test_while_loop_of_a_batch_goes_on_until_no_example_does():
    def f(x):
        return while_loop(lambda c: np.sum(c) < 30, lambda c: c * 1.5 + 1, x)

    check(lambda x: vmap(f)(x), np.abs(X))


def test_branches_and_loops_inside_of_each_other():
    def halved(c):
        return while_loop(lambda d: np.sum(d) > 1, lambda d: d / 2, c)

    def step(c, x):
        c = cond(x[0] > 0, lambda c: c + np.abs(x), halved, c)
        return c, np.argmax(c)

    check(lambda x: scan(step, x[0], x), X)
    check(lambda x: while_loop(lambda c: np.sum(c) < 50, lambda c: scan(step, c + 1, X)[0] + 2, x[0]), X)


def test_a_branch_that_needs_numpy_goes_there():
    compiled = jit(lambda x: cond(x[0, 0] > 0, np.linalg.inv, lambda x: x, x), backend="llvm")
    x = np.array([[2, 1], [0, 4]], F32)
    np.testing.assert_allclose(compiled(x), np.linalg.inv(x), rtol=1e-6)
    assert "numpy switch" in compiled.lower(x).source()


def test_a_bad_index_ends_a_while_loop():
    compiled = jit(
        lambda x, i: while_loop(lambda c: c[1] < 9, lambda c: (x[i] + c[0], c[1] + x[i]), (F32(0), F32(0))),
        backend="llvm",
    )
    with pytest.raises(IndexError, match="from -3 to 2, got 3, which is out of bounds for an axis of 3"):
        compiled(np.zeros(3, F32), np.int64(3))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "f",
    [np.argmax, np.argmin, np.cumsum, np.cumprod, np.maximum.accumulate, np.minimum.accumulate, np.sort],
)
def test_order_and_running_results(f, axis):
    for x in (TIES, NAN, (TIES * 10).astype(np.int8), TIES > 0):
        check(lambda x: f(x, axis=axis), x)
    check(lambda x: f(x[::-1].T, axis=axis), TIES)


@pytest.mark.parametrize("axis", [0, 1])
def test_stable_argsort_and_gradients_of_running_results(axis):
    check(lambda x: np.argsort(x, axis=axis, stable=True), NAN)
    check(grad(lambda x: np.sum(np.sin(np.cumsum(x, axis=axis)))), X)
    check(grad(lambda x: np.sum(np.sin(np.cumprod(x, axis=axis)))), X)
    check(grad(lambda x: np.sum(np.sin(np.sort(x, axis=axis)))), X)


def test_results_of_no_elements():
    for shape in ((0, 3), (3, 0)):
        check(lambda x: np.cumsum(x, axis=0), np.zeros(shape, F32))
        check(lambda x: np.cumsum(x, axis=1), np.zeros(shape, F32))
    check(lambda x: np.sort(x, axis=1), np.zeros((0, 3), F32))


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("window", "strides"), [((1, 3, 3, 1), (1, 2, 2, 1)), ((2, 3, 2, 2), (1, 1, 2, 1))])
def test_overlapping_windows(kind, padding, window, strides):
    x = np.round(RNG.standard_normal((3, 7, 6, 5)).astype(F32), 1)

    def pool(x):
        return reduce_window(x, kind, window, strides=strides, padding=padding)

    check(grad(lambda x: np.sum(np.sin(pool(x)))), x)
    check(lambda x: grad(lambda v: np.sum(grad(lambda x: np.sum(pool(x) ** 2))(v) * x))(x), x)


@pytest.mark.parametrize("name", ["min", "max", "add", "multiply", "set"])
def test_scatter(name):
    indices = np.array([2, 0, -1, 2])
    check(lambda x, u: getattr(at(x)[indices], name)(u), TIES[:, 0], TIES[:, 1])
