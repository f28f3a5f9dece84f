import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, vjp

A, B = np.array(0.5), np.array(3.0)
ROW = np.array([0.5, 1.5])

CASES = [
    Case("linspace", lambda xp, a, b: xp.linspace(a, b, 5), (A, B)),
    Case("linspace-open", lambda xp, a, b: xp.linspace(a, b, 5, endpoint=False), (A, B)),
    Case("linspace-step", lambda xp, a, b: xp.linspace(a, b, 5, retstep=True), (A, B)),
    Case("linspace-rows", lambda xp, a, b: xp.linspace(a, b, 4, axis=-1), (ROW, B)),
    Case("linspace-one", lambda xp, a: xp.linspace(a, 3.0, 1), (A,)),
    Case("linspace-none", lambda xp, a: xp.linspace(a, 3.0, 0), (A,), oracle="JAX gives no float64"),
    Case("logspace", lambda xp, a, b: xp.logspace(a, b, 5), (A, B)),
    Case("logspace-base", lambda xp, a, b, base: xp.logspace(a, b, 5, base=base), (A, B, np.array(2.5))),
    Case(
        "logspace-bases",
        lambda xp, a, base: xp.logspace(a, 2.0, 3, base=base, axis=1),
        (ROW, np.array([2.0, 3.0])),
        oracle="JAX takes no array of bases along another axis",
    ),
    Case("geomspace", lambda xp, a, b: xp.geomspace(a, b, 5), (A, B)),
    Case("geomspace-negative", lambda xp, a, b: xp.geomspace(-a, -b, 5), (A, B)),
    Case("geomspace-open", lambda xp, a, b: xp.geomspace(a, b, 4, endpoint=False), (ROW, B)),
    Case("geomspace-one", lambda xp, a: xp.geomspace(a, 3.0, 1), (A,)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_the_ends_are_exact():
    a, b = 0.1, 0.7
    got, _ = vjp(lambda a, b: (np.linspace(a, b, 23), np.geomspace(a, b, 23)), a, b)
    assert got[0][0] == got[1][0] == a
    assert got[0][-1] == got[1][-1] == b


def test_an_integer_dtype_rounds_down_and_has_no_derivative():
    got, _ = vjp(lambda a: np.sum(a) * np.linspace(-a, a, 4, dtype=int), 1.5)
    np.testing.assert_array_equal(got, 1.5 * np.linspace(-1.5, 1.5, 4, dtype=int))


def test_complex_geometric_sequences():
    got, _ = vjp(lambda a: np.geomspace(a, -a, 5), np.array(1j))
    np.testing.assert_allclose(got, np.geomspace(1j, -1j, 5), atol=1e-12)


def test_a_negative_number_of_samples_is_an_error():
    with pytest.raises(ValueError, match=r"numpy.linspace: num must not be negative, got -1"):
        grad(lambda a: np.sum(np.linspace(a, 1.0, -1)))(0.0)
