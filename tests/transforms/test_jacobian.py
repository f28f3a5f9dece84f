"""Jacobians, Hessians, Hessian-vector products and linear maps, against JAX and by every route."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transforms import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, vjp, vmap

RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(2, 3)), "b": RNG.normal(size=3)}
X = RNG.normal(size=2)


def outputs(xp):
    return lambda p, x: {"y": xp.tanh(x @ p["w"] + p["b"]), "z": xp.sum(p["b"] ** 2)}


def loss(xp):
    return lambda p, x: xp.sum(xp.sin(xp.tanh(x @ p["w"] + p["b"]) ** 2))


def assert_trees_close(got, expected):
    got_leaves, got_structure = jax.tree.flatten(got)
    expected_leaves, expected_structure = jax.tree.flatten(expected)
    assert got_structure == expected_structure
    for x, y in zip(got_leaves, expected_leaves, strict=True):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, atol=1e-10)


@pytest.mark.parametrize("mode", [jacrev, jacfwd, jacobian])
@pytest.mark.parametrize("argnums", [0, 1, (0, 1)])
def test_jacobians_equal_jax(mode, argnums):
    with jax.enable_x64(True):
        expected = jax.jacrev(outputs(jnp), argnums)(PARAMS, X)
    assert_trees_close(mode(outputs(np), argnums)(PARAMS, X), expected)


@pytest.mark.parametrize(
    "route",
    [
        lambda f: jacfwd(jacrev(f)),
        lambda f: jacrev(jacfwd(f)),
        lambda f: jacfwd(jacfwd(f)),
        lambda f: jacrev(jacrev(f)),
        hessian,
    ],
)
def test_hessian_by_all_routes(route):
    with jax.enable_x64(True):
        expected = jax.hessian(loss(jnp))(PARAMS, X)
    assert_trees_close(route(loss(np))(PARAMS, X), expected)


def test_hvp_equals_the_hessian_times_the_vector():
    x, v = RNG.normal(size=4), RNG.normal(size=4)

    def f(x):
        return np.sum(np.sin(x) * np.tanh(x * x[0]))

    np.testing.assert_allclose(hvp(f, (x,), (v,)), hessian(f)(x) @ v)


def test_hvp_of_several_arguments():
    first, second = hvp(lambda x, y: x * x * y, (2.0, 3.0), (1.0, 0.0))
    assert (first, second) == (6.0, 4.0)


def test_linearize_is_the_derivative():
    v = {"w": RNG.normal(size=(2, 3)), "b": RNG.normal(size=3)}
    f = lambda p: outputs(np)(p, X)  # noqa: E731
    out, push = linearize(f, PARAMS)
    expected_out, expected = jvp(f, (PARAMS,), (v,))
    assert_trees_close(out, expected_out)
    assert_trees_close(push(v), expected)


def test_linearize_evaluates_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x)

    _, push = linearize(f, 1.0)
    assert push(1.0) == push(2.0) / 2 == np.cos(1.0)
    assert len(calls) == 1


def test_aux_comes_beside_the_jacobian():
    jacobian_rows, aux = jacrev(lambda x: (x * x, "aux"), has_aux=True)(np.ones(2))
    np.testing.assert_array_equal(jacobian_rows, 2 * np.eye(2))
    assert aux == "aux"
    columns, aux = jacfwd(lambda x: (x * x, x.sum()), has_aux=True)(np.ones(2))
    np.testing.assert_array_equal(columns, 2 * np.eye(2))
    assert aux == 2.0


@pytest.mark.parametrize("transform", [jacrev, jacfwd])
def test_misuse_is_refused(transform):
    with pytest.raises(TypeError, match="argument 0 must hold floating point numbers, got int64; convert it"):
        transform(np.sin)(np.arange(3))
    with pytest.raises(ValueError, match="argnums must name one of the 1 positional arguments, got 2"):
        transform(np.sin, 2)(np.ones(3))


def test_transforms_compose():
    x = RNG.normal(size=(5, 2))
    with jax.enable_x64(True):
        expected = jax.vmap(jax.grad(loss(jnp)), (None, 0))(PARAMS, x)
        expected_outer = jax.grad(lambda p: jnp.sum(jax.vmap(jax.grad(loss(jnp), 1), (None, 0))(p, x) ** 2))(
            PARAMS
        )
    assert_trees_close(vmap(grad(loss(np)), (None, 0))(PARAMS, x), expected)
    outer = grad(lambda p: np.sum(vmap(grad(loss(np), 1), (None, 0))(p, x) ** 2))(PARAMS)
    assert_trees_close(outer, expected_outer)


def test_jvp_of_vjp():
    def cotangent_of(x):
        return vjp(np.sin, x)[1](1.0)[0]

    assert jvp(cotangent_of, (0.3,), (1.0,))[1] == pytest.approx(-np.sin(0.3))
