"""Bessel and Airy functions obey the laws; slopes at 0 are right."""

import jax
import jax.scipy.special as jax_special
import numpy as np
import pytest
from scipy import special

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, vjp
from transforms.errors import NoRuleError

X = np.array([0.7, 1.3, 2.4])
SIGNED = np.array([0.7, -1.3, 2.4])
Z = np.array([0.7 + 0.2j, 1.3 - 0.8j])
NO_ORACLE = "JAX does not have it"

ORDERS = ["jv", "yv", "iv", "ive", "kv", "kve"]

CASES = [
    *(
        Case(
            name,
            lambda xp, x, name=name: getattr(special, name)(x),
            (x,),
            oracle=jax.jit(getattr(jax_special, name)) if hasattr(jax_special, name) else NO_ORACLE,
        )
        for names, x in (
            (("j0", "j1", "i0", "i1", "i0e", "i1e", "airy"), SIGNED),
            (("y0", "y1", "k0", "k1", "k0e", "k1e"), X),
        )
        for name in names
    ),
    *(
        Case(
            f"{name} of order {order}",
            lambda xp, x, name=name, order=order: getattr(special, name)(order, x),
            (X,),
            oracle=NO_ORACLE,
        )
        for name in ORDERS
        for order in (0, 1.5)
    ),
    *(
        Case(
            f"{name} complex", lambda xp, z, name=name: getattr(special, name)(1.5, z), (Z,), oracle=NO_ORACLE
        )
        for name in ("jv", "iv", "kve", "hankel1", "hankel2")
    ),
    Case("i0 of NumPy", lambda xp, x: xp.i0(x), (SIGNED,)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_slopes_at_zero():
    assert grad(special.j0)(0.0) == 0.0
    assert grad(special.j1)(0.0) == 0.5
    assert grad(special.i1)(0.0) == 0.5
    assert grad(special.i1e)(0.0) == 0.5
    # the scale has a kink at 0, where its slope is taken as 0
    assert grad(special.i0e)(0.0) == 0.0
    assert grad(grad(special.j0))(0.0) == -0.5


def test_the_order_has_no_derivative():
    with pytest.raises(
        NoRuleError, match=r"jv must have a vjp rule for operand 0, got none: no derivative .* order"
    ):
        grad(special.jv)(1.0, 2.0)


def test_the_scaled_function_is_not_holomorphic():
    with pytest.raises(
        NoRuleError, match="ive: the argument must be real to be differentiated, got complex128"
    ):
        vjp(lambda z: special.ive(0, z), Z)[1](Z)
