"""Random programs on the NumPy backend: buffers, views and results never get in each other's way."""

from __future__ import annotations

import random

import numpy as np
import pytest

from transforms import at, cond, fori_loop, scan, stage, tree, while_loop
from transforms.backends import compile_graph
from transforms.graph.check import check_graph
from transforms.graph.passes import optimize
from transforms.graph.stage import evaluate
from transforms.types import type_of

# Shapes that fit each other, of which some take buffers, and some have no elements or no axes.
SHAPES = [(), (12,), (12, 12), (1, 12), (12, 1), (3, 12, 12), (0, 12), (5,)]


def elementwise(rng, x, y):
    functions = [np.add, np.subtract, np.multiply, np.maximum, lambda a, b: np.where(a > b, a, b)]
    return rng.choice(functions)(x, y)


def scalar(rng, x):
    number = rng.choice([0.5, -1.0, 1.0, 2, 0.0, -0.0])
    return rng.choice([lambda a: a * number, lambda a: number - a, lambda a: a + number, lambda a: a**2])(x)


def unary(rng, x):
    casts = [lambda a: a.astype(np.float32).astype(np.float64), lambda a: np.floor(a).astype(np.int64) * 0.5]
    return rng.choice([np.sin, np.negative, np.tanh, np.absolute, lambda a: +a, np.sign, *casts])(x)


def view(rng, x):
    views = [lambda a: a.T, lambda a: a.reshape(-1), lambda a: a[None], lambda a: a.reshape(a.shape[::-1])]
    if x.ndim:
        views += [lambda a: a[: a.shape[0]], lambda a: a[::-1]]
    if x.ndim and x.shape[0]:
        views += [lambda a: a[0], lambda a: a[-1:]]
    return rng.choice(views)(x)


def reduction(rng, x):
    axis = rng.choice([None, *range(x.ndim)])
    functions = [np.sum, np.max] if x.size else [np.sum]
    return rng.choice(functions)(x, axis=axis, keepdims=rng.choice([True, False]))


def product(rng, x):
    return x @ x if x.ndim > 1 and x.shape[-1] == x.shape[-2] else x * 1.5


def update(rng, x):
    if not x.ndim or not x.size:
        return x + 1.0
    indices = np.array([0, -1, 0])
    writes = [lambda a: at(a)[0].set(a[-1]), lambda a: at(a)[::2].set(1.0), lambda a: at(a)[indices].add(2.0)]
    gathers = [lambda a: a[indices], lambda a: np.take(a, indices, axis=-1), lambda a: np.cumsum(a, 0)]
    return rng.choice([*writes, *gathers, lambda a: np.concatenate([a, a[:1]])])(x)


def loop(rng, x):
    loops = [
        lambda a: scan(lambda carry, row: (carry * 0.5 + np.sum(row), carry), a, np.ones((3, 4)))[0],
        lambda a: scan(lambda carry, row: (carry, carry + row), a, np.ones(2))[1],
        lambda a: fori_loop(0, 0, lambda i, carry: carry * 2.0, a),
        lambda a: while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[2], c[1] + 1.0), (0, a, a * 2.0))[1],
        lambda a: cond(np.sum(a) > 0, lambda b: b, lambda b: b.T.T * 2.0, a),
        lambda a: cond(np.sum(a) > 0, lambda b: (b, b * 2.0), lambda b: (b * 3.0, b), a)[1],
    ]
    return rng.choice(loops)(x)


def random_program(seed):
    """Return a function of a list of arrays that does the same each time it is called, and its arguments."""
    rng = random.Random(seed)
    shapes = [rng.choice(SHAPES) for _ in range(3)]
    constant = np.random.default_rng(seed).standard_normal(rng.choice(SHAPES))
    state = rng.getstate()
    length = rng.randrange(3, 30)

    def f(*args):
        rng.setstate(state)
        values = [*args, constant, args[0] * 2.0]
        for _ in range(length):
            kind = rng.randrange(12)
            x, y = rng.choice(values), rng.choice(values)
            if kind < 4:
                try:
                    shape = np.broadcast_shapes(x.shape, y.shape)
                except ValueError:
                    continue
                values.append(elementwise(rng, x, y) if len(shape) <= 4 else x)
            else:
                operation = [scalar, unary, view, view, reduction, product, update, loop][kind - 4]
                value = operation(rng, x)
                if value.ndim <= 4 and value.size <= 4000:
                    values.append(np.tanh(value) if kind == 9 else value)
        return [rng.choice(values) for _ in range(4)] + values[-2:]

    return f, shapes


@pytest.mark.parametrize("block", range(10))
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")
def test_random_programs(block):
    for seed in range(15 * block, 15 * (block + 1)):
        f, shapes = random_program(seed)
        numbers = np.random.default_rng(seed)
        graph = stage(f)(*(np.ones(shape) for shape in shapes))
        check_graph(optimize(graph))
        executable = compile_graph(graph, "numpy")
        kept = []
        for _ in range(3):
            args = [numbers.standard_normal(shape) for shape in shapes]
            before = [x.copy() for x in args]
            expected = evaluate(graph, *args)
            outs = executable(*args)
            for x, y in zip(args, before, strict=True):
                np.testing.assert_array_equal(x, y)
            for out, want in zip(outs, expected, strict=True):
                assert type_of(out) == type_of(want)
                np.testing.assert_allclose(out, want, rtol=1e-10, atol=1e-12, err_msg=f"seed {seed}")
                assert not any(np.shares_memory(out, x) for x in args)
                assert not any(np.shares_memory(out, x) for _, x in graph.constants)
                assert not (isinstance(out, np.ndarray) and out.flags.writeable)
            kept.append((outs, [np.array(out) for out in outs]))
            for x in args:
                x[...] = np.nan
        for outs, copies in kept:
            for out, copy in zip(outs, copies, strict=True):
                np.testing.assert_array_equal(out, copy, err_msg=f"seed {seed}")
        namespace = {}
        exec(executable.source(), namespace)
        args = [numbers.standard_normal(shape) for shape in shapes]
        for out, want in zip(namespace["program"](*args), tree.leaves(evaluate(graph, *args)), strict=True):
            np.testing.assert_allclose(out, want, rtol=1e-10, atol=1e-12, err_msg=f"seed {seed}")
