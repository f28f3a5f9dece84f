"""`cond` and `switch`: the laws, and what branches may look like."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize
from transforms import ArrayType, cond, eval_shape, grad, jit, switch, vmap
from transforms.errors import TreeMismatchError

X = np.linspace(-0.7, 0.9, 3)
Y = np.array([0.3, 0.5, -0.2])


def on_value(xp, control, x, y):
    return control.cond(xp.sum(x) > 0.25, lambda x, y: xp.sin(x) * y, lambda x, y: x + xp.exp(y), x, y)


def capturing(xp, control, x, y):
    """One branch captures both values, the other only one."""
    return control.cond(x[0] < 0, lambda: xp.sin(x) * y, lambda: xp.cos(y))


def trees(xp, control, x, y):
    def first(pair):
        return {"a": pair[0] * pair[1], "b": (xp.sum(pair[0]), None)}

    def second(pair):
        return {"a": pair[1], "b": (xp.sum(pair[1] ** 2), None)}

    return control.cond(x[2] > 0, first, second, (x, y))


def three_branches(xp, control, x, y):
    index = (xp.sum(x) > 0).astype(int) + (y[0] > 0).astype(int)
    branches = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: xp.sin(x) * xp.exp(y)]
    return control.switch(index, branches, x, y)


def nested(xp, control, x, y):
    def outer(x):
        return control.cond(y[0] > 0, lambda x: xp.sin(x * y), lambda x: x, x)

    return control.cond(x[0] < 0, outer, lambda x: x * x, x)


def scan_inside(xp, control, x, y):
    def loop(x):
        return control.scan(lambda h, v: (xp.sin(h * v), h), x, y)[1]

    return control.cond(x[1] < 0.5, loop, lambda x: xp.stack([x, y, x * y]), x)


def while_inside(xp, control, x, y):
    def loop(x):
        return control.while_loop(lambda v: xp.sum(v * v) < 4.0, lambda v: v * 1.5 + 0.1, x)

    return control.cond(x[1] < 0.5, loop, lambda x: x * y, x)


CASES = [
    Case("on_value", on_value, (X, Y)),
    Case("capturing", capturing, (X, Y)),
    Case("trees", trees, (X, Y)),
    Case("three_branches", three_branches, (X, Y)),
    Case("nested", nested, (X, Y)),
    Case("scan_inside", scan_inside, (X, Y)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_only_the_chosen_branch_runs_forward_and_backward():
    """The other one would divide by zero, and warnings are errors."""

    def f(x):
        return cond(x > 0, lambda x: np.log(x), lambda x: 1.0 / x, x)

    assert f(-2.0) == -0.5
    assert grad(f)(-2.0) == -0.25
    assert jit(grad(f))(-2.0) == -0.25
    assert switch(0, [lambda x: x, lambda x: np.log(x)], -1.0) == -1.0


def test_index_out_of_range_means_the_first_or_the_last():
    branches = [lambda x: x, lambda x: 2 * x, lambda x: 3 * x]
    assert [float(switch(i, branches, 1.0)) for i in (-7, 0, 1, 2, 7)] == [1, 1, 2, 3, 3]
    np.testing.assert_array_equal(vmap(lambda i: switch(i, branches, 1.0))(np.array([-7, 1, 7])), [1, 2, 3])


def test_predicates():
    for pred in (1, 2.5, True, np.array(1), np.bool_(True)):
        assert cond(pred, lambda: 1.0, lambda: 2.0) == 1.0
    assert cond(0, lambda: 1.0, lambda: 2.0) == 2.0
    assert grad(lambda x: cond(x, lambda x: x * x, lambda x: x, x))(3.0) == 6.0


def test_predicate_that_is_not_batched_keeps_one_branch_from_running():
    out = vmap(lambda flag, x: cond(flag, np.log, lambda x: x, x), in_axes=(None, 0))(False, -X)
    np.testing.assert_array_equal(out, -X)


def test_python_numbers_take_the_other_branchs_type():
    x = np.ones(2, np.float32)
    assert cond(True, lambda: x[0], lambda: 0.0).dtype == np.float32
    assert cond(False, lambda: x[0], lambda: 0).dtype == np.float32
    assert jit(lambda x: cond(x[0] > 0, lambda: x[0], lambda: 0.0))(x).dtype == np.float32
    assert cond(True, lambda: 1, lambda: 2).dtype == np.int64


def test_integer_operands_and_results():
    def f(x, n):
        return cond(n > 1, lambda: (x * n, n + 1), lambda: (x, n))

    out, count = f(2.0, np.array(3))
    assert (out, count, count.dtype) == (6.0, 4, np.int64)
    assert grad(lambda x: f(x, np.array(3))[0])(2.0) == 3.0


def test_types_without_values():
    assert eval_shape(lambda p, x: cond(p, np.sin, np.cos, x), True, X) == ArrayType((3,), "float64")


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: cond(X > 0, np.sin, np.cos, X),
            TypeError,
            r"pred must have shape \(\), got \(3,\); use np.where",
        ),
        (lambda: switch(0, [], X), ValueError, "branches must have at least one function, got none"),
        (lambda: switch(0.5, [np.sin, np.cos], X), TypeError, "the index must be an integer of shape"),
        (
            lambda: cond(True, lambda x: {"a": x}, lambda x: {"a": x[:1]}, X),
            TypeError,
            r"outputs at 'a' must have the same type, got float64\[3\] and float64\[1\]",
        ),
        (
            lambda: cond(True, lambda x: (x, x), lambda x: x, X),
            TreeMismatchError,
            "cond: the functions' outputs must be a tuple with 2 entries, got a leaf",
        ),
        (lambda: cond(True, np.sin, 2.0, X), TypeError, "cond: function 1 must be a function, got a float"),
        (
            lambda: cond(True, lambda x: "a", lambda x: "b", X),
            TypeError,
            "cond: the output of <lambda> must be an array",
        ),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
