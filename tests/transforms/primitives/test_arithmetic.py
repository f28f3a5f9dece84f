"""Arithmetic obeys the laws; its kinks and zeros have the derivatives that are promised."""

import jax
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jvp, stage, vjp, vmap
from transforms.errors import NoRuleError

X = np.array([0.7, -1.3, 2.4])
Y = np.array([1.9, 0.6, -0.7])
COLUMN = np.array([[1.1], [-0.4]])
Z = np.array([0.7 + 0.2j, -1.3 - 0.8j])
W = np.array([-0.4 + 1.2j, 0.9 - 0.3j])
N = np.array([3, -2, 1])

CASES = [
    Case("add", lambda xp, x, y: xp.add(x, y), (X, Y)),
    Case("add broadcasts", lambda xp, x, y: x + y, (X, COLUMN)),
    Case("add of 0-d", lambda xp, x, y: x + y, (np.array(0.5), X)),
    Case("add of empty", lambda xp, x, y: x + y, (np.zeros((0, 3)), X)),
    Case("add of a number", lambda xp, x: 1.5 + x, (X,)),
    Case("add of integers", lambda xp, x, n: x + n, (X, N), single="int64 promotes it"),
    Case("subtract", lambda xp, x, y: xp.subtract(x, y), (X, COLUMN)),
    Case("multiply", lambda xp, x, y: xp.multiply(x, y), (X, COLUMN)),
    Case("multiply complex", lambda xp, x, y: x * y, (Z, W)),
    Case("multiply real by complex", lambda xp, x, z: x * z, (X[:2], Z)),
    Case("divide", lambda xp, x, y: xp.divide(x, y), (X, COLUMN)),
    Case("divide complex", lambda xp, x, y: x / y, (Z, W)),
    Case("divide a number", lambda xp, x: 2.0 / x, (X,)),
    Case("negative", lambda xp, x: xp.negative(x), (X,)),
    Case("positive", lambda xp, x: xp.positive(x), (X,)),
    Case("floor_divide", lambda xp, x, y: xp.floor_divide(x, y), (X, Y), order=0),
    Case("remainder", lambda xp, x, y: xp.remainder(x, y), (X, Y)),
    Case("remainder of a number", lambda xp, x: 5.3 % x, (X,)),
    Case("fmod", lambda xp, x, y: xp.fmod(x, y), (X, Y)),
    Case("divmod", lambda xp, x, y: xp.divmod(x, y), (X, Y)),
    Case("divmod operator", lambda xp, x: divmod(x, 0.55), (X,)),
    Case("absolute", lambda xp, x: xp.absolute(x), (X,)),
    Case("absolute complex", lambda xp, z: xp.absolute(z), (Z,)),
    Case("fabs", lambda xp, x: xp.fabs(x), (X,)),
    Case("sign", lambda xp, x: xp.sign(x), (X,), order=0),
    Case("sign complex", lambda xp, z: xp.sign(z), (Z,), oracle=lambda z: z / abs(z)),
    Case("signbit", lambda xp, x: xp.signbit(x), (X,), order=0),
    Case("copysign", lambda xp, x, y: xp.copysign(x, y), (X, Y)),
    Case("heaviside", lambda xp, x, y: xp.heaviside(x, y), (np.array([-1.0, 2.0]), Y[:2])),
    Case("ldexp", lambda xp, x, n: xp.ldexp(x, n), (X, N)),
    Case("frexp", lambda xp, x: xp.frexp(x), (X,), oracle="JAX gives its derivative as zero"),
    Case("modf", lambda xp, x: xp.modf(x), (X,)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_magnitudes_are_flat_at_zero():
    assert grad(np.absolute)(0.0) == 0.0
    assert grad(np.fabs)(0.0) == 0.0
    assert grad(lambda x: np.copysign(x, -1.0))(0.0) == 0.0
    assert grad(np.absolute)(0j) == 0.0
    assert np.sign(0j) == vjp(np.sign, 0j)[0]


def test_the_gradient_of_a_complex_magnitude_is_conjugate():
    assert grad(np.absolute)(3.0 + 4.0j) == pytest.approx(0.6 - 0.8j)
    _, tangent = jvp(np.absolute, (3.0 + 4.0j,), (1j,))
    assert tangent == pytest.approx(0.8)
    assert tangent.dtype == np.float64


def test_heaviside_depends_on_its_value_at_zero_only():
    x = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(grad(lambda h: np.sum(np.heaviside(x, h)))(0.5), 1.0)
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.heaviside(x, 0.5)))(x), np.zeros(3))


def test_fmod_counts_whole_quotients_where_the_division_rounds_up():
    # 1 / 0.1 rounds to 10, but 0.1 fits into 1 only 9 times.
    assert grad(np.fmod, argnums=1)(1.0, 0.1) == -9.0
    assert grad(np.remainder, argnums=1)(1.0, 0.1) == -9.0


def test_the_parts_of_special_floats():
    x = np.array([np.inf, -np.inf, 5e-324, 0.0, -2.75])
    for function in (np.frexp, np.modf):
        out, _ = vjp(function, x)
        for got, expected in zip(out, function(x), strict=True):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype


def test_the_parts_of_a_float_take_their_derivatives():
    # 6 = 0.75 * 2**3, and 2.75 = 0.75 + 2
    assert grad(lambda x: np.frexp(x)[0])(6.0) == 0.125
    assert grad(lambda x: np.modf(x)[0])(2.75) == 1.0
    assert grad(lambda x: np.modf(x)[1])(2.75) == 0.0
    # at a whole number as well, where the fraction is 0
    assert grad(lambda x: np.modf(x)[0])(3.0) == 1.0


def test_several_results_in_batches_and_programs():
    x = np.array([[1.5, -2.5], [7.3, 0.4]])
    fraction, whole = vmap(np.modf, in_axes=1)(x)
    np.testing.assert_allclose(fraction, np.modf(x.T)[0])
    np.testing.assert_array_equal(whole, np.modf(x.T)[1])
    quotient, rest = vmap(np.divmod, in_axes=(0, None))(x, 0.6)
    np.testing.assert_array_equal(quotient, np.divmod(x, 0.6)[0])
    np.testing.assert_array_equal(rest, np.divmod(x, 0.6)[1])
    assert len(stage(np.divmod)(1.0, 2.0).outputs) == 2


def test_neighbours_batch_but_have_no_derivative():
    np.testing.assert_array_equal(vmap(np.nextafter)(X, Y), np.nextafter(X, Y))
    np.testing.assert_array_equal(vmap(np.spacing)(X), np.spacing(X))
    with pytest.raises(NoRuleError, match="vjp: nextafter must have a vjp rule for operand 0, got none"):
        grad(lambda x: np.nextafter(x, 2.0))(1.0)
    with pytest.raises(NoRuleError, match=r"spacing .* how numbers are represented"):
        grad(np.spacing)(1.0)


def test_integers_beside_floats_stay_single_precision():
    x = np.ones(2, np.float32)
    assert grad(lambda x: np.sum(3 * x / 2 - 1))(x).dtype == np.float32


def test_division_equals_jax_in_single_precision():
    x, y = np.float32(1.7), np.float32(-0.3)
    expected = jax.grad(lambda x, y: x / y, argnums=(0, 1))(x, y)
    np.testing.assert_allclose(grad(lambda x, y: x / y, argnums=(0, 1))(x, y), expected, rtol=1e-6)


def test_mixed_second_derivatives():
    def product(v):
        return v[0] * v[1] * v[1]

    np.testing.assert_array_equal(hessian(product)(np.array([3.0, 2.0])), [[0.0, 4.0], [4.0, 6.0]])
