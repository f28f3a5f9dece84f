"""The methods of ufuncs: reduce, accumulate, reduceat, outer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jacobian, vjp
from transforms.errors import RefusedError

X = np.array([[0.5, 1.25, 2.0], [1.5, 0.75, 0.3]])
Y = np.array([0.7, 1.3])
WITH_INFINITY = np.array([[-np.inf, 1.0, 1000.0], [-np.inf, -np.inf, 2.0]])
MASK = np.array([[True, False, True], [False, True, True]])

REDUCE = [
    Case("add.reduce", lambda xp, x: xp.add.reduce(x), (X,)),
    Case("add.reduce to a dtype", lambda xp, x: xp.add.reduce(x, axis=1, keepdims=True), (X,)),
    Case("multiply.reduce", lambda xp, x: xp.multiply.reduce(x, axis=-1), (X,)),
    Case("maximum.reduce", lambda xp, x: xp.maximum.reduce(x, axis=1), (X,)),
    Case("minimum.reduce", lambda xp, x: xp.minimum.reduce(x, axis=None), (X,)),
    Case("logical_or.reduce", lambda xp, x: xp.logical_or.reduce(x > 1, axis=1), (X,), order=0),
    Case(
        "logical_and.reduce where",
        lambda xp, x: xp.logical_and.reduce(x > 1, axis=1, where=MASK),
        (X,),
        order=0,
    ),
    Case("logical_xor.reduce", lambda xp, x: xp.logical_xor.reduce(x > 1, axis=0), (X,), order=0),
    Case(
        "logaddexp.reduce",
        lambda xp, x: xp.logaddexp.reduce(x, axis=1),
        (X,),
        oracle=lambda x: jax.nn.logsumexp(x, axis=1),
    ),
    Case(
        "logaddexp.reduce of all with keepdims",
        lambda xp, x: xp.logaddexp.reduce(x, axis=None, keepdims=True),
        (X * 100,),
        oracle=lambda x: jax.nn.logsumexp(x, keepdims=True),
    ),
    Case(
        "logaddexp.reduce where",
        lambda xp, x: xp.logaddexp.reduce(x, axis=1, where=MASK, initial=0.5),
        (X,),
        oracle=lambda x: jnp.logaddexp(jax.nn.logsumexp(x, axis=1, where=MASK), 0.5),
    ),
    Case(
        "logaddexp2.reduce",
        lambda xp, x: xp.logaddexp2.reduce(x, axis=1),
        (X,),
        oracle=lambda x: jnp.log2(jnp.sum(2**x, axis=1)),
    ),
    Case(
        "hypot.reduce",
        lambda xp, x: xp.hypot.reduce(x, axis=(0, 1)),
        (X,),
        oracle=lambda x: jnp.sqrt(jnp.sum(x**2)),
    ),
    Case(
        "subtract.reduce",
        lambda xp, x: xp.subtract.reduce(x, axis=1),
        (X,),
        oracle=lambda x: x[:, 0] - x[:, 1] - x[:, 2],
    ),
    Case(
        "true_divide.reduce",
        lambda xp, x: xp.true_divide.reduce(x, axis=1, keepdims=True),
        (X,),
        oracle=lambda x: (x[:, 0] / x[:, 1] / x[:, 2])[:, None],
    ),
    Case(
        "power.reduce with an initial value",
        lambda xp, x: xp.power.reduce(x, axis=0, initial=2.0),
        (X,),
        oracle=lambda x: (2.0 ** x[0]) ** x[1],
    ),
]

OTHERS = [
    Case("add.accumulate", lambda xp, x: xp.add.accumulate(x, axis=1), (X,)),
    Case("multiply.accumulate", lambda xp, x: xp.multiply.accumulate(x), (X,)),
    Case(
        "logaddexp.accumulate",
        lambda xp, x: xp.logaddexp.accumulate(x, axis=1),
        (X,),
        oracle=lambda x: jax.lax.cumlogsumexp(x, 1),
    ),
    Case(
        "logaddexp.accumulate of one",
        lambda xp, x: xp.logaddexp.accumulate(x, axis=1),
        (X[:, :1],),
        oracle=lambda x: x,
    ),
    Case(
        "divide.accumulate",
        lambda xp, x: xp.true_divide.accumulate(x, axis=1),
        (X,),
        oracle=lambda x: jnp.stack([x[:, 0], x[:, 0] / x[:, 1], x[:, 0] / x[:, 1] / x[:, 2]], 1),
    ),
    Case(
        "add.reduceat",
        lambda xp, x: xp.add.reduceat(x, np.array([0, 2, 1]), axis=1),
        (X,),
        oracle=lambda x: jnp.stack([x[:, 0] + x[:, 1], x[:, 2], x[:, 1] + x[:, 2]], 1),
    ),
    Case(
        "maximum.reduceat",
        lambda xp, x: xp.maximum.reduceat(x, [0, 1], axis=0),
        (X,),
        oracle=lambda x: x,
    ),
    Case("multiply.outer", lambda xp, x, y: xp.multiply.outer(x, y), (X, Y)),
    Case("power.outer", lambda xp, x, y: xp.power.outer(x, y), (X, Y), oracle=lambda x, y: x[..., None] ** y),
    Case("add.outer with a number", lambda xp, x: xp.add.outer(2.0, x), (X,)),
]


@parametrize(REDUCE + OTHERS)
def test_laws(case: Case) -> None:
    check(case)


# --- log-sum-exp at its hard points


def test_logsumexp_of_infinities_and_large_numbers() -> None:
    def f(x):
        return np.logaddexp.reduce(x, axis=1)

    out, pullback = vjp(f, WITH_INFINITY)
    np.testing.assert_array_equal(out, [1000.0, 2.0])
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [[0, 0, 1], [0, 0, 1]])
    assert np.all(np.isfinite(hessian(lambda x: np.sum(f(x)))(WITH_INFINITY)))


def test_logsumexp_of_nothing_but_minus_infinity() -> None:
    x = np.full(3, -np.inf)
    out, pullback = vjp(np.logaddexp.reduce, x)
    assert out == -np.inf
    np.testing.assert_array_equal(pullback(1.0)[0], [0, 0, 0])


def test_logsumexp_of_large_numbers() -> None:
    np.testing.assert_allclose(grad(np.logaddexp.reduce)(np.array([1000.0, 1000.0])), [0.5, 0.5])


def test_logsumexp_of_an_empty_array() -> None:
    assert vjp(np.logaddexp.reduce, np.zeros(0))[0] == -np.inf


# --- by parts


def test_reduction_of_nothing_gives_the_neutral_element() -> None:
    np.testing.assert_array_equal(vjp(lambda x: np.hypot.reduce(x), np.zeros((0, 2)))[0], [0, 0])
    with pytest.raises(ValueError, match=r"numpy\.fmax\.reduce: the reduced axes must have at least one"):
        vjp(lambda x: np.fmax.reduce(x), np.zeros((0, 2)))


def test_order_matters_for_some() -> None:
    with pytest.raises(ValueError, match=r"numpy\.subtract\.reduce: the axis must be one"):
        vjp(lambda x: np.subtract.reduce(x, axis=(0, 1)), X)


def test_mask_needs_a_neutral_element() -> None:
    with pytest.raises(ValueError, match=r"where= must be given only for a ufunc with a neutral element"):
        vjp(lambda x: np.fmax.reduce(x, axis=1, where=MASK), X)


def test_fmax_prefers_numbers() -> None:
    x = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(jacobian(np.fmax.accumulate)(x), [[1, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_unary_ufuncs_do_not_reduce() -> None:
    with pytest.raises(ValueError, match=r"reduce"):
        vjp(lambda x: np.sin.reduce(x), X)


def test_reduceat_out_of_range() -> None:
    with pytest.raises(IndexError, match=r"numpy\.add\.reduceat: indices must lie in \[0, 3\), got \[0, 3\]"):
        vjp(lambda x: np.add.reduceat(x, [0, 3], axis=1), X)


def test_at_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"numpy\.add\.at: .* write transforms\.at\(x\)\[indices\]\.add"):
        vjp(lambda x: np.add.at(x, [0], 1.0), X)
    with pytest.raises(RefusedError, match=r"numpy\.add\.at"):
        vjp(lambda x: np.add.at(np.zeros(3), [0], x), np.array(1.0))
