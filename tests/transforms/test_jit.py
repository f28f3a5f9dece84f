"""`jit`: caching, static arguments, methods, composition, errors, source."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import threading
import time
import tracemalloc
import weakref
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from transforms import ArrayType, grad, hessian, jvp, tree, vmap
from transforms.errors import ConcreteValueError, ShapeError
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


def test_trees_that_are_only_alike_are_told_apart():
    f = jit(lambda tree: tree)
    x, y = X, X + 1
    trees = [
        {"a": x, "b": y},
        OrderedDict(a=x, b=y),
        OrderedDict(b=x, a=y),
        defaultdict(list, a=x, b=y),
        {"b": y, "a": x},
        (x, y),
        [x, y],
        Pair(x, y),
        (x, None),
        (x, (y,)),
        ({"a": {"c": x}}, y),
        ({"a": OrderedDict(c=x)}, y),
    ]
    for wanted in [*trees, *trees[::-1]]:
        out = f(wanted)
        assert tree.structure(out) == tree.structure(wanted)
        for value, want in zip(tree.leaves(out), tree.leaves(wanted), strict=True):
            np.testing.assert_array_equal(value, want)
    assert f.cache_size() == len(trees) - 1


def test_static_arguments():
    @functools.partial(jit, static_argnames="power")
    def f(x, power):
        return x**power if power > 1 else x

    np.testing.assert_array_equal(f(X, 2), X**2)
    np.testing.assert_array_equal(f(X, power=1), X)
    np.testing.assert_array_equal(jit(lambda n, x: x * n, static_argnums=0)(3, X), 3 * X)
    with pytest.raises(
        TypeError, match="argument must be hashable, got a list for argument 1; pass it as a tuple"
    ):
        f(X, [2])


def test_static_arguments_are_static_by_position_and_by_name():
    for options in ({"static_argnums": 1}, {"static_argnames": "power"}, {"static_argnums": -1}):
        f = jit(lambda x, power: x**power if power > 1 else x, **options)
        np.testing.assert_array_equal(f(X, 2), X**2)
        np.testing.assert_array_equal(f(X, power=2), X**2)


def test_static_arguments_that_are_equal_but_differ_in_type():
    f = jit(lambda x, n: x + (1 if type(n) is int else 0), static_argnums=1)
    assert [f(0.0, 1), f(0.0, 1.0), f(0.0, True), f(0.0, 1)] == [1, 0, 0, 1]
    assert f.cache_size() == 3
    assert "a static argument changed to {1: 1.0}" in f.explain()


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
    assert Model.power.cache_size() == 0
    assert first.power.cache_size() == 1
    assert "float64[3]" in repr(first.apply.lower(X))
    np.testing.assert_array_equal(Model(5.0).apply(X), 5 * X)


@dataclasses.dataclass
class Scaled:
    scale: float

    traces: ClassVar[list[float]] = []

    @jit
    def apply(self, x):
        self.traces.append(self.scale)
        return x * self.scale


def test_instances_are_known_by_identity():
    first, second = Scaled(2.0), Scaled(2.0)
    assert first == second
    first.apply(X), second.apply(X), first.apply(X)
    assert Scaled.traces == [2.0, 2.0]
    other = copy.copy(first)
    other.scale = 3.0
    np.testing.assert_array_equal(other.apply(X), 3 * X)
    np.testing.assert_array_equal(copy.deepcopy(other).apply(X), 3 * X)


def test_methods_do_not_keep_their_instances():
    model = Scaled(4.0)
    model.apply(X)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None
    assert not Scaled.apply._bound


class Pair(NamedTuple):
    first: Any
    second: Any

    @jit
    def dot(self, x):
        return np.sum(self.first * self.second) * x


class Slotted:
    __slots__ = ("scale",)

    @jit
    def apply(self, x):
        return x


def test_an_instance_that_is_a_tree_is_traced():
    pair = Pair(X, X)
    assert pair.dot(2.0) == 10.0
    np.testing.assert_allclose(grad(lambda p: p.dot(2.0))(pair).first, 2 * X)
    with pytest.raises(TypeError, match="must allow weak references, got Slotted; add '__weakref__'"):
        Slotted().apply(X)


def test_python_numbers_stay_weak():
    f = jit(lambda x, scale: x * scale + scale * 2)
    assert f(X.astype(np.float32), 2.0).dtype == np.float32
    assert f(X.astype(np.float32), np.float64(2.0)).dtype == np.float64


def test_python_numbers_stay_weak_in_programs_that_are_called():
    inner = jit(lambda x, scale: x * scale)
    outer = jit(lambda x, scale: inner(x, scale * 2) + inner(x, scale))
    assert outer(X.astype(np.float32), 2.0).dtype == np.float32


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

    text = jit(f, backend="numpy").lower(x, w).source()
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
            "jit: the traced function must not depend on an array's values",
        ),
        (
            lambda: jit(lambda n: np.zeros(int(n)))(3),
            ConcreteValueError,
            r"traced by jit in int\(n\); no values are known .* or make it a static argument of jit",
        ),
        (
            lambda: jit(lambda x: x + np.ones(4))(X),
            ShapeError,
            r"add: the operands' shapes .* got \(3,\) and \(",
        ),
        (lambda: jit(X), TypeError, "jit: f must be a function, got a ndarray"),
        (
            lambda: jit(lambda x, n: x * n, static_argnames="m"),
            ValueError,
            r"static_argnames must name parameters \(x, n\), got 'm'",
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


def in_threads(work, count=8):
    """Run ``work(index)`` in threads at once, and return what each gave."""
    barrier = threading.Barrier(count)

    def start(index):
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_threads_run_one_program_at_once():
    f = jit(lambda x: np.sum(np.sin(x) * np.cos(x), axis=0))
    results = in_threads(lambda index: [f(np.full((50, 50), float(index))) for _ in range(50)])
    for index, outs in enumerate(results):
        for out in outs:
            np.testing.assert_allclose(out, 50 * np.sin(index) * np.cos(index) * np.ones(50))
    assert f.cache_size() == 1


def test_threads_trace_at_once():
    def work(index):
        scale = np.full(3, float(index))
        values = []
        for length in range(1, 20):

            @jit
            def f(x, length=length):
                for _ in range(length):
                    x = np.sin(x) + scale
                    time.sleep(0)
                if index % 4 == 3:
                    raise RuntimeError(f"in thread {index}")
                return x

            try:
                values.append((f(X), grad(lambda x, f=f: np.sum(f(x)))(X)))
            except RuntimeError as error:
                values.append(str(error))
        return values

    for index, values in enumerate(in_threads(work)):
        for length, value in enumerate(values, start=1):
            if index % 4 == 3:
                assert value == f"in thread {index}"
                continue
            x, slope = X, 1.0
            for _ in range(length):
                slope = slope * np.cos(x)
                x = np.sin(x) + index
            np.testing.assert_allclose(value[0], x)
            np.testing.assert_allclose(value[1], slope)


def test_threads_trace_one_function_for_many_types():
    f = jit(lambda x: np.sum(x * 2.0))

    def work(index):
        return [f(np.ones(length)) for length in range(1, 30)]

    for values in in_threads(work):
        np.testing.assert_array_equal(values, 2.0 * np.arange(1, 30))
    assert f.cache_size() == 29


def allocated_after(work, rounds):
    """Return the memory that is in use after so many rounds of work."""
    for _ in range(rounds):
        work()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_calls_hold_no_memory():
    f = jit(lambda p, x: ({"w": p["w"] - 0.1 * x}, np.sum(x), x.T))
    params, x = {"w": np.ones((20, 20))}, np.ones((20, 20))

    def call():
        nonlocal params
        params, _, _ = f(params, x)

    tracemalloc.start()
    before = allocated_after(call, 100)
    after = allocated_after(call, 10000)
    tracemalloc.stop()
    assert after - before < 20_000


def test_retraces_hold_no_memory():
    f = jit(lambda x: x * 2.0)

    def retrace():
        f(X)
        f.clear_cache()

    tracemalloc.start()
    before = allocated_after(retrace, 50)
    after = allocated_after(retrace, 1000)
    tracemalloc.stop()
    assert after - before < 50_000


def test_tracing_at_each_call_holds_no_memory():
    f = jit(lambda scale, x: grad(lambda y: jit(lambda z: np.sum(z * y))(scale))(x))
    inner = jit(lambda x: np.sum(x))

    def call():
        grad(lambda y: inner(X * y) * 1.0)(2.0)
        f.clear_cache()
        f(2.0, 3.0)

    tracemalloc.start()
    before = allocated_after(call, 20)
    after = allocated_after(call, 80)
    tracemalloc.stop()
    assert after - before < 100_000


def test_programs_and_constants_are_freed():
    constant = np.ones((50, 50))
    reference = weakref.ref(constant)
    f = jit(lambda x, constant=constant: x * constant)
    f(X[0])
    del constant, f
    gc.collect()
    assert reference() is None


def test_long_chain():
    def chain(x):
        for _ in range(5000):
            x = x * 1.0001
        return x

    assert jit(chain)(1.0) == pytest.approx(1.0001**5000)
    assert jit(grad(chain))(1.0) == pytest.approx(1.0001**5000)
    np.testing.assert_allclose(vmap(chain)(np.ones(2)), 1.0001**5000)
