"""Running sums, products and extremes, and the linear recurrence behind their derivatives."""

import jax
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jacobian, vjp
from transforms.primitives.cumulative import cumprod, cumsum, recurrence
from transforms.tracer import bind

X = np.array([[0.5, -1.25, 2.0, 0.7], [1.5, 0.75, -0.3, 1.1]])
COMPLEX = np.array([0.5 + 1j, -1.0 - 0.2j, 0.3 - 2j])
NAN = np.array([[0.5, np.nan, 2.0], [np.nan, 1.0, 3.0]])


def _recurrence(xp, factor, term, reverse=False):
    return bind(recurrence, factor, term, axis=0, reverse=reverse)


def _recurrence_in_jax(factor, term):
    def step(state, inputs):
        state = inputs[0] * state + inputs[1]
        return state, state

    return jax.lax.scan(step, term[0] * 0, (factor, term))[1]


CASES = [
    Case("cumsum of all", lambda xp, x: xp.cumsum(x), (X,)),
    Case("cumsum", lambda xp, x: xp.cumsum(x, axis=0), (X,)),
    Case("cumsum over a negative axis", lambda xp, x: x.cumsum(axis=-1), (X,)),
    Case("cumsum of a 0-d array", lambda xp, x: xp.cumsum(x), (np.array(2.0),)),
    Case("cumsum of nothing", lambda xp, x: xp.cumsum(x, axis=1), (np.zeros((2, 0)),)),
    Case("cumsum of complex numbers", lambda xp, x: xp.cumsum(x), (COMPLEX,)),
    Case("cumsum of integers", lambda xp, n: xp.cumsum(n), (np.arange(4),), order=0),
    Case("cumsum to another dtype", lambda xp, x: xp.cumsum(x, dtype=float), (X,), single="dtype is fixed"),
    Case("cumprod of all", lambda xp, x: xp.cumprod(x), (X,)),
    Case("cumprod", lambda xp, x: xp.cumprod(x, axis=1), (X,)),
    Case("cumprod of one", lambda xp, x: xp.cumprod(x), (np.array([2.0]),)),
    Case("cumprod of nothing", lambda xp, x: xp.cumprod(x), (np.zeros(0),)),
    Case("cumprod of complex numbers", lambda xp, x: xp.cumprod(x), (COMPLEX,)),
    Case("maximum.accumulate", lambda xp, x: xp.maximum.accumulate(x, axis=1), (X,)),
    Case("maximum.accumulate along the first axis", lambda xp, x: xp.maximum.accumulate(x), (X,)),
    Case("minimum.accumulate", lambda xp, x: xp.minimum.accumulate(x, axis=1), (X,)),
    Case("nancumsum of numbers", lambda xp, x: xp.nancumsum(x, axis=1), (X,)),
    Case("nancumprod of numbers", lambda xp, x: xp.nancumprod(x, axis=1), (X,)),
    Case("recurrence", _recurrence, (X.T, X.T[::-1] + 0.2), oracle=_recurrence_in_jax),
    Case(
        "reverse recurrence",
        lambda xp, factor, term: _recurrence(xp, factor, term, reverse=True),
        (X.T, X.T[::-1] + 0.2),
        oracle=lambda factor, term: _recurrence_in_jax(factor[::-1], term[::-1])[::-1],
    ),
    Case(
        "reverse cumsum",
        lambda xp, x: bind(cumsum, x, axis=1, reverse=True),
        (X,),
        oracle=lambda x: jax.lax.cumsum(x, 1, reverse=True),
    ),
    Case(
        "reverse cumprod",
        lambda xp, x: bind(cumprod, x, axis=1, reverse=True),
        (X,),
        oracle=lambda x: jax.lax.cumprod(x, 1, reverse=True),
    ),
]

if hasattr(np, "cumulative_sum"):
    CASES += [
        Case("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True), (X,)),
        Case("cumulative_sum of a vector", lambda xp, x: xp.cumulative_sum(x), (X[0],)),
        Case("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True), (X,)),
    ]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


def test_cumprod_with_zeros_to_second_order() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0])
    # Row k holds the derivatives of x0 ... xk.
    np.testing.assert_array_equal(
        jacobian(np.cumprod)(x), [[1, 0, 0, 0], [0, 2, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]]
    )
    # The second derivatives of x0 x1 x2 x3 that are not zero leave out both zeros: x0 x2 = 6.
    expected = np.zeros((4, 4))
    expected[1, 3] = expected[3, 1] = 6
    np.testing.assert_array_equal(hessian(lambda x: np.cumprod(x)[-1])(x), expected)


def test_running_extremes_share_the_gradient_among_ties() -> None:
    x = np.array([1.0, 1.0, 0.0, 2.0, 2.0])
    np.testing.assert_allclose(
        jacobian(np.maximum.accumulate)(x),
        [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0.5, 0.5]],
    )
    np.testing.assert_allclose(jacobian(np.minimum.accumulate)(-x), jacobian(np.maximum.accumulate)(x))


def test_running_max_sends_the_gradient_to_nan() -> None:
    x = np.array([1.0, np.nan, 2.0])
    np.testing.assert_array_equal(jacobian(np.maximum.accumulate)(x), [[1, 0, 0], [0, 1, 0], [0, 1, 0]])


def test_nan_is_left_out() -> None:
    np.testing.assert_array_equal(grad(lambda x: np.nancumsum(x, axis=1).sum())(NAN), [[3, 0, 1], [0, 2, 1]])
    np.testing.assert_array_equal(
        grad(lambda x: np.nancumprod(x, axis=1)[:, -1].sum())(NAN), [[2, 0, 0.5], [0, 3, 1]]
    )


def test_recurrence_matches_a_loop() -> None:
    rng = np.random.default_rng(0)
    factor, term = rng.standard_normal((2, 37, 3))
    state, expected = np.zeros(3), []
    for a, b in zip(factor, term, strict=True):
        state = a * state + b
        expected.append(state)
    np.testing.assert_allclose(bind(recurrence, factor, term, axis=0, reverse=False), expected, rtol=1e-12)


@pytest.mark.skipif(not hasattr(np, "cumulative_sum"), reason="NumPy has it since 2.1")
def test_cumulative_sum_needs_an_axis() -> None:
    with pytest.raises(ValueError, match=r"numpy\.cumulative_sum: axis must be given for 2 axes, got None"):
        vjp(np.cumulative_sum, X)


def test_out_is_refused() -> None:
    with pytest.raises(TypeError, match=r"numpy\.cumsum: out= must not be given"):
        vjp(lambda x: np.cumsum(x, out=np.zeros(8)), X)
