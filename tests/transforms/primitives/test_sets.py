"""Functions whose result's shape depends on values: known to eager transforms, refused by others."""

import numpy as np
import pytest

from transforms import grad, jacobian, stage, vjp, vmap
from transforms.errors import ConcreteValueError

X = np.array([2.0, 0.0, 1.0, 2.0])
Y = np.array([1.0, 2.0, 5.0])


def test_unique_differentiates_the_first_of_equal_elements() -> None:
    values, pullback = vjp(np.unique, X)
    np.testing.assert_array_equal(values, [0, 1, 2])
    np.testing.assert_array_equal(pullback(np.array([1.0, 2.0, 3.0]))[0], [3, 1, 2, 0])


def test_unique_gives_what_numpy_gives() -> None:
    got = []

    def f(x):
        got.append(np.unique(x, return_index=True, return_inverse=True, return_counts=True))
        return np.sum(got[-1][0])

    grad(f)(X)
    expected = np.unique(X, return_index=True, return_inverse=True, return_counts=True)
    for x, y in zip(got[0][1:], expected[1:], strict=True):
        np.testing.assert_array_equal(x, y)


def test_unique_rows() -> None:
    rows = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    values, pullback = vjp(lambda x: np.unique(x, axis=0), rows)
    np.testing.assert_array_equal(values, np.unique(rows, axis=0))
    np.testing.assert_array_equal(pullback(np.array([[1.0, 2], [3, 4]]))[0], [[3, 4], [1, 2], [0, 0]])


@pytest.mark.parametrize("name", ["unique_all", "unique_counts", "unique_inverse"])
def test_named_results(name: str) -> None:
    function = getattr(np, name)
    seen = []

    def f(x):
        seen.append(function(x))
        return seen[-1].values

    np.testing.assert_array_equal(vjp(f, X)[0], function(X).values)
    assert type(seen[0]).__name__ == type(function(X)).__name__


def test_unique_values() -> None:
    np.testing.assert_array_equal(vjp(np.unique_values, X)[0], [0, 1, 2])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (np.union1d, ([1, 1, 1, 0], [0, 0, 1])),
        (np.intersect1d, ([1, 0, 1, 0], [0, 0, 0])),
        (np.setdiff1d, ([0, 1, 0, 0], [0, 0, 0])),
        (np.setxor1d, ([0, 1, 0, 0], [0, 0, 1])),
    ],
)
def test_sets(function, expected) -> None:
    out, pullback = vjp(function, X, Y)
    np.testing.assert_array_equal(out, function(X, Y))
    for got, want in zip(pullback(np.ones_like(out)), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_sets_with_one_traced_operand() -> None:
    np.testing.assert_array_equal(vjp(lambda x: np.setdiff1d(x, Y), X)[0], [0])
    np.testing.assert_array_equal(vjp(lambda y: np.intersect1d(X, y), Y)[0], [1, 2])
    np.testing.assert_array_equal(vjp(lambda y: np.union1d([3.0], y), Y)[0], [1, 2, 3, 5])


def test_intersection_with_positions() -> None:
    (_, here, there), _ = vjp(lambda x: np.intersect1d(x, Y, return_indices=True), X)
    np.testing.assert_array_equal((here, there), np.intersect1d(X, Y, return_indices=True)[1:])


def test_isin_keeps_the_shape_and_so_is_never_refused() -> None:
    expected = np.isin(X, Y)
    np.testing.assert_array_equal(vjp(lambda x: np.isin(x, Y), X)[0], expected)
    np.testing.assert_array_equal(vmap(lambda x: np.isin(x, Y, invert=True))(X), ~expected)
    np.testing.assert_array_equal(vmap(lambda x: np.isin(x, []))(X), [False] * 4)
    assert stage(lambda x: np.isin(x, Y))(X).outputs[0].type.dtype == np.bool_


def test_positions() -> None:
    def f(x):
        for function in (np.nonzero, np.flatnonzero, np.argwhere, np.where):
            np.testing.assert_array_equal(function(x), function(X))
            np.testing.assert_array_equal(function(x > 1), function(X > 1))
        return np.sum(x[np.flatnonzero(x)] ** 2)

    np.testing.assert_array_equal(grad(f)(X), 2 * X)
    np.testing.assert_array_equal(jacobian(grad(f))(X), np.diag([2.0, 0, 2, 2]))


@pytest.mark.parametrize("function", [np.unique, np.nonzero, np.argwhere, np.flatnonzero, np.unique_values])
def test_unknown_values_are_refused(function) -> None:
    rule = r"the shape of the result must not depend on traced values, got an array of type float64\[4\]"
    with pytest.raises(ConcreteValueError, match=rule + " traced by stage; use"):
        stage(function)(X)
    with pytest.raises(ConcreteValueError, match=rule + " traced by vmap; use"):
        vmap(function)(np.stack([X, X]))
    with pytest.raises(ConcreteValueError, match="the shape of the result must not depend on traced values"):
        vmap(grad(lambda x: np.sum(function(x)[0])))(np.stack([X, X]))
