"""Complex numbers and their parts obey the laws."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, jvp, stage
from transforms.errors import ConcreteValueError

X = np.array([0.7, -1.3, 0.4])
Z = np.array([0.7 + 0.2j, -1.3 - 0.8j, 1.5])

CASES = [
    Case("conjugate", lambda xp, z: xp.conjugate(z), (Z,)),
    Case("conjugate of reals", lambda xp, x: xp.conj(x), (X,)),
    Case("conj method", lambda xp, z: z.conj() * z, (Z,)),
    Case("real", lambda xp, z: xp.real(z), (Z,)),
    Case("imag", lambda xp, z: xp.imag(z), (Z,)),
    Case("parts", lambda xp, z: z.real * z.imag, (Z,)),
    Case("real of reals", lambda xp, x: xp.real(x), (X,)),
    Case("imag of reals", lambda xp, x: x + xp.imag(x), (X,)),
    Case("angle", lambda xp, z: xp.angle(z), (Z,)),
    Case("angle in degrees", lambda xp, z: xp.angle(z, deg=True), (Z,)),
    Case("angle of reals", lambda xp, x: x * xp.angle(x), (X,)),
    Case("tests", lambda xp, z: (xp.isreal(z), xp.iscomplex(z)), (Z,), order=0),
    Case("tests of reals", lambda xp, x: (xp.isreal(x), xp.iscomplex(x)), (X,), order=0),
    Case("from parts", lambda xp, x, y: abs(x + 1j * y), (X, X + 1)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_gradients_of_real_functions_of_a_complex_number():
    # grad is df/dx - i df/dy
    assert grad(np.real)(1.0 + 2.0j) == 1.0
    assert grad(np.imag)(1.0 + 2.0j) == -1j
    assert grad(lambda z: np.real(z * np.conj(z)))(1.0 + 2.0j) == 2.0 - 4.0j
    _, tangent = jvp(np.imag, (1.0 + 2.0j,), (3.0 + 4.0j,))
    assert tangent == 4.0
    assert tangent.dtype == np.float64


def test_real_if_close_looks_at_the_values():
    z = np.array([1.0 + 1e-20j])
    assert grad(lambda z: np.sum(np.real_if_close(z)))(z).dtype == np.complex128
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.real_if_close(x * 2.0)))(X), [2.0, 2.0, 2.0])
    with pytest.raises(TypeError, match="real"):
        grad(lambda z: np.sum(np.real_if_close(z)))(Z)
    with pytest.raises(ConcreteValueError, match="must not depend on an array's values"):
        stage(np.real_if_close)(Z)
