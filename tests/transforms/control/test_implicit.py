"""`custom_root`, `custom_linear_solve`, `closure_convert`: against formulas and JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.control.laws import same
from transforms import grad, hessian, jit, jvp, vmap, while_loop
from transforms.control.implicit import closure_convert, custom_linear_solve, custom_root
from transforms.errors import TreeMismatchError

A = np.array([[3.0, 0.5, -0.2], [0.1, 2.0, 0.3], [-0.4, 0.2, 4.0]])
B = np.array([1.0, -2.0, 0.5])


def relaxation(matvec, b):
    """Richardson's iteration: a loop that stops when the residual is small, at once for a zero right side."""

    def goes_on(x):
        return np.sum((matvec(x) - b) ** 2) > 1e-28

    return while_loop(goes_on, lambda x: x + 0.2 * (b - matvec(x)), b * 0.0)


def solution(a, b):
    return custom_linear_solve(lambda x: np.sin(a) @ x + 3.0 * x, b, relaxation, relaxation)


def direct(a, b):
    return jnp.linalg.solve(jnp.sin(a) + 3.0 * jnp.eye(3), b)


def objective(solve, xp):
    return lambda a, b: xp.sum(xp.sin(solve(a, b)))


def test_linear_solutions_and_all_their_derivatives():
    ours, oracle = objective(solution, np), objective(direct, jnp)
    with jax.enable_x64(True):
        value, gradients = jax.value_and_grad(oracle, (0, 1))(A, B)
        pushed = jax.jvp(oracle, (A, B), (A * 0.1, B))[1]
        second = jax.hessian(oracle, 1)(A, B)
        expected = jax.tree.map(np.asarray, (value, gradients, pushed, second))
    for f in (ours, jit(ours)):
        same(f(A, B), expected[0])
        same(grad(f, (0, 1))(A, B), expected[1])
        same(jvp(f, (A, B), (A * 0.1, B))[1], expected[2])
    same(jit(grad(ours, (0, 1)))(A, B), expected[1])
    same(hessian(ours, 1)(A, B), expected[3])
    batch = np.stack([B, 2 * B])
    same(vmap(grad(ours, 1), (None, 0))(A, batch), np.stack([grad(ours, 1)(A, b) for b in batch]))
    same(
        grad(lambda bs: np.sum(vmap(ours, (None, 0))(A, bs)))(batch),
        np.stack([grad(ours, 1)(A, b) for b in batch]),
    )


def test_a_symmetric_system_needs_one_solver():
    s = A + A.T

    def f(s, b):
        return np.sum(
            np.sin(
                custom_linear_solve(lambda x: s @ x, b, lambda _, b: np.linalg.solve(s, b), symmetric=True)
            )
        )

    def plain(s, b):
        return np.sum(np.sin(np.linalg.solve(s, b)))

    same(grad(f, 1)(s, B), grad(plain, 1)(s, B))
    same(jit(grad(f))(s, B), grad(plain)(s, B))


def test_trees():
    def matvec(x):
        return {"a": 2.0 * x["a"] + x["b"], "b": 4.0 * x["b"]}

    def solve(matvec, b):
        y = b["b"] / 4.0
        return {"a": (b["a"] - y) / 2.0, "b": y}

    def transpose_solve(vecmat, c):
        x = c["a"] / 2.0
        return {"a": x, "b": (c["b"] - x) / 4.0}

    def f(p):
        x = custom_linear_solve(matvec, {"a": p, "b": p * p}, solve, transpose_solve)
        return x["a"] * x["b"]

    # x_b = p^2/4 and x_a = (p - p^2/4)/2
    assert f(2.0) == 0.5
    np.testing.assert_allclose(grad(f)(2.0), 0.5 * (1 - 1.0) * 1.0 + 0.5 * 1.0)
    np.testing.assert_allclose(jvp(f, (2.0,), (1.0,))[1], grad(f)(2.0))


def newton(f, x):
    """Newton's method in one variable, with the derivative by a small difference."""

    def step(x):
        return x - f(x) * 1e-6 / (f(x + 1e-6) - f(x))

    return while_loop(lambda x: np.abs(f(x)) > 1e-12, step, x)


def cube_root(p):
    return custom_root(lambda x: x * x * x - p, 1.0, newton, lambda g, y: y / g(1.0))


def test_roots_and_their_derivatives():
    first, second = 8.0 ** (-2 / 3) / 3, -2 / 9 * 8.0 ** (-5 / 3)
    for f in (cube_root, jit(cube_root)):
        np.testing.assert_allclose(f(8.0), 2.0, rtol=1e-10)
        np.testing.assert_allclose(grad(f)(8.0), first, rtol=1e-10)
        np.testing.assert_allclose(jvp(f, (8.0,), (1.0,))[1], first, rtol=1e-10)
        np.testing.assert_allclose(hessian(f)(8.0), second, rtol=1e-8)
    np.testing.assert_allclose(jit(grad(cube_root))(8.0), first, rtol=1e-10)
    p = np.array([1.0, 8.0, 27.0])
    np.testing.assert_allclose(vmap(cube_root)(p), [1, 2, 3], rtol=1e-10)
    np.testing.assert_allclose(vmap(grad(cube_root))(p), p ** (-2 / 3) / 3, rtol=1e-9)


def test_roots_in_several_variables_by_an_iterative_solver():
    def fixed_point(f, x):
        return while_loop(lambda x: np.sum(f(x) ** 2) > 1e-26, lambda x: x - 0.3 * f(x), x)

    def root(a, b):
        return custom_root(lambda x: np.sin(a) @ x + 3.0 * x - b, b * 0.0, fixed_point, relaxation)

    same(root(A, B), solution(A, B), 1e-10)
    got = grad(objective(root, np), (0, 1))(A, B)
    same(got, grad(objective(solution, np), (0, 1))(A, B), 1e-10)


def test_the_guess_has_no_derivative():
    f = lambda guess: custom_root(lambda x: x - 3.0, guess, newton, lambda g, y: y / g(1.0))  # noqa: E731
    assert grad(f)(1.0) == 0.0


def counted(f, x):
    """Newton's method, and how many steps it took."""

    def step(state):
        count, x = state
        return count + 1, x - f(x) * 1e-6 / (f(x + 1e-6) - f(x))

    count, root = while_loop(lambda state: np.abs(f(state[1])) > 1e-12, step, (0, x))
    return root, {"steps": count, "residual": f(root)}


def test_what_solvers_give_besides():
    def root(p):
        return custom_root(lambda x: x * x * x - p, 1.0, counted, lambda g, y: y / g(1.0), has_aux=True)

    def steps(p):
        """The same method in Python."""
        x, count = 1.0, 0
        while abs(x * x * x - p) > 1e-12:
            x, count = x - (x**3 - p) * 1e-6 / ((x + 1e-6) ** 3 - x**3), count + 1
        return count

    for run in (root, jit(root)):
        x, aux = run(8.0)
        np.testing.assert_allclose(x, 2.0, rtol=1e-10)
        assert aux["steps"] == steps(8.0)
        np.testing.assert_allclose(grad(lambda p: run(p)[0])(8.0), 8.0 ** (-2 / 3) / 3, rtol=1e-10)  # noqa: B023
        assert grad(lambda p: run(p)[1]["residual"])(8.0) == 0.0  # noqa: B023
    ps = np.array([1.0, 8.0, 27.0])
    roots, aux = vmap(root)(ps)
    np.testing.assert_allclose(roots, [1, 2, 3], rtol=1e-10)
    assert aux["steps"].tolist() == [steps(p) for p in ps]

    def solve(matvec, b):
        return relaxation(matvec, b), np.sum(b * b)

    def solution_and_norm(a, b):
        return custom_linear_solve(lambda x: np.sin(a) @ x + 3.0 * x, b, solve, solve, has_aux=True)

    for run in (solution_and_norm, jit(solution_and_norm)):
        same(run(A, B), (solution(A, B), np.sum(B * B)))
        same(jvp(run, (A, B), (A, B))[1], (jvp(solution, (A, B), (A, B))[1], np.zeros(())))
        got = grad(lambda a, b: np.sum(np.sin(run(a, b)[0])) + run(a, b)[1], (0, 1))(A, B)  # noqa: B023
        same(got, grad(objective(solution, np), (0, 1))(A, B))
    same(
        jit(hessian(lambda b: np.sum(np.sin(solution_and_norm(A, b)[0]))))(B),
        hessian(objective(solution, np), 1)(A, B),
    )


def test_closure_convert():
    def f(w, x):
        converted, consts = closure_convert(lambda p: {"out": np.sin(w) * p["x"] * A[0]}, {"x": x})
        assert len(consts) == 1
        return np.sum(converted({"x": 2.0 * x}, *consts)["out"])

    np.testing.assert_allclose(grad(f)(1.0, 3.0), np.cos(1.0) * 6.0 * A[0].sum())
    np.testing.assert_allclose(jit(grad(f, 1))(1.0, 3.0), np.sin(1.0) * 2.0 * A[0].sum())


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: grad(lambda b: np.sum(custom_linear_solve(lambda x: 2 * x, b, lambda _, b: b / 2)))(B),
            TypeError,
            "transpose_solve must be given for reverse mode, got None; pass it, or symmetric=True",
        ),
        (
            lambda: custom_linear_solve(lambda x: (x, x), B, relaxation),
            TreeMismatchError,
            "the output of matvec",
        ),
        (
            lambda: custom_linear_solve(lambda x: x, B, lambda _, b: (b,)),
            TreeMismatchError,
            "the output of <lambda>",
        ),
        (
            lambda: custom_root(lambda x: x, 1.0, newton, newton, has_aux=True),
            TypeError,
            r"custom_root: the output of solve must be a pair \(solution, aux\), as has_aux=True says",
        ),
        (
            lambda: custom_root(lambda x: (x,), 1.0, newton, newton),
            TreeMismatchError,
            "custom_root: the output of f",
        ),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
