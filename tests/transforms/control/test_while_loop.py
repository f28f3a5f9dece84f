"""`while_loop` and `fori_loop`: the laws, with loops of known length for JAX, which has no reverse mode here."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize, same
from transforms import fori_loop, grad, hessian, jit, jvp, vjp, vmap, while_loop
from transforms.errors import NoRuleError, TreeMismatchError

X = np.array([0.3, -0.2, 0.5])
W = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [0.7, 0.2, 0.3]])


def grow(x, bound=4.0):
    """A number of steps that depends on the values."""
    return while_loop(lambda v: np.sum(v * v) < bound, lambda v: v * 1.5 + 0.1, x)


def grow_in_python(x, bound=4.0):
    while np.sum(x * x) < bound:
        x = x * 1.5 + 0.1
    return x


def captured(w, x):
    """The step captures the weights, and the condition a bound."""

    def step(state):
        n, v = state
        return n + 1, np.tanh(w @ v) + 0.5 * x

    return while_loop(lambda state: (state[0] < 5) & (np.sum(state[1]) < 10 + x[0]), step, (0, x))[1]


def captured_in_python(w, x):
    v = x
    for _ in range(5):
        v = np.tanh(w @ v) + 0.5 * x
    return v


LOOPS = [(grow, grow_in_python, (X,)), (captured, captured_in_python, (W, X))]


@pytest.mark.parametrize(("loop", "in_python", "args"), LOOPS, ids=["grow", "captured"])
def test_equals_the_loop_in_python(loop, in_python, args):
    rng = np.random.default_rng(0)
    tangents = tuple(rng.standard_normal(x.shape) for x in args)
    seed = rng.standard_normal(X.shape)

    def pull(f):
        return lambda *xs: vjp(f, *xs)[1](seed)

    def push(f):
        return lambda *xs: jvp(f, xs, tangents)

    def twice(f):
        return lambda *xs: jvp(pull(f), xs, tangents)[1]

    def reverse_twice(f):
        return lambda *xs: vjp(pull(f), *xs)[1](tangents)

    for run in (loop, jit(loop)):
        same(run(*args), in_python(*args))
        same(pull(run)(*args), pull(in_python)(*args))
        same(push(run)(*args), push(in_python)(*args))
    same(jit(pull(loop))(*args), pull(in_python)(*args))
    same(jit(push(loop))(*args), push(in_python)(*args))
    same(twice(loop)(*args), twice(in_python)(*args))
    same(reverse_twice(loop)(*args), reverse_twice(in_python)(*args))


@pytest.mark.parametrize(("loop", "in_python", "args"), LOOPS, ids=["grow", "captured"])
def test_batches_take_different_numbers_of_steps(loop, in_python, args):
    examples = [(*args[:-1], args[-1] * scale) for scale in (0.1, 3.0, 1.0)]
    batch = np.stack([example[-1] for example in examples])
    axes = (*(None for _ in args[:-1]), 0)

    def gradient(f):
        return grad(lambda *xs: np.sum(np.sin(f(*xs))), tuple(range(len(args))))

    values = [in_python(*example) for example in examples]
    gradients = [gradient(in_python)(*example) for example in examples]
    for run in (vmap(loop, axes), jit(vmap(loop, axes)), vmap(jit(loop), axes)):
        same(run(*args[:-1], batch), np.stack(values))
    of_batch = grad(lambda xs: np.sum(np.sin(vmap(loop, axes)(*args[:-1], xs))))
    same(of_batch(batch), np.stack([g[-1] for g in gradients]))
    for run in (vmap(gradient(loop), axes), jit(vmap(gradient(loop), axes))):
        same(run(*args[:-1], batch), tuple(np.stack(column) for column in zip(*gradients, strict=True)))


def test_no_steps():
    assert while_loop(lambda x: x < 0, lambda x: x * 2, 3.0) == 3.0
    assert grad(lambda x: while_loop(lambda v: v < 0, lambda v: v * 2, x))(3.0) == 1.0
    big = np.ones((40, 40))
    out, pulled = jit(lambda x: vjp(lambda v: while_loop(lambda s: s[0, 0] < 0, lambda s: s, v * 2), x))(big)[0], None
    np.testing.assert_array_equal(out, 2 * big)
    assert pulled is None
