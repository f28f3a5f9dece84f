"""Reductions: values, derivatives, batches and types, and what ties, zeros and empty arrays give."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, stage, vjp, vmap

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.3]])
CUBE = np.linspace(-1.0, 1.3, 24).reshape(2, 3, 4)
COMPLEX = np.array([[0.5 + 1j, -1.0 - 0.2j], [0.3 - 2j, 1.5 + 0.1j]])
MASK = np.array([[True, False, True], [False, True, True]])


CASES = [
    Case("sum", lambda xp, x: xp.sum(x), (X,)),
    Case("sum of a 0-d array", lambda xp, x: xp.sum(x), (np.array(2.0),)),
    Case("sum of nothing", lambda xp, x: xp.sum(x, axis=0), (np.zeros((0, 3)),)),
    Case("sum over a negative axis", lambda xp, x: xp.sum(x, axis=-2), (CUBE,)),
    Case("sum over two axes", lambda xp, x: xp.sum(x, axis=(0, -1)), (CUBE,)),
    Case("sum over no axes", lambda xp, x: xp.sum(x, axis=()), (X,), oracle="jax sums over all axes"),
    Case("sum with keepdims", lambda xp, x: xp.sum(x, axis=1, keepdims=True), (CUBE,)),
    Case("sum where", lambda xp, x: xp.sum(x, axis=1, where=MASK), (X,)),
    Case("sum with an initial value", lambda xp, x: xp.sum(x, axis=1, initial=2.0), (X,)),
    Case("sum to another dtype", lambda xp, x: xp.sum(x, dtype=np.float64), (X,), single="dtype is fixed"),
    Case("sum of complex numbers", lambda xp, x: xp.sum(x, axis=0), (COMPLEX,)),
    Case("sum of integers", lambda xp, n: xp.sum(n, axis=0), (np.arange(6).reshape(2, 3),), order=0),
    Case("sum of booleans", lambda xp, n: xp.sum(n, axis=0), (MASK,), order=0, oracle="jax counts in int32"),
    Case("sum method", lambda xp, x: x.sum(0).sum(), (X,)),
    Case("prod", lambda xp, x: xp.prod(x), (X,)),
    Case("prod of a 0-d array", lambda xp, x: xp.prod(x), (np.array(2.0),)),
    Case("prod of nothing", lambda xp, x: xp.prod(x, axis=0), (np.zeros((0, 3)),)),
    Case("prod over an axis", lambda xp, x: xp.prod(x, axis=1), (CUBE,)),
    Case("prod over two axes", lambda xp, x: xp.prod(x, axis=(2, 0), keepdims=True), (CUBE + 2,)),
    Case("prod where", lambda xp, x: xp.prod(x, axis=0, where=MASK, initial=2.0), (X,)),
    Case("prod of complex numbers", lambda xp, x: xp.prod(x, axis=0), (COMPLEX,)),
    Case("max", lambda xp, x: xp.max(x), (X,)),
    Case("max of a 0-d array", lambda xp, x: xp.max(x), (np.array(2.0),)),
    Case("max over an axis", lambda xp, x: xp.max(x, axis=1), (CUBE,)),
    Case("max over two axes", lambda xp, x: xp.max(x, axis=(0, -1), keepdims=True), (CUBE,)),
    Case("max with an initial value", lambda xp, x: xp.max(x, axis=1, initial=1.7), (X,)),
    Case("max where", lambda xp, x: xp.max(x, axis=1, initial=-9.0, where=MASK), (X,)),
    Case(
        "max of nothing and an initial value",
        lambda xp, x: xp.max(x, 0, initial=1.0),
        (np.zeros((0, 2)),),
        order=0,
    ),
    Case("amax", lambda xp, x: xp.amax(x, axis=0) if xp is np else xp.max(x, axis=0), (X,)),
    Case("max of integers", lambda xp, n: xp.max(n, axis=0), (np.arange(6).reshape(2, 3),), order=0),
    Case("min", lambda xp, x: xp.min(x), (X,)),
    Case("min over an axis", lambda xp, x: xp.min(x, axis=-1, keepdims=True), (CUBE,)),
    Case("amin", lambda xp, x: xp.amin(x, axis=0) if xp is np else xp.min(x, axis=0), (X,)),
    Case("ptp", lambda xp, x: xp.ptp(x, axis=1), (X,)),
    Case("any", lambda xp, x: xp.any(x > 0.6, axis=1), (X,), order=0),
    Case(
        "any where",
        lambda xp, x: xp.any(x, axis=1, where=MASK),
        (np.array([[0.0, 1, 0], [1, 0, 0]]),),
        order=0,
    ),
    Case("all", lambda xp, x: xp.all(x > -2, axis=(0, 1), keepdims=True), (X,), order=0),
    Case(
        "all where",
        lambda xp, x: xp.all(x, axis=0, where=MASK),
        (np.array([[0.0, 0, 1], [1, 1, 0]]),),
        order=0,
    ),
    Case("count_nonzero", lambda xp, x: xp.count_nonzero(x > 0, axis=1), (X,), order=0),
    Case("argmax", lambda xp, x: xp.argmax(x), (X,), order=0),
    Case("argmax over an axis", lambda xp, x: xp.argmax(x, axis=1), (CUBE,), order=0),
    Case("argmax with keepdims", lambda xp, x: xp.argmax(x, axis=-2, keepdims=True), (CUBE,), order=0),
    Case("argmax of all with keepdims", lambda xp, x: xp.argmax(x, keepdims=True), (CUBE,), order=0),
    Case("argmin", lambda xp, x: xp.argmin(x, axis=0), (X,), order=0),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


# --- product with zeros


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([0.0, 3.0, 4.0], [12.0, 0.0, 0.0]),
        ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_prod_gradient_with_zeros(x: list[float], expected: list[float]) -> None:
    np.testing.assert_array_equal(grad(np.prod)(np.array(x)), expected)


def test_prod_second_derivative_with_two_zeros() -> None:
    # d2/dx0 dx1 of x0 x1 x2 is x2 = 4.
    np.testing.assert_array_equal(
        hessian(np.prod)(np.array([0.0, 0.0, 4.0])), [[0, 4, 0], [4, 0, 0], [0, 0, 0]]
    )


# --- ties, NaN


def test_extremes_share_the_gradient_among_ties() -> None:
    x = np.array([3.0, 1.0, 3.0, 1.0, 3.0])
    np.testing.assert_allclose(grad(np.max)(x), [1 / 3, 0, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(grad(np.min)(x), [0, 1 / 2, 0, 1 / 2, 0])
    np.testing.assert_allclose(grad(np.ptp)(x), [1 / 3, -1 / 2, 1 / 3, -1 / 2, 1 / 3])


def test_max_sends_the_gradient_to_nan() -> None:
    x = np.array([1.0, np.nan, 2.0])
    value, pullback = vjp(np.max, x)
    assert np.isnan(value)
    np.testing.assert_array_equal(pullback(1.0)[0], [0.0, 1.0, 0.0])


def test_float16_sums_stay_float16() -> None:
    x = np.ones(3, np.float16)
    assert grad(np.sum)(x).dtype == np.float16
    assert vjp(np.sum, x)[0].dtype == np.float16


# --- results without a derivative are plain arrays under an eager transform


def test_positions_are_plain_arrays() -> None:
    seen = []

    def f(x: np.ndarray) -> np.ndarray:
        seen.append(np.argmax(x))
        return x[np.argmax(x)]

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 3.0, 2.0])), [0.0, 1.0, 0.0])
    assert isinstance(seen[0], np.integer)


def test_staged_program_names_the_reduction() -> None:
    assert "c: float64[2] = sum b axes=(1,) keepdims=False" in repr(
        stage(lambda x: np.sum(np.sin(x), axis=1))(X)
    ).replace("  ", "")


# --- refusals


def test_out_is_refused() -> None:
    with pytest.raises(TypeError, match=r"numpy\.sum: out= must not be given with a traced operand"):
        vjp(lambda x: np.sum(x, axis=0, out=np.zeros(3)), X)


def test_max_of_nothing() -> None:
    with pytest.raises(ValueError, match=r"numpy\.max: the reduced axes must have at least one element"):
        vjp(lambda x: np.max(x, axis=0), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"argmin: the reduced axes must have at least one element"):
        vmap(lambda x: np.argmin(x))(np.zeros((2, 0)))


def test_max_where_needs_an_initial_value() -> None:
    with pytest.raises(ValueError, match=r"numpy\.max: initial must be given together with where="):
        vjp(lambda x: np.max(x, where=MASK), X)


def test_axis_out_of_range() -> None:
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        vjp(lambda x: np.sum(x, axis=2), X)
