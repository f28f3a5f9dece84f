"""`check_grads`: what it accepts, and that it finds what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import check_grads, custom_jvp, custom_vjp

X = np.linspace(-0.7, 0.9, 3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_accepts_what_is_right(order):
    check_grads(lambda x: np.sin(x) * x, (X,), order=order)
    check_grads(lambda p: {"y": np.exp(p["a"]) * p["b"], "n": 1}, ({"a": X, "b": 2.0},), order=order)
    check_grads(lambda z: np.sum(np.abs(z * (1 + 2j)) ** 2), (X * (1 - 1j),), order=order)


def test_integer_and_boolean_arguments_have_no_derivative():
    def f(n, x, mask, y):
        return np.where(mask, x * n, y), n + 1

    check_grads(f, (np.arange(3), X, X > 0, np.cos(X)), order=2)


def test_single_precision():
    check_grads(lambda x: np.sin(x) * x, (X.astype(np.float32),), order=2)


def wrong_vjp(x):
    f = custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, d: (2.02 * d * x,))
    return {"out": f(x)}


def wrong_jvp(x):
    f = custom_jvp(lambda x: x * x)
    f.defjvps(lambda t, out, x: 2.02 * t * x)
    return {"out": f(x)}


def wrong_second(x):
    f = custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, x), lambda x, d: (3 * d * wrong_vjp(x)["out"],))
    return f(x)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: check_grads(wrong_vjp, (X,), modes=["rev"]),
            "check_grads: vjp against differences must agree",
        ),
        (
            lambda: check_grads(wrong_jvp, (X,), modes=["fwd"]),
            "jvp against differences at 'out' must agree within",
        ),
        (
            lambda: check_grads(wrong_second, (X,), order=2),
            "jvp of vjp against differences at '0' must agree",
        ),
    ],
)
def test_finds_what_is_wrong(call, text):
    with pytest.raises(AssertionError, match=text):
        call()


def test_second_order_is_checked_only_if_asked():
    check_grads(wrong_second, (X,), order=1)


def test_tolerance_and_step():
    check_grads(wrong_vjp, (X,), modes=["rev"], tolerance=0.1)
    check_grads(lambda x: np.sin(x), (X,), step=1e-3, tolerance=1e-4)


def test_arguments_stand_in_a_tuple():
    with pytest.raises(TypeError, match="check_grads: args must be a tuple of arguments, got ndarray"):
        check_grads(np.sin, X)


@pytest.mark.parametrize("options", [{"modes": ["reverse"]}, {"order": 0}])
def test_misuse_is_refused(options):
    with pytest.raises(ValueError, match="modes must be 'fwd' or 'rev' and order at least 1"):
        check_grads(np.sin, (X,), **options)
