"""`debug.nans`: which operation, which line, which operand, in both modes and under `jit`."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from transforms import cond, debug, grad, jit, jvp, scan, vmap
from transforms.control.nans import are_checked, run_in_the_open
from transforms.primitive import PRIMITIVES

X = np.array([1.0, -2.0])

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def line_of(function, text):
    lines, start = inspect.getsourcelines(function)
    (offset,) = (i for i, line in enumerate(lines) if text in line)
    return f"{__file__}:{start + offset} in {function.__name__}"


def forward_fails(x):
    y = x * 2.0
    z = np.log(y)  # here
    return np.sum(z)


def backward_fails(x):
    y = x - x
    z = np.sqrt(y)  # here
    return np.sum(z * 0.0)


def caught(f, *args):
    with debug.nans(), pytest.raises(FloatingPointError) as info:
        f(*args)
    return str(info.value)


def push(f):
    return lambda x: jvp(f, (x,), (x,))


@pytest.mark.parametrize(
    "transform",
    [grad, push, lambda f: grad(lambda x: np.sum(x * grad(f)(x)))],
    ids=["grad", "jvp", "grad of grad"],
)
def test_forward(transform):
    assert caught(transform(forward_fails), X) == (
        "log: the result must not be NaN, got NaN at [1] of float64[2], from operand 0 = -4.0; "
        f"see {line_of(forward_fails, '# here')}"
    )


def test_backward_names_the_line_of_the_forward_pass():
    assert caught(grad(backward_fails), X) == (
        "vjp of sqrt: the result must not be NaN, got NaN at [0] of float64[2], from operand 0 = 0.0; "
        f"see {line_of(backward_fails, '# here')}"
    )
    text = caught(push(backward_fails), X)
    assert text.startswith("jvp of sqrt: ")
    assert text.endswith(line_of(backward_fails, "# here"))


def test_batches():
    text = caught(vmap(forward_fails), X[:, None])
    assert "log: the result must not be NaN, got NaN at [1, 0] of float64[2,1], from operand 0 = -4.0" in text


def test_compiled_functions_run_operation_by_operation():
    for f in (
        jit(forward_fails),
        grad(jit(forward_fails)),
        vmap(jit(forward_fails)),
        jit(vmap(forward_fails)),
    ):
        text = caught(f, X[:, None] if "batched" in f.__name__ else X[:1] - 2)
        assert text.startswith("log: the result must not be NaN")
    assert caught(jit(grad(backward_fails)), X).startswith("divide")
    text = caught(run_in_the_open, jit(grad(backward_fails))._function, (X,), {})
    assert text.startswith("divide in vjp of sqrt: ")
    assert text.endswith(line_of(backward_fails, "# here"))


def test_inside_of_control_flow():
    def f(c):
        return scan(lambda c, x: (cond(x > 1, np.log, np.sin, c - x), None), c, np.array([1.0, 2.0]))[0]

    for run in (f, grad(f), jit(f)):
        assert caught(run, 1.0).startswith("log: the result must not be NaN, got NaN of float64[]")


def test_an_operand_that_was_nan_before():
    text = caught(grad(lambda x: np.sum(x * np.array([1.0, np.nan]))), X)
    assert (
        "multiply: the result must not be NaN, got NaN at [1] of float64[2], from operand 1, which has NaN"
        in text
    )


def test_what_is_good_stays_good():
    with debug.nans():
        np.testing.assert_array_equal(grad(lambda x: np.sum(np.exp(x) * np.inf))(X), [np.inf, np.inf])
        np.testing.assert_allclose(jit(grad(lambda x: np.sum(np.sin(x))))(X), np.cos(X))
        np.testing.assert_allclose(jit(vmap(grad(np.sin)))(X), np.cos(X))


def test_nothing_is_left_behind():
    before = {name: (p.evaluate, p.jvp, p.pullback_plans) for name, p in PRIMITIVES.items()}
    with pytest.raises(FloatingPointError), debug.nans(), debug.nans():
        grad(forward_fails)(X)
    debug.set_nans(True)
    debug.set_nans(True)
    try:
        assert are_checked()
    finally:
        debug.set_nans(False)
    assert not are_checked()
    for name, (evaluate, rules, plans) in before.items():
        primitive = PRIMITIVES[name]
        assert primitive.evaluate is evaluate
        assert primitive.jvp is rules
        assert primitive.pullback_plans is plans
    assert np.isnan(forward_fails(X))
