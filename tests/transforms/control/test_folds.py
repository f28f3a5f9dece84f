"""`map`, `fori_loop`, `associative_scan`: the laws, and edge lengths."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize
from transforms import associative_scan, fori_loop, grad, jit, vmap
from transforms.control.folds import map as map_entries

X = np.linspace(-0.7, 0.9, 3)
XS = np.linspace(-1.0, 1.0, 15).reshape(5, 3)


def mapped(xp, control, x, xs):
    return control.map(lambda row: {"a": xp.sin(row * x), "b": xp.sum(row)}, xs)


def counted(xp, control, x, xs):
    return control.fori_loop(1, 4, lambda i, v: xp.sin(v) * xp.sum(xs * i, 0) + i, x)


def counted_from_minus_one(xp, control, x):
    return control.fori_loop(-1, 2, lambda i, v: xp.sin(v) * x + i, x)


def combined(xp, control, x, xs):
    """Affine maps, composed: an associative operation that is not commutative."""

    def compose(first, second):
        return {"a": first["a"] * second["a"], "b": second["a"] * first["b"] + second["b"]}

    return control.associative_scan(compose, {"a": xs * x, "b": xp.cos(xs)})


def combined_in_reverse_along_the_last_axis(xp, control, x, xs):
    return control.associative_scan(xp.multiply, xs * x, reverse=True, axis=1)


CASES = [
    Case("mapped", mapped, (X, XS)),
    Case("counted", counted, (X, XS)),
    Case("counted_from_minus_one", counted_from_minus_one, (X,)),
    Case("combined", combined, (X, XS)),
    Case("combined_in_reverse", combined_in_reverse_along_the_last_axis, (X, XS)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize("length", range(9))
def test_prefixes_of_every_length(length):
    x = np.arange(1.0, length + 1)
    np.testing.assert_array_equal(associative_scan(np.add, x), np.cumsum(x))
    np.testing.assert_array_equal(associative_scan(np.add, x, reverse=True), np.cumsum(x[::-1])[::-1])


def test_number_of_combinations_grows_with_the_logarithm():
    calls = []

    def add(x, y):
        calls.append(x.shape[0])
        return x + y

    associative_scan(add, np.arange(1024.0))
    assert len(calls) <= 2 * 10
    assert sum(calls) <= 2 * 1024


def test_bounds_that_are_known_make_a_loop_of_known_length():
    """Then reverse mode works under jit any number of times."""

    def f(x):
        return fori_loop(np.int64(0), np.array(3), lambda i, v: v * x, 1.0)

    assert jit(grad(jit(grad(f))))(2.0) == 12.0


def test_traced_bounds():
    power = jit(lambda n, x: fori_loop(0, n, lambda i, v: v * x, 1.0))
    assert [float(power(n, 2.0)) for n in (0, 1, 5)] == [1, 2, 32]
    np.testing.assert_array_equal(vmap(power, (0, None))(np.array([0, 3, 1]), 2.0), [1, 8, 2])
    assert jit(grad(lambda x: power(3, x)))(2.0) == 12.0


def test_no_steps_backwards():
    assert fori_loop(5, 2, lambda i, v: v * 2, 3.0) == 3.0


def test_map_of_nothing():
    assert map_entries(np.sum, np.ones((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: associative_scan(lambda x, y: x, (np.ones(2), np.ones(3))),
            ValueError,
            r"the lengths along axis 0 must be equal, got \[2, 3\]",
        ),
        (lambda: fori_loop(0, 2.5, lambda i, v: v, 1.0), TypeError, "upper must be an integer, got 2.5"),
        (lambda: fori_loop(0, 2, lambda i, v: (v, v), 1.0), ValueError, "fori_loop: the carry must be"),
        (lambda: fori_loop(0, 2, 1.0, 1.0), TypeError, "fori_loop: body_fun must be a function, got a float"),
        (lambda: map_entries(np.sin, 1.0), ValueError, "map: the leading axes of xs must have one length"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
