"""`pure_callback`, `debug.callback` and `debug.print`: eager, compiled, batched, differentiated."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import (
    ArrayType,
    checkpoint,
    cond,
    custom_jvp,
    debug,
    eval_shape,
    grad,
    hessian,
    jit,
    jvp,
    scan,
    stage,
    vmap,
    while_loop,
)
from transforms.control.callbacks import pure_callback
from transforms.errors import NoRuleError

X = np.linspace(-0.7, 0.9, 3)
SCALAR = ArrayType((), "float64")


def host_sine(x):
    """Something that cannot be traced."""
    assert type(x) is np.ndarray
    return np.array([np.sin(float(v)) for v in x.ravel()]).reshape(x.shape)


def sine(x, **options):
    return pure_callback(host_sine, x, x, **options)


def test_results_under_every_way_to_run():
    for f in (sine, jit(sine), jit(jit(sine))):
        np.testing.assert_allclose(f(X), np.sin(X))
    batch = np.stack([X, 2 * X])
    for run in (vmap(sine), jit(vmap(sine)), vmap(lambda x: sine(x, vectorized=True)), vmap(jit(sine), 1, 1)):
        np.testing.assert_allclose(run(batch), np.sin(batch))


def test_vectorized_is_called_once_with_all_examples():
    shapes = []

    def add(x, y):
        shapes.append((x.shape, y.shape))
        return x + y

    def f(x, y):
        return pure_callback(add, ArrayType((3,), "float64"), x, y, vectorized=True)

    vmap(vmap(f, (0, None)), (None, 0))(np.ones((2, 3)), np.ones((4, 3)))
    assert shapes == [((4, 2, 3), (4, 2, 3))]


def test_trees_and_arguments_that_are_no_arrays():
    def f(tree, how, *, scale):
        return {"out": tree["a"] * scale, "how": np.array(len(how))}

    types = {"out": ArrayType((3,), "float64"), "how": ArrayType((), "int64")}
    out = jit(lambda x: pure_callback(f, types, {"a": x, "b": None}, "text", scale=2.0))(X)
    np.testing.assert_array_equal(out["out"], 2 * X)
    assert out["how"] == 4


def test_derivatives_come_from_custom_rules():
    with_rule = custom_jvp(sine)
    with_rule.defjvps(lambda t, out, x: t * np.cos(x))
    np.testing.assert_allclose(grad(lambda x: np.sum(with_rule(x)))(X), np.cos(X))
    np.testing.assert_allclose(jit(grad(lambda x: np.sum(with_rule(x))))(X), np.cos(X))
    with pytest.raises(NoRuleError, match=r"pure_callback must have a vjp rule .* custom_jvp or custom_vjp"):
        grad(lambda x: np.sum(sine(x)))(X)
    with pytest.raises(NoRuleError, match="pure_callback must have a jvp rule"):
        jvp(sine, (X,), (X,))


def test_result_of_another_type_is_refused():
    with pytest.raises(
        TypeError, match=r"pure_callback\(<lambda>\): the result must have the type float64\[\], got"
    ):
        pure_callback(lambda x: x, SCALAR, X)


def test_print_under_every_transform(capsys):
    def f(x):
        debug.print("{} and {name}", x, name="n")
        return x * x

    def printed(run, *args):
        run(*args)
        return capsys.readouterr().out.splitlines()

    once = ["2.0 and n"]
    twice = ["2.0 and n", "3.0 and n"]
    assert printed(f, 2.0) == once
    assert printed(grad(f), 2.0) == once
    assert printed(lambda x: jvp(f, (x,), (x,)), 2.0) == once
    assert printed(hessian(f), 2.0) == once
    batch = np.array([2.0, 3.0])
    assert printed(vmap(f), batch) == twice
    assert printed(vmap(grad(f)), batch) == twice
    assert printed(grad(lambda x: np.sum(vmap(f)(x))), batch) == twice
    compiled = jit(f)
    assert printed(compiled, 2.0) == once
    assert printed(compiled, 2.0) == once  # also when it is not traced again
    assert printed(jit(grad(f)), 2.0) == once
    assert printed(grad(compiled), 2.0) == once
    assert printed(jit(vmap(f)), batch) == twice


def test_order_is_that_of_the_program():
    seen = []

    @jit
    def f(x):
        debug.callback(seen.append, x)
        y = np.sin(x)
        debug.callback(seen.append, y)
        debug.callback(seen.append, x)
        debug.callback(seen.append, x)
        return x

    f(1.0)
    np.testing.assert_allclose(seen, [1.0, np.sin(1.0), 1.0, 1.0])


def test_inside_of_control_flow():
    seen = []

    def step(c, x):
        debug.callback(seen.append, W)
        c = cond(x > 0, lambda c: (debug.callback(seen.append, c), c * x)[1], lambda c: c, c)
        return c, None

    def f(c):
        return scan(step, c, np.array([1.0, -1.0, 3.0]))[0]

    W = 5.0
    for run in (f, jit(f), grad(f), jit(grad(f))):
        seen.clear()
        run(2.0)
        assert [float(x) for x in seen if x != W] == [2.0, 2.0]


def test_what_depends_on_consts_alone_is_done_in_each_step():
    seen = []

    def f(w):
        def step(c, x):
            debug.callback(seen.append, w)
            return np.sin(w) * c * x, None

        return scan(step, 1.0, np.ones(3))[0]

    grad(f)(2.0)
    assert len(seen) == 3


CAPTURED = np.array(7.0)


def printing_branch(x, seen):
    """A branch that looks at what it captures: an array, and a value that is traced outside."""

    def positive(y):
        debug.callback(seen.append, CAPTURED)
        debug.callback(seen.append, x)
        return y * 2

    return cond(x > 0, positive, lambda y: y, x)


def printing_loops(x, seen):
    def step(carry, _):
        debug.callback(seen.append, CAPTURED)
        debug.callback(seen.append, x)
        return carry * 1.5, None

    def again(carry):
        debug.callback(seen.append, CAPTURED)
        return carry * 1.5

    return while_loop(lambda c: c < 10 * x, again, scan(step, x, length=2)[0])


@pytest.mark.parametrize(
    "transformed",
    [lambda f: f, jit, grad, lambda f: jit(grad(f)), lambda f: grad(jit(f)), lambda f: jit(jit(f))],
    ids=["eager", "jit", "grad", "jit of grad", "grad of jit", "jit of jit"],
)
def test_what_is_only_captured_is_seen_where_it_stands(transformed):
    seen = []
    run = transformed(lambda x: printing_branch(x, seen))
    for value, expected in ((2.0, [7.0, 2.0]), (-2.0, []), (3.0, [7.0, 3.0])):
        seen.clear()
        run(value)
        assert list(map(float, seen)) == expected
    run = transformed(lambda x: printing_loops(x, seen))
    for value in (2.0, 3.0):
        seen.clear()
        run(value)
        assert list(map(float, seen)) == [7.0, value] * 2 + [7.0] * 4


def test_tracing_alone_does_nothing():
    seen = []

    @jit
    def f(x):
        debug.callback(seen.append, CAPTURED)
        return x

    stage(f)(1.0)
    eval_shape(f, 1.0)
    f.lower(1.0)
    assert not seen
    jit(lambda x: f(2.0) + x)(1.0)  # the inner call's arguments are known when the outer one is traced
    jitted = jit(lambda x: f(2.0) + x)
    for _ in range(3):
        jitted(1.0)
    assert len(seen) == 4


def test_checkpoint_does_not_do_it_again():
    seen = []

    @checkpoint
    def f(x):
        debug.callback(seen.append, x)
        return np.sin(np.sin(x))

    grad(f)(1.0)
    jit(grad(f))(1.0)
    assert len(seen) == 2


def test_formats_and_trees(capsys):
    debug.print("{:.2f} {[0]} {tree}", np.array(1.234), ["a"], tree={"x": np.arange(2)})
    assert capsys.readouterr().out == "1.23 a {'x': array([0, 1])}\n"
