"""The working forms of what NumPy and SciPy cannot intercept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import transforms.numpy as tnp
from tests.transforms.laws import Case, check, parametrize
from transforms import grad, jvp, stage, vjp, vmap
from transforms.errors import ConcreteValueError
from transforms.scipy import special

X = np.array([[0.4, -1.0, 2.0], [0.3, 0.1, -0.7]])


def _special(name, **options):
    return lambda xp, *args: getattr(special, name)(*args, **options)


CASES = [
    Case("array", lambda xp, x: tnp.array([x[0], [x[1, 0], 2.0, 1]]), (X,), oracle="a form of our own"),
    Case("full", lambda xp, x: tnp.full((4, 2, 3), x), (X,), oracle="a form of our own"),
    Case("asarray", lambda xp, x: tnp.asarray([x, x * 2]), (X,), oracle="a form of our own"),
    Case("vectorize", lambda xp, x: tnp.vectorize(lambda a, b: a * np.sin(b))(x, x[0]), (X,), oracle="ours"),
    Case(
        "logsumexp",
        _special("logsumexp", axis=1),
        (X,),
        oracle=lambda x: jax.scipy.special.logsumexp(x, axis=1),
    ),
    Case(
        "logsumexp-all-keepdims",
        _special("logsumexp", keepdims=True),
        (X,),
        oracle=lambda x: jax.scipy.special.logsumexp(x, keepdims=True),
    ),
    Case(
        "logsumexp-sign",
        lambda xp, x, b: special.logsumexp(x, axis=1, b=b, return_sign=True),
        (X, -X[::-1]),
        oracle=lambda x, b: jax.scipy.special.logsumexp(x, axis=1, b=b, return_sign=True),
    ),
    Case("softmax", _special("softmax", axis=-1), (X,), oracle=lambda x: jax.nn.softmax(x, axis=-1)),
    Case("softmax-all", _special("softmax"), (X,), oracle=lambda x: jax.nn.softmax(x, axis=(0, 1))),
    Case("log_softmax", _special("log_softmax", axis=0), (X,), oracle=lambda x: jax.nn.log_softmax(x, 0)),
    Case(
        "multigammaln",
        _special("multigammaln", d=3),
        (np.array([2.5, 4.0]),),
        oracle=lambda a: jax.scipy.special.multigammaln(a, 3),
    ),
    Case(
        "polygamma",
        lambda xp, x: special.polygamma(2, x),
        (np.array([[0.4, 1.0], [2.5, 7.0]]),),
        oracle=lambda x: jax.scipy.special.polygamma(2, x),
    ),
    Case(
        "polygamma-0",
        lambda xp, x: special.polygamma(0, x),
        (np.array([0.4, 2.5]),),
        oracle=lambda x: jax.scipy.special.polygamma(0, x),
    ),
]  # fmt: skip


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("logsumexp", (X,), {}),
        ("logsumexp", (X,), {"axis": (0, 1), "keepdims": True}),
        ("logsumexp", (X,), {"axis": 0, "b": X**2}),
        ("logsumexp", (X,), {"axis": 1, "return_sign": True}),
        ("logsumexp", (np.array([1000.0, -np.inf]),), {"b": np.array([2.0, 0.0])}),
        ("softmax", (X,), {"axis": 1}),
        ("log_softmax", (X,), {"axis": 1}),
        ("multigammaln", (np.array(2.5), 2), {}),
        ("polygamma", (0, np.array(2.5)), {}),
        ("polygamma", (1, np.array([0.1, 2.5])), {}),
        ("polygamma", (4, np.array([0.1, 2.5])), {}),
    ],
)
def test_values_are_scipys(name, args, options):
    got = getattr(special, name)(*args, **options)
    expected = getattr(scipy.special, name)(*args, **options)
    for x, y in zip(np.atleast_1d(got), np.atleast_1d(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_the_order_of_polygamma_is_checked():
    with pytest.raises(ValueError, match="polygamma: the order n must not be negative, got -1"):
        special.polygamma(-1, 1.0)
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        special.polygamma(1.5, 1.0)


def test_large_and_infinite_arguments():
    a = np.array([1000.0, 1000.0, -np.inf])
    value, pullback = vjp(special.logsumexp, a)
    assert value == 1000.0 + np.log(2.0)
    np.testing.assert_array_equal(pullback(1.0)[0], [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(grad(lambda a: special.softmax(a)[0])(a), [0.25, -0.25, 0.0])


# --- array


def test_python_numbers_do_not_widen():
    out, _ = jvp(lambda x: tnp.array([x, 1.0, 2]), (np.float32(3.0),), (np.float32(1.0),))
    assert out.dtype == np.float32
    assert tnp.array([np.float32(3.0), 1.0]).dtype == np.float32
    assert tnp.array([1, 2.0]).dtype == np.float64
    assert tnp.array([1, 2], np.float32).dtype == np.float32


def test_an_array_stays_as_it_is():
    assert tnp.asarray(X) is X
    assert grad(lambda x: tnp.asarray(x) * 2)(1.0) == 2.0


# --- arange


def test_arange_has_derivatives_in_start_and_step():
    def f(start, step):
        return np.sum(tnp.arange(start, 3.0, step))

    assert grad(f, (0, 1))(1.0, 0.5) == (4.0, 6.0)
    np.testing.assert_array_equal(tnp.arange(4), np.arange(4))
    np.testing.assert_array_equal(tnp.arange(5, 1, -2), np.arange(5, 1, -2))


def test_arange_needs_known_values():
    with pytest.raises(ConcreteValueError, match=r"the number of elements must not depend .* np.linspace"):
        stage(lambda x: tnp.arange(x))(3.0)


# --- vectorize


def test_a_signature_names_the_functions_own_axes():
    function = tnp.vectorize(lambda m, v: m @ v, signature="(m,n),(n)->(m)")
    m, v = np.arange(24.0).reshape(4, 3, 2), np.arange(2.0)
    np.testing.assert_allclose(
        function(m, v), np.vectorize(lambda m, v: m @ v, signature="(m,n),(n)->(m)")(m, v)
    )
    oracle = jax.grad(lambda v: jnp.sum(jnp.vectorize(jnp.dot, signature="(m,n),(n)->(m)")(m, v) ** 2))
    np.testing.assert_allclose(grad(lambda v: np.sum(function(m, v) ** 2))(v), oracle(v), rtol=1e-5)


def test_vectorize_of_numbers_broadcasts():
    function = tnp.vectorize(lambda a, b: (a + b, a * b))
    total, product = function(np.arange(3.0)[:, None], np.arange(2.0))
    np.testing.assert_array_equal(total, [[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(product, [[0, 0], [0, 1], [0, 2]])
    assert vmap(function, in_axes=(0, None))(np.ones((5, 3)), 2.0)[0].shape == (5, 3)


def test_signatures_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="vectorize: signature must read like"):
        tnp.vectorize(np.sin, signature="n->n")
    with pytest.raises(ValueError, match=r"the arguments must have at least the axes \[1, 1\]"):
        tnp.vectorize(np.dot, signature="(n),(n)->()")(np.ones(3), 1.0)
