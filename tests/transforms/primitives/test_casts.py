"""Casts obey the laws; integers cut the derivative, and so does stop_gradient."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jvp, stage, stop_gradient, vjp

X = np.array([0.7, -1.3, 2.4])

CASES = [
    Case("to float32", lambda xp, x: x * 2.0 + x.astype(np.float64), (X,), single="it asks for float64"),
    Case("to complex", lambda xp, x: x.astype(np.complex128) * 2j, (X,), single="it asks for complex128"),
    Case("of integers", lambda xp, x, n: x * n.astype(np.float32), (X, np.arange(3))),
    Case("to integers", lambda xp, x: x.astype(np.int32), (X,), order=0),
    Case("to booleans", lambda xp, x: x.astype(bool), (X,), order=0),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_a_cast_casts_the_derivative_back():
    out, pullback = vjp(lambda x: x.astype(np.float32), X)
    assert out.dtype == np.float32
    (cotangent,) = pullback(np.ones(3, np.float32))
    assert cotangent.dtype == np.float64
    _, tangent = jvp(lambda x: x.astype(np.float32), (X,), (np.ones(3),))
    assert tangent.dtype == np.float32


def test_a_cast_to_integers_cuts_the_derivative():
    np.testing.assert_array_equal(grad(lambda x: np.sum(x.astype(int) * x))(X), [0.0, -1.0, 2.0])


def test_a_cast_to_the_same_type_is_nothing():
    assert len(stage(lambda x: x.astype(np.float64))(X).equations) == 0


def test_the_function_astype():
    astype = pytest.importorskip("numpy", minversion="2.1").astype
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(astype(x, np.float32) ** 2))(X), 2 * X.astype(np.float32)
    )


def test_a_ufunc_with_a_dtype_casts_its_operands():
    out, _ = vjp(lambda x: np.sin(x, dtype=np.float32), X)
    assert out.dtype == np.float32


def test_stop_gradient_stops_every_order():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert grad(lambda x: stop_gradient({"a": x, "b": None})["a"] + x)(3.0) == 1.0
    np.testing.assert_array_equal(hessian(lambda x: np.sum(stop_gradient(x) * x))(X), np.zeros((3, 3)))
    assert jvp(lambda x: stop_gradient(x) * 1.0, (2.0,), (1.0,))[1] == 0.0
    assert "stop_gradient" in str(stage(stop_gradient)(X))
    assert stop_gradient(2.5) == 2.5
