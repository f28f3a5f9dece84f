"""Sorting and searching: the derivative goes where the element went."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, jacobian, jvp, stage, vjp, vmap

X = np.array([[0.5, -1.25, 2.0, 0.7], [1.5, 0.75, -0.3, 1.1]])
CUBE = np.sin(np.arange(24.0) * 5).reshape(2, 3, 4)
COMPLEX = np.array([0.5 + 1j, -1.0 - 0.2j, 0.3 - 2j])
EDGES = np.array([-1.0, 0.0, 0.6, 1.5])


def _weighted_sort(xp, x):
    return xp.sort(x * x * x, axis=1)


CASES = [
    Case("sort", lambda xp, x: xp.sort(x), (X,)),
    Case("sort of a function", _weighted_sort, (X,)),
    Case("sort of all", lambda xp, x: xp.sort(x, axis=None), (X,)),
    Case("sort along the first axis", lambda xp, x: xp.sort(x, axis=0), (CUBE,)),
    Case(
        "sort along the middle axis",
        lambda xp, x: xp.sort(x, axis=-2, kind="stable") if xp is np else xp.sort(x, axis=-2),
        (CUBE,),
    ),
    Case("sort of one", lambda xp, x: xp.sort(x), (np.array([2.0]),)),
    Case("sort of nothing", lambda xp, x: xp.sort(x, axis=1), (np.zeros((2, 0)),)),
    Case(
        "sort of complex numbers",
        lambda xp, x: xp.sort(x),
        (COMPLEX,),
    ),
    Case("sort of integers", lambda xp, n: xp.sort(n), (np.array([3, 1, 2]),), order=0),
    Case("argsort", lambda xp, x: xp.argsort(x, axis=0), (CUBE,), order=0),
    Case("argsort of all", lambda xp, x: xp.argsort(x, axis=None, stable=True), (X,), order=0),
    Case("argsort method", lambda xp, x: x.argsort(), (X,), order=0),
    Case(
        "partition",
        lambda xp, x: xp.partition(x, 1, axis=1)[:, 1],
        (X,),
    ),
    Case(
        "argpartition",
        lambda xp, x: xp.take_along_axis(x, xp.argpartition(x, 2, axis=1), 1)[:, 2],
        (X,),
    ),
    Case("lexsort", lambda xp, n, x: xp.lexsort((x, n)), (np.array([1, 0, 1, 0]), X[0]), order=0),
    Case("sort_complex", lambda xp, x: xp.sort_complex(x), (X,), single="NumPy gives complex128"),
    Case("searchsorted", lambda xp, a, v: xp.searchsorted(a, v).astype(np.int64), (EDGES, X), order=0),
    Case(
        "searchsorted from the right",
        lambda xp, a, v: xp.searchsorted(a, v, side="right").astype(np.int64),
        (EDGES, EDGES),
        order=0,
    ),
    Case(
        "searchsorted of one value",
        lambda xp, a, v: xp.searchsorted(a, v).astype(np.int64),
        (EDGES, np.array(0.3)),
        order=0,
    ),
    Case(
        "searchsorted in order of another array",
        lambda xp, a, v: xp.searchsorted(a, v, sorter=np.arange(4)[::-1]).astype(np.int64),
        (EDGES[::-1].copy(), X),
        order=0,
    ),
    Case("digitize", lambda xp, x, bins: xp.digitize(x, bins).astype(np.int64), (X, EDGES), order=0),
    Case(
        "digitize to the right",
        lambda xp, x, bins: xp.digitize(x, bins, right=True).astype(np.int64),
        (EDGES, EDGES),
        order=0,
    ),
    Case(
        "digitize by falling edges",
        lambda xp, x, bins: xp.digitize(x, bins).astype(np.int64),
        (EDGES, EDGES[::-1].copy()),
        order=0,
    ),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


def test_ties_go_by_the_stable_order() -> None:
    np.testing.assert_array_equal(
        jacobian(np.sort)(np.array([1.0, 0.0, 1.0])), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    )
    x, v = np.array([2.0, 1.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(jvp(np.sort, (x,), (v,))[1], [2, 4, 1, 3])


def test_nan_sorts_last() -> None:
    x = np.array([np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(np.sort(x)[:2] * np.array([10.0, 1.0])))(x), [0, 1, 10]
    )


def test_batched_search_puts_nan_last() -> None:
    rows = np.array([[0.0, 1.0, np.nan], [-1.0, 0.5, 2.0]])
    values = np.array([[np.nan, 1.0], [np.nan, 0.5]])
    for side in ("left", "right"):
        expected = [np.searchsorted(a, v, side) for a, v in zip(rows, values, strict=True)]
        np.testing.assert_array_equal(
            vmap(lambda a, v, side=side: np.searchsorted(a, v, side))(rows, values), expected
        )


def test_search_in_nothing() -> None:
    np.testing.assert_array_equal(vmap(lambda a: np.searchsorted(a, 1.0))(np.zeros((2, 0))), [0, 0])


def test_order_is_a_plain_array() -> None:
    def f(x):
        order = np.argsort(x)
        assert isinstance(order, np.ndarray)
        return x[order[-1]]

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 3.0, 2.0])), [0, 1, 0])


def test_reverse_mode_is_staged_without_values() -> None:
    graph = stage(lambda x, c: vjp(np.sort, x)[1](c))(X, X)
    assert [equation.primitive.name for equation in graph.equations[:3]] == ["sort", "argsort", "argsort"]


def test_partition_position_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"numpy\.partition: kth must lie in \[-4, 4\), got 4"):
        vjp(lambda x: np.partition(x, 4), X)


def test_in_place_sort_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write np\.sort\(t\)"):
        vjp(lambda x: x.sort(), X)


def test_edges_must_be_monotonic() -> None:
    with pytest.raises(ValueError, match=r"numpy\.digitize: bins must rise or fall, got \[0.0, 2.0, 1.0\]"):
        vjp(lambda x: np.digitize(x, [0.0, 2.0, 1.0]), X)


def test_search_in_a_matrix() -> None:
    with pytest.raises(ValueError, match=r"numpy\.searchsorted: the sorted array must have one axis"):
        vjp(lambda x: np.searchsorted(x, 1.0), X)
