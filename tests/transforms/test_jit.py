"""`jit`: caching, static arguments, methods, composition, errors, source."""

from __future__ import annotations

import functools
import threading

import numpy as np
import pytest

from transforms import ArrayType, grad, hessian, jvp, vmap
from transforms.errors import ConcreteValueError
from transforms.jit import jit

X = np.arange(3.0)


def loss(w, x):
    return np.sum(np.sin(w * x) * np.exp(w))


def test_result_is_a_tree_like_the_functions():
    out = jit(lambda p, *, scale: {"y": p["w"] * scale, "n": (p["w"].shape[0], None)})({"w": X}, scale=2.0)
    np.testing.assert_array_equal(out["y"], 2 * X)
    assert out["n"] == (3, None)


def test_traces_once_for_each_type():
    traces = []

    @jit
    def f(x):
        traces.append(x.shape)
        return x * 2

    f(X), f(X + 1), f(np.ones(2)), f(X.astype(np.float32)), f(np.ones(2))
    assert traces == [(3,), (2,), (3,)]
    assert f.cache_size() == 3
    assert "float64[3] became float64[2]" in f.explain()
    f.clear_cache()
    assert f.cache_size() == 0
    assert "not traced yet" in f.explain()


def test_static_arguments():
    @functools.partial(jit, static_argnames="power")
    def f(x, power):
        return x**power if power > 1 else x

    np.testing.assert_array_equal(f(X, 2), X**2)
    np.testing.assert_array_equal(f(X, power=1), X)
    np.testing.assert_array_equal(jit(lambda n, x: x * n, static_argnums=0)(3, X), 3 * X)
    with pytest.raises(TypeError, match="a static argument must be hashable"):
        f(X, [2])


def test_methods_and_partials():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @jit
        def apply(self, x):
            return x * self.scale

        @jit(static_argnums=2)
        def power(self, x, n):
            return x**n * self.scale

    first, second = Model(2.0), Model(3.0)
    np.testing.assert_array_equal(first.apply(X), 2 * X)
    np.testing.assert_array_equal(second.apply(X), 3 * X)
    np.testing.assert_array_equal(first.power(X, 2), 2 * X**2)
    np.testing.assert_array_equal(jit(functools.partial(np.multiply, 2.0))(X), 2 * X)


def test_python_numbers_stay_weak():
    f = jit(lambda x, scale: x * scale + scale * 2)
    assert f(X.astype(np.float32), 2.0).dtype == np.float32
    assert f(X.astype(np.float32), np.float64(2.0)).dtype == np.float64


def test_composes_with_every_transform():
    expected = grad(loss)(X, X)
    np.testing.assert_allclose(jit(grad(loss))(X, X), expected)
    np.testing.assert_allclose(grad(jit(loss))(X, X), expected)
    np.testing.assert_allclose(jit(grad(jit(loss)))(X, X), expected)
    np.testing.assert_allclose(hessian(jit(loss))(X, X), hessian(loss)(X, X))
    np.testing.assert_allclose(jit(hessian(loss))(X, X), hessian(loss)(X, X))
    batch = np.stack([X, X + 1])
    np.testing.assert_allclose(vmap(jit(loss), (0, None))(batch, X), vmap(loss, (0, None))(batch, X))
    np.testing.assert_allclose(
        jit(vmap(grad(loss), (0, None)))(batch, X), vmap(grad(loss), (0, None))(batch, X)
    )
    out, tangent = jvp(jit(loss), (X, X), (X, None))
    expected_out, expected_tangent = jvp(loss, (X, X), (X, None))
    np.testing.assert_allclose([out, tangent], [expected_out, expected_tangent])


def test_closing_over_a_tracer():
    gradient = grad(lambda x: jit(lambda y: np.sum(x * y))(X))(X)
    np.testing.assert_array_equal(gradient, X)


def test_results_are_read_only_and_not_overwritten():
    f = jit(lambda x: np.sin(x) * 2.0)
    x = np.ones((100, 100))
    first = f(x)
    kept = first.copy()
    for i in range(5):
        f(x * i)
    np.testing.assert_array_equal(first, kept)
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1.0


def test_an_argument_that_is_returned_is_a_copy():
    x = np.ones((100, 100))
    same, view = jit(lambda x: (x, x.T))(x)
    x[:] = 0
    assert same[0, 0] == 1.0
    assert view[0, 0] == 1.0


def test_results_are_recycled():
    f = jit(lambda x: x * 2.0)
    x = np.ones((100, 100))
    addresses = {f(x).__array_interface__["data"][0] for _ in range(10)}
    assert len(addresses) == 1


def test_views_of_results_keep_them_from_being_recycled():
    f = jit(lambda x: x * 2.0)
    row = f(np.ones((100, 100)))[0]
    f(np.zeros((100, 100)))
    np.testing.assert_array_equal(row, np.full(100, 2.0))


def test_source_runs_on_its_own():
    x, w = np.linspace(0, 1, 600).reshape(20, 30), np.linspace(0, 1, 30 * 40).reshape(30, 40)

    def f(x, w):
        return np.sum(np.tanh(x @ w) * 3.0, axis=0) + np.arange(40)

    text = jit(f).lower(x, w).source()
    namespace = {}
    exec(text, namespace)
    np.testing.assert_allclose(namespace["program"](x, w)[0], f(x, w))
    assert "np.dot(a, b, out=" in text


def test_lower_takes_types():
    lowered = jit(lambda x: x + 1.0).lower(ArrayType((2,), "float32"))
    assert repr(lowered) == "(a: float32[2]) ->\n  b: float32[2] = add a 1.0\n  return b"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: jit(lambda x: x if x > 0 else -x)(1.0),
            ConcreteValueError,
            "must not depend on an array's values",
        ),
        (
            lambda: jit(lambda x: x)("text"),
            TypeError,
            "each leaf of the arguments must be an array or a number, got 'text'",
        ),
        (lambda: jit(lambda x: None)(1.0), TypeError, "must return an array, got None"),
        (
            lambda: jit(lambda x: x, backend="cuda")(1.0),
            ValueError,
            "backend must be one of .*, got 'cuda'",
        ),
        (lambda: jit(lambda x, i: x[i])(X, np.array(5)), IndexError, "out of bounds"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_an_exception_leaves_the_engine_clean():
    @jit
    def f(x, broken):
        if broken.shape:
            raise RuntimeError("on purpose")
        return x + broken

    with pytest.raises(RuntimeError, match="on purpose"):
        f(X, X)
    np.testing.assert_array_equal(f(X, 1.0), X + 1)


def test_threads_run_one_program_at_once():
    f = jit(lambda x: np.sum(np.sin(x) * np.cos(x), axis=0))
    results = {}

    def work(index):
        x = np.full((50, 50), float(index))
        results[index] = [f(x) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, outs in results.items():
        for out in outs:
            np.testing.assert_allclose(out, 50 * np.sin(index) * np.cos(index) * np.ones(50))


def test_long_chain():
    def chain(x):
        for _ in range(5000):
            x = x * 1.0001
        return x

    assert jit(chain)(1.0) == pytest.approx(1.0001**5000)
    assert jit(grad(chain))(1.0) == pytest.approx(1.0001**5000)
    np.testing.assert_allclose(vmap(chain)(np.ones(2)), 1.0001**5000)
