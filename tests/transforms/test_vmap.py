"""`vmap`: axes, prefixes, sizes, outputs that do not depend on the example, errors."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import grad, vmap
from transforms.errors import ConcreteValueError, TreeMismatchError
from transforms.primitive import NoRule, Primitive
from transforms.tracer import bind

X = np.arange(6.0).reshape(3, 2)


def test_axes_of_arguments_and_outputs():
    np.testing.assert_array_equal(vmap(np.sum)(X), X.sum(1))
    np.testing.assert_array_equal(vmap(np.sum, in_axes=1)(X), X.sum(0))
    np.testing.assert_array_equal(vmap(np.sum, in_axes=-1)(X), X.sum(0))
    np.testing.assert_array_equal(vmap(lambda x: 2 * x, out_axes=1)(X), 2 * X.T)
    np.testing.assert_array_equal(vmap(lambda x, y: x * y, in_axes=(0, None))(X, 3.0), 3 * X)


def test_prefixes_of_trees():
    def f(p, x):
        return {"out": p["w"] * x + p["b"], "x": x}

    params = {"w": np.arange(3.0), "b": 1.0}
    out = vmap(f, in_axes=({"w": 0, "b": None}, None), out_axes={"out": 0, "x": None})(params, 2.0)
    np.testing.assert_array_equal(out["out"], [1, 3, 5])
    assert out["x"] == 2.0


def test_output_that_is_the_same_for_all_is_repeated():
    np.testing.assert_array_equal(vmap(lambda x: np.ones(2))(X), np.ones((3, 2)))
    np.testing.assert_array_equal(vmap(lambda x: 5.0)(X), [5, 5, 5])


def test_axis_size_without_batched_arguments():
    np.testing.assert_array_equal(vmap(lambda x: x, in_axes=None, axis_size=2)(1.0), [1, 1])


def test_nesting():
    outer = vmap(vmap(lambda x, y: x * y, in_axes=(None, 0)), in_axes=(0, None))
    np.testing.assert_array_equal(outer(np.arange(3.0), np.arange(2.0)), np.outer(np.arange(3), np.arange(2)))


def test_keyword_arguments_are_batched():
    np.testing.assert_array_equal(vmap(lambda x, *, y: x + y)(np.arange(2.0), y=np.arange(2.0)), [0, 2])


def test_per_example_gradients():
    gradients = vmap(grad(lambda w, x: np.sin(np.sum(w * x))), in_axes=(None, 0))(np.ones(2), X)
    np.testing.assert_allclose(gradients, np.cos(X.sum(1))[:, None] * X)


def test_primitive_without_a_rule_loops_and_says_so_once():
    def loop_only(x):
        return x * 2.0

    primitive = Primitive(
        "loop_only_for_test",
        loop_only,
        infer=lambda x: x,
        jvp=NoRule("test"),
        vjp=NoRule("test"),
        batch=NoRule("it is a test"),
    )
    with pytest.warns(UserWarning, match="loop_only_for_test runs as a loop over the examples: it is a test"):
        np.testing.assert_array_equal(vmap(lambda x: bind(primitive, x))(X), 2 * X)
    np.testing.assert_array_equal(vmap(lambda x: bind(primitive, x), in_axes=1)(X), 2 * X.T)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: vmap(np.add)(np.ones(3), np.ones(4)),
            ValueError,
            "the batched axes must have one size, got 3 in argument 0, 4 in argument 1",
        ),
        (
            lambda: vmap(lambda p, *, scale: p["w"] * scale)({"w": np.ones(3)}, scale=np.ones(4)),
            ValueError,
            "must have one size, got 3 in argument 0 at 'w', 4 in argument scale",
        ),
        (lambda: vmap(np.sin, in_axes=2)(X), ValueError, r"axis of an argument of shape \(3, 2\), got 2"),
        (lambda: vmap(np.sin, in_axes=None)(X), ValueError, "pass axis_size"),
        (lambda: vmap(np.sin, out_axes=None)(X), ValueError, "must be the same for all examples"),
        (
            lambda: vmap(np.add, in_axes=(0,))(X, X),
            TreeMismatchError,
            r"in_axes must have one entry for each of the 2 positional arguments, got \(0,\); write None for",
        ),
        (
            lambda: vmap(lambda p: p["w"], in_axes=({"v": 0},))({"w": X}),
            TreeMismatchError,
            "in_axes: the entry at '0/v' must be present",
        ),
        (
            lambda: vmap(np.sin, out_axes=2)(X),
            ValueError,
            "an entry of out_axes must be None or an axis of an output with 2 axes, .* got 2",
        ),
        (lambda: vmap(lambda x: 1.0, out_axes=-2)(X), ValueError, "output with 1 axes, .* got -2"),
        (lambda: vmap(3), TypeError, "vmap: f must be a function, got a int; pass the function itself"),
        (lambda: vmap(lambda x: x if x > 0 else -x)(np.ones(3)), ConcreteValueError, "must not depend on an"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
