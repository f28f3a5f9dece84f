"""Collectives over the named axis of a `vmap`, against JAX's and against formulas."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.control.laws import same
from transforms import cond, grad, jit, jvp, scan, vmap, while_loop
from transforms.control.collectives import all_gather, axis_index, pmax, pmean, pmin, psum

X = np.linspace(-0.7, 0.9, 6).reshape(3, 2)


class Ours:
    psum, pmean, pmax, pmin = staticmethod(psum), staticmethod(pmean), staticmethod(pmax), staticmethod(pmin)
    axis_index, all_gather = staticmethod(axis_index), staticmethod(all_gather)


def normalized(xp, lax, x):
    centered = x - lax.pmean(x, "i")
    return centered / xp.sqrt(lax.psum(centered**2, "i"))


def gathered(xp, lax, x):
    return xp.tanh(lax.all_gather(x, "i", axis=1) @ xp.arange(3.0)) * lax.axis_index("i")


def tiled(xp, lax, x):
    return xp.sum(lax.all_gather(x, "i", tiled=True) ** 2) * x


def trees(xp, lax, x):
    sums = lax.psum({"a": x, "n": 1}, "i")
    return sums["a"] / sums["n"] + x * lax.psum(2.0, "i")


FUNCTIONS = [normalized, gathered, tiled, trees]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_values_and_derivatives_equal_jaxs(function):
    def ours(x):
        return function(np, Ours, x)

    def oracle(x):
        return function(jnp, jax.lax, x)

    def inner(xp, f):
        return lambda x: xp.sum(f(x) ** 2)

    with jax.enable_x64(True):
        batched = jax.vmap(oracle, axis_name="i")
        expected = (
            batched(X),
            jax.grad(lambda x: jnp.sum(jnp.sin(batched(x))))(X),
            jax.vmap(jax.grad(inner(jnp, oracle)), axis_name="i")(X),
            jax.jvp(batched, (X,), (X,))[1],
        )
        expected = jax.tree.map(np.asarray, expected)
    for f in (ours, jit(ours)):
        batched = vmap(f, axis_name="i")
        got = (
            batched(X),
            grad(lambda x: np.sum(np.sin(vmap(f, axis_name="i")(x))))(X),  # noqa: B023
            vmap(grad(inner(np, f)), axis_name="i")(X),
            jvp(batched, (X,), (X,))[1],
        )
        same(got, expected)
        same(jit(batched)(X), expected[0])
        same(jit(vmap(grad(inner(np, f)), axis_name="i"))(X), expected[2])


def test_extremes_and_ties():
    x = np.array([1.0, 3.0, 3.0, -1.0])
    np.testing.assert_array_equal(vmap(lambda x: pmax(x, "i"), axis_name="i")(x), [3] * 4)
    np.testing.assert_array_equal(vmap(lambda x: pmin(x, "i"), axis_name="i")(x), [-1] * 4)
    # All four outputs read the maximum, and two examples share it.
    gradient = vmap(grad(lambda x: pmax(x, "i")), axis_name="i")(x)
    np.testing.assert_array_equal(gradient, [0, 2, 2, 0])
    pushed = vmap(lambda x, t: jvp(lambda v: pmax(v, "i"), (x,), (t,))[1], axis_name="i")(x, x)
    np.testing.assert_array_equal(pushed, [3, 3, 3, 3])


def test_integers_and_booleans_keep_their_meaning():
    counts = vmap(lambda x: psum(x > 0, "i"), axis_name="i")(np.array([1.0, -1.0, 2.0]))
    np.testing.assert_array_equal(counts, [2, 2, 2])
    assert vmap(lambda x: psum(x, "i"), axis_name="i")(np.ones(3, np.int8)).dtype == np.int8
    assert vmap(lambda x: pmean(x, "i"), axis_name="i")(np.ones(3, np.float32)).dtype == np.float32


def test_nested_axes():
    x = np.arange(6.0).reshape(2, 3)

    def f(x):
        return psum(x, "columns"), psum(x, "rows"), psum(x, ("rows", "columns")), axis_index("rows")

    by_row, by_column, everything, index = vmap(vmap(f, axis_name="columns"), axis_name="rows")(x)
    np.testing.assert_array_equal(by_row, np.broadcast_to(x.sum(1, keepdims=True), (2, 3)))
    np.testing.assert_array_equal(by_column, np.broadcast_to(x.sum(0), (2, 3)))
    np.testing.assert_array_equal(everything, np.full((2, 3), 15))
    np.testing.assert_array_equal(index, [[0, 0, 0], [1, 1, 1]])


def test_axes_that_are_not_the_first():
    out = vmap(lambda x: all_gather(x, "i"), in_axes=1, out_axes=2, axis_name="i")(X)
    assert out.shape == (2, 3, 2)
    np.testing.assert_array_equal(out[..., 0], X.T)


def test_inside_of_control_flow():
    x = np.array([1.0, 2.0, 3.0])

    def looped(x):
        return scan(lambda c, _: (c + psum(c, "i") / 3, psum(c, "i")), x, None, 2)

    last, sums = vmap(looped, axis_name="i")(x)
    np.testing.assert_allclose(last, x + 2 + 4)
    np.testing.assert_allclose(sums, np.broadcast_to([6, 12], (3, 2)))
    chosen = vmap(lambda x: cond(psum(x, "i") > 5, lambda: x + axis_index("i"), lambda: x), axis_name="i")(x)
    np.testing.assert_array_equal(chosen, [1, 3, 5])

    def until(x):
        return while_loop(lambda v: psum(v, "i") < 50, lambda v: v + pmean(v, "i"), x)

    v = x
    while v.sum() < 50:
        v = v + v.mean()
    np.testing.assert_allclose(vmap(until, axis_name="i")(x), v)
    differences = [
        (np.sum(vmap(until, axis_name="i")(x + e)) - np.sum(vmap(until, axis_name="i")(x - e))) / 2e-6
        for e in 1e-6 * np.eye(3)
    ]
    np.testing.assert_allclose(vmap(grad(until), axis_name="i")(x), differences, rtol=1e-6)


def test_a_compiled_function_follows_the_size_of_the_axis():
    f = jit(lambda x: all_gather(x, "i"))
    for size in (2, 3):
        assert vmap(f, axis_name="i")(np.ones(size)).shape == (size, size)


def test_names_that_nobody_has():
    with pytest.raises(
        NameError, match=r"psum: the axis name must be that of a vmap around the call \(there is n"
    ):
        psum(1.0, "i")
    with pytest.raises(NameError, match=r"\('batch'\), got 'i'; pass axis_name to vmap"):
        vmap(lambda x: psum(x, "i"), axis_name="batch")(X)
    with pytest.raises(NameError, match="axis_index"):
        jit(lambda x: axis_index("i"))(X)
