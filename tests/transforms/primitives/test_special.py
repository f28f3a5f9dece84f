"""The functions of scipy.special obey the laws; SciPy is imported only for those who use it."""

import subprocess
import sys

import jax
import jax.scipy.special as jax_special
import numpy as np
import pytest
from scipy import special

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, hessian, jvp, stage, vjp, vmap
from transforms.errors import NoRuleError, RefusedError

X = np.array([0.7, -1.3, 0.4])
POSITIVE = np.array([0.7, 1.3, 2.4])
UNIT = np.array([0.2, 0.55, 0.9])
Z = np.array([0.7 + 0.2j, 1.3 - 0.8j])
N = np.array([1, 2, 3])
NO_ORACLE = "JAX does not have it"
SLOW = "JAX takes long to compile it; differences check it"
WIDE = "SciPy computes in float64 where a parameter is a Python number"
INF = np.inf


def compiled(name):
    """Return JAX's function as one program, which is quicker to compile than its parts one by one."""
    return jax.jit(getattr(jax_special, name)) if hasattr(jax_special, name) else None


def case(name, *args, **options):
    """A function by its name, which JAX has under the same name unless ``oracle`` says otherwise."""
    oracle = options.pop("oracle", None) or compiled(name) or NO_ORACLE
    return Case(name, lambda xp, *args: getattr(special, name)(*args), args, oracle=oracle, **options)


def with_parameters(name, parameters, x, **options):
    """A function of which only the last operand has a derivative."""
    oracle = compiled(name)
    return Case(
        name,
        lambda xp, x: getattr(special, name)(*parameters, x),
        (x,),
        **{"oracle": (lambda x: oracle(*parameters, x)) if oracle else NO_ORACLE, **options},
    )


CASES = [
    *(case(name, X) for name in ("erf", "erfc", "erfcx", "erfi", "dawsn", "expit", "log_expit")),
    *(case(name, X) for name in ("exp2", "exp10", "expm1", "cbrt", "cosm1", "exprel")),
    *(case(name, X * 40) for name in ("sindg", "cosdg", "tandg", "cotdg")),
    *(case(name, X) for name in ("ndtr", "log_ndtr")),
    *(case(name, UNIT) for name in ("erfinv", "erfcinv", "logit", "ndtri")),
    *(case(name, POSITIVE) for name in ("gammaln", "loggamma", "gamma", "digamma", "rgamma", "log1p")),
    case("entr", POSITIVE),
    *(case(name, POSITIVE, oracle=SLOW) for name in ("exp1", "expi")),
    case("betaln", POSITIVE, POSITIVE[::-1] + 0.2),
    case("poch", POSITIVE, UNIT, oracle=SLOW),
    case("beta", POSITIVE, UNIT, oracle=SLOW),
    *(case(name, POSITIVE, POSITIVE[:, None] + 0.2) for name in ("xlogy", "xlog1py", "rel_entr", "kl_div")),
    case("ndtri_exp", np.log(UNIT)),
    case("gamma", -POSITIVE),
    case("digamma", -POSITIVE),
    case("round", X, order=0, oracle="it is rint"),
    case("gammasgn", X, order=0),
    case("spence", POSITIVE, oracle="JAX's derivative is NaN above 1"),
    case("owens_t", X, UNIT),
    case("huber", np.array(1.0), X),
    case("pseudo_huber", np.array(1.2), X),
    case("boxcox", POSITIVE, np.array([0.5, 0.0, -0.3]), oracle="JAX's derivative at exponent 0 is 0"),
    case("boxcox1p", POSITIVE, np.array([0.5, 0.0, -0.3]), oracle="JAX's derivative at exponent 0 is 0"),
    *(case(name, POSITIVE) for name in ("fresnel", "sici", "shichi")),
    *(Case(f"{name} complex", lambda xp, z, name=name: getattr(special, name)(z), (Z,), oracle=NO_ORACLE)
      for name in ("erf", "erfcx", "wofz", "dawsn")),
    *(
        Case(
            f"{name} complex",
            lambda xp, z, name=name: getattr(special, name)(z),
            (Z,),
            order=1,
            oracle=NO_ORACLE,
        )
        for name in ("loggamma", "gamma", "rgamma")
    ),
    with_parameters("zeta", (2.5,), POSITIVE + 1, oracle=SLOW),
    with_parameters("gammainc", (1.7,), POSITIVE, single=WIDE),
    with_parameters("gammaincc", (1.7,), POSITIVE, single=WIDE, oracle=SLOW),
    with_parameters("gammaincinv", (1.7,), UNIT, single=WIDE),
    with_parameters("gammainccinv", (1.7,), UNIT, single=WIDE),
    with_parameters("betainc", (1.7, 0.6), UNIT),
    with_parameters("betaincc", (1.7, 0.6), UNIT),
    with_parameters("betaincinv", (1.7, 0.6), UNIT),
    with_parameters("expn", (3,), POSITIVE, single=WIDE, oracle=SLOW),
    with_parameters("hyp0f1", (1.3,), POSITIVE),
    with_parameters("hyp1f1", (1.3, 0.8), UNIT, oracle=SLOW),
    with_parameters("hyp2f1", (1.3, 0.8, 2.1), UNIT / 2, single=WIDE, oracle=SLOW),
]  # fmt: skip


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_scipy_is_imported_by_those_who_use_it():
    code = (
        "import sys, numpy as np, transforms\n"
        "np.sin(1.0), transforms.grad(np.sin)(1.0)\n"
        "assert 'scipy' not in sys.modules\n"
        "assert abs(transforms.grad(np.i0)(1.0) - 0.5651591039924851) < 1e-12\n"
        "assert 'scipy.special' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_entropies_at_zero():
    # where both are zero, so are the function and its slopes: a label that is impossible and predicted so
    for at_zero in (0.0, np.float32(0.0)):
        assert grad(special.xlogy, argnums=(0, 1))(at_zero, at_zero) == (0.0, 0.0)
        assert grad(special.xlog1py, argnums=(0, 1))(at_zero, at_zero - 1) == (0.0, 0.0)
    assert grad(special.xlogy, argnums=(0, 1))(0.0, 2.0) == (np.log(2.0), 0.0)
    assert grad(special.xlogy, argnums=1)(3.0, 2.0) == 1.5
    np.testing.assert_array_equal(hessian(lambda v: special.xlogy(v[0], v[1]))(np.zeros(2)), np.zeros((2, 2)))
    with np.errstate(divide="ignore"):
        assert grad(special.entr)(0.0) == INF


def test_tails_keep_their_digits():
    assert grad(special.log_expit)(800.0) == 0.0
    assert grad(special.log_expit)(-800.0) == 1.0
    assert grad(special.log_ndtr)(-40.0) == pytest.approx(40.0 + 1 / 40.0, rel=1e-4)
    assert grad(special.expit)(-700.0) == pytest.approx(np.exp(-700.0))


def test_slopes_at_removable_singularities():
    assert grad(special.exprel)(0.0) == 0.5
    assert grad(grad(special.exprel))(0.0) == pytest.approx(1 / 3)
    assert grad(special.exprel)(1e-9) == pytest.approx(0.5)
    assert grad(special.spence)(1.0) == -1.0
    assert grad(lambda x: special.sici(x)[0])(1e-9) == pytest.approx(1.0)
    # d/dp (x**p - 1) / p at p = 0 is log(x)**2 / 2
    assert grad(special.boxcox, argnums=1)(3.0, 0.0) == pytest.approx(np.log(3.0) ** 2 / 2)


def test_higher_derivatives_of_the_gamma_function():
    # psi'(1) = pi**2 / 6, psi''(1) = -2 zeta(3), psi'''(1) = pi**4 / 15
    derivative = special.digamma
    for expected in (np.pi**2 / 6, -2 * special.zeta(3.0), np.pi**4 / 15):
        derivative = grad(derivative)
        assert derivative(1.0) == pytest.approx(expected)


def test_functions_of_several_results():
    x = np.array([[0.5, 1.5], [2.5, 0.1]])
    for got, expected in zip(vmap(special.fresnel, in_axes=1)(x), special.fresnel(x.T), strict=True):
        np.testing.assert_allclose(got, expected)
    (first, second), (slope, other) = jvp(special.fresnel, (1.0,), (1.0,))
    assert (first, second) == special.fresnel(1.0)
    assert (slope, other) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-12))
    assert grad(lambda x: special.sici(x)[1])(2.0) == pytest.approx(np.cos(2.0) / 2.0)
    assert len(stage(special.fresnel)(1.0).outputs) == 2


def test_parameters_without_a_derivative_say_so():
    with pytest.raises(
        NoRuleError, match="gammainc must have a vjp rule for operand 0, got none: no derivative"
    ):
        grad(special.gammainc)(1.5, 0.7)
    with pytest.raises(NoRuleError, match=r"expn .* defined at integers only"):
        jvp(special.expn, (2.0, 0.7), (1.0, 1.0))
    with pytest.raises(NoRuleError, match="digamma: the argument must be real to be differentiated"):
        jvp(special.digamma, (1j,), (1.0,))


def test_what_has_no_rules_is_refused():
    with pytest.raises(RefusedError, match="struve: the arguments must be plain arrays, got a traced one"):
        vjp(lambda x: special.struve(0.5, x), X)


def test_numpys_own_primitives_serve_scipys_functions():
    assert "expm1" in str(stage(special.expm1)(X))
