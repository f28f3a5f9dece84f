"""`scan`: the laws, and what a step may look like."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize, same
from transforms import cond, debug, grad, jit, scan, stage, vjp, vmap
from transforms.errors import ConcreteValueError, TreeMismatchError
from transforms.graph.check import check_graph

X = np.linspace(-0.7, 0.9, 3)
W = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [0.7, 0.2, 0.3]])
XS = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def recurrence(xp, control, w, h, xs):
    """A network with one recurrent layer; the weights are captured."""

    def step(h, x):
        h = xp.tanh(w @ h + x)
        return h, xp.sum(h * h)

    return control.scan(step, h, xs)


def tree_carry(xp, control, h, xs):
    def step(carry, x):
        total, (count, state) = carry["total"], carry["pair"]
        state = xp.sin(state * x[0]) + x[1]
        return {"total": total + xp.sum(state), "pair": (count + 1, state)}, {"state": state, "none": None}

    carry, ys = control.scan(step, {"total": h[0], "pair": (0, h)}, (xs, xs * 2.0))
    return carry["total"], carry["pair"][1], ys


def reverse(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, reverse=True)


def unrolled(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, unroll=3)


def unrolled_reverse(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, unroll=3, reverse=True)


def without_entries(xp, control, h):
    return control.scan(lambda h, _: (xp.sin(h) + 0.1, None), h, None, length=3)[0]


def outputs_only(xp, control, xs):
    return control.scan(lambda carry, x: (carry, xp.sin(x) * x), (), xs)[1]


def carry_that_does_not_depend(xp, control, h, xs):
    """The counter has no derivative, and the first state is dropped."""

    def step(carry, x):
        n, _ = carry
        return (n + 1, xp.exp(x * n)), xp.cos(x) * n

    return control.scan(step, (0, h), xs)[1]


def nested(xp, control, w, h, xs):
    def step(h, x):
        inner = control.scan(lambda total, row: (total + xp.sin(row @ h), total * x), x, w)
        return xp.tanh(inner[0] + xp.sum(inner[1], 0)), inner[0]

    return control.scan(step, h, xs)


def with_cond(xp, control, h, xs):
    def step(h, x):
        h = control.cond(xp.sum(x) > 0, lambda h: xp.sin(h) * x, lambda h: h * h + x, h)
        return h, xp.sum(h)

    return control.scan(step, h, xs)


def with_checkpoint(xp, control, w, h, xs):
    step = control.checkpoint(lambda h, x: (xp.tanh(w @ h + x), xp.sum(xp.sin(h))))
    return control.scan(step, h, xs)


def with_custom_vjp(xp, control, h, xs):
    @control.custom_vjp
    def cube(x):
        return x * x * x

    cube.defvjp(lambda x: (cube(x), x), lambda x, d: (3 * d * x * x,))
    return control.scan(lambda h, x: (xp.sin(cube(h) + x), h), h, xs)


def with_cube(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h**3 + x), h), h, xs)


def captured_by_batch(xp, control, h, xs):
    """What is captured by the step comes from another scan's step."""
    return control.scan(lambda total, x: (total + control.map(lambda row: row * x, xs) @ h, x), xs[:, 0], xs)[
        0
    ]


CASES = [
    Case("recurrence", recurrence, (W, X, XS)),
    Case("tree_carry", tree_carry, (X, XS)),
    Case("reverse", reverse, (X, XS)),
    Case("unrolled", unrolled, (X, XS)),
    Case("unrolled_reverse", unrolled_reverse, (X, XS)),
    Case("without_entries", without_entries, (X,)),
    Case("outputs_only", outputs_only, (XS,)),
    Case("carry_that_does_not_depend", carry_that_does_not_depend, (X, XS)),
    Case("nested", nested, (W, X, XS)),
    Case("with_cond", with_cond, (X, XS)),
    Case("with_checkpoint", with_checkpoint, (W, X, XS)),
    Case("with_custom_vjp", with_custom_vjp, (X, XS), like=with_cube),
    Case("captured_by_batch", captured_by_batch, (X, XS)),
    Case("one_step", reverse, (X, XS[:1])),
    Case("no_steps", recurrence, (W, X, XS[:0])),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_python_numbers_in_the_carry_take_the_type_that_the_step_gives_them():
    xs = XS[:, 0].astype(np.float32)

    def f(start):
        return scan(lambda c, x: ((c[0] + 1, c[1] * x), c[1]), (0, start), xs)

    for run in (f, jit(f)):
        (count, product), ys = run(2.0)
        assert (count, count.dtype, product.dtype, ys.dtype) == (4, np.int64, np.float32, np.float32)
    assert scan(lambda c, x: (c + 0.5, None), 0, None, 3)[0] == 1.5
    assert scan(lambda c, x: (c + x, c), 0, xs)[1].dtype == np.float32


def test_integer_carries_and_entries():
    def f(x, n):
        return scan(lambda c, i: ((c[0] * x, c[1] + i), c[1]), (x, n), np.arange(3))

    (power, total), totals = f(2.0, 10)
    assert (power, total, total.dtype) == (16.0, 13, np.int64)
    np.testing.assert_array_equal(totals, [10, 10, 11])
    assert grad(lambda x: f(x, 10)[0][0])(2.0) == 32.0
    assert jit(grad(lambda x: f(x, 10)[0][0]))(2.0) == 32.0


def test_a_batch_spreads_only_what_differs():
    """The counter is the same for all examples, so the branch that it chooses is the only one to run."""
    seen = []

    def step(carry, x):
        n, h = carry
        h = cond(n > 1, lambda h, n: (debug.callback(seen.append, n), h * x)[1], lambda h, n: h + x, h, n)
        return (n + 1, h), n

    def f(h):
        return scan(step, (0, h), XS[:, 0])

    (n, h), ns = vmap(f, out_axes=((None, 0), None))(X)
    assert n == 4
    np.testing.assert_array_equal(ns, np.arange(4))
    np.testing.assert_allclose(h, [f(x)[0][1] for x in X])
    assert len(seen) == 2 + 2 * 3


def residuals(f, *args):
    """The shapes of what the forward loop stacks, and the primitives that run around it and in it."""
    graph = stage(lambda *xs: vjp(f, *xs)[1](np.ones(3)))(*args)
    check_graph(graph)
    names = [equation.primitive.name for equation in graph.equations]
    loop = graph.equations[names.index("scan")]
    options = loop.attributes["loop"]
    inside = [equation.primitive.name for equation in options.graph.equations]
    return [v.type.shape for v in loop.results[options.carries :]], names, inside


def test_only_what_the_pullback_reads_is_stacked():
    def step(h, x):
        return np.sin(h) + np.exp(x) + 2.0 * h, None

    shapes, _, _ = residuals(lambda h: scan(step, h, XS)[0], X)
    assert shapes == [(4, 3)]  # cos of the carry; nothing of the entries
    shapes, _, _ = residuals(lambda h: scan(lambda h, x: (h + x, None), h, XS)[0], X)
    assert shapes == []


def test_what_does_not_vary_is_computed_once():
    def f(w, h):
        return scan(lambda h, x: (np.exp(w) * h + x, None), h, XS)[0]

    shapes, around, inside = residuals(f, X, X)
    assert around.count("exp") == 1
    assert "exp" not in inside
    assert shapes == [(4, 3)]  # the carry, for the derivative with respect to w


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_unroll_changes_nothing(length, reverse):
    xs = np.arange(float(length))
    expected = scan(lambda c, x: (c * 0.5 + x, c), 1.0, xs, reverse=reverse)
    for unroll in (2, 3, 10):
        same(scan(lambda c, x: (c * 0.5 + x, c), 1.0, xs, reverse=reverse, unroll=unroll), expected)


def test_long_loops_neither_recurse_nor_trace_again():
    traces = []

    def step(c, x):
        traces.append(1)
        return np.sin(c) + x, None

    gradient = grad(lambda c: scan(step, c, np.zeros(5000))[0])(1.0)
    assert np.isfinite(gradient)
    assert len(traces) < 5


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: scan(lambda c, x: (c, c), 0.0),
            ValueError,
            "length must be given where xs has no arrays, got None",
        ),
        (
            lambda: scan(lambda c, x: (c, c), 0.0, (XS, XS[:2])),
            ValueError,
            "the leading axes of xs must have one length, got 4 at '0', 2 at '1', length=None",
        ),
        (lambda: scan(lambda c, x: (c, c), 0.0, XS, 3), ValueError, "got 4 at '', length=3"),
        (lambda: scan(lambda c, x: (c, c), 0.0, 1.0), ValueError, "got None at ''"),
        (
            lambda: scan(lambda c, x: (c, c), 0.0, XS, unroll=0),
            ValueError,
            "unroll must be at least 1, got 0",
        ),
        (
            lambda: scan(lambda c, x: c, 0.0, XS),
            TypeError,
            r"step must return \(carry, y\), got an array of",
        ),
        (
            lambda: scan(lambda c, x: ({"a": c["a"][:2]}, None), {"a": X}, XS),
            TypeError,
            r"scan: the carry at 'a' must keep its type float64\[3\], got float64\[2\]; cast it in the step",
        ),
        (
            lambda: scan(lambda c, x: (c + 1j, None), X, XS),
            TypeError,
            r"keep its type float64\[3\], got complex128",
        ),
        (
            lambda: scan(lambda c, x: (np.int32(1), None), 0.5, XS),
            TypeError,
            r"keep its type float64\[\], got int32",
        ),
        (
            lambda: scan(lambda c, x: ((c, c), None), X, XS),
            TreeMismatchError,
            "scan: the carry must be a leaf, got a tuple with 2 entries",
        ),
        (lambda: scan(lambda c, x: (c, "text"), X, XS), TypeError, "scan: .* must be an array, got str"),
        (
            lambda: scan(lambda c, x: (c if c > 0 else -c, None), 1.0, XS),
            ConcreteValueError,
            "scan: .* must not depend on .* at .*test_scan.py:[0-9]+ in <lambda>; use np.where, cond",
        ),
        (lambda: scan(X, 0.0, XS), TypeError, "scan: f must be a function, got a ndarray"),
        (lambda: scan(lambda c, x: (c, c, c), 0.0, XS), TypeError, "got a tuple of 3"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
