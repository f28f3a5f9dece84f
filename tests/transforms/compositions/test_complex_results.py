import numpy as np
import pytest
from numpy.lib import scimath

from tests.transforms.laws import same
from transforms import stage, vjp
from transforms.checks import check_grads
from transforms.errors import ConcreteValueError

INSIDE = np.array([0.2, 0.7])
OUTSIDE = np.array([-0.4, 0.7])


@pytest.mark.parametrize("name", ["sqrt", "log", "log2", "log10", "arccos", "arcsin", "arctanh"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_follows_the_values(name, dtype):
    function = getattr(scimath, name)
    for x in (INSIDE, OUTSIDE, 4 * OUTSIDE):
        x = x.astype(dtype)
        got, _ = vjp(function, x)
        same(got, function(x), 1e-6)


@pytest.mark.parametrize("name", ["sqrt", "log", "log2", "log10"])
def test_derivatives_where_the_result_is_complex(name):
    check_grads(getattr(scimath, name), (OUTSIDE,))


def test_powers_and_logarithms_to_a_base():
    for x in (INSIDE, OUTSIDE):
        got, _ = vjp(lambda x: (scimath.power(x, 0.5), scimath.power(x, -2), scimath.logn(2.0, x)), x)
        same(got, (scimath.power(x, 0.5), scimath.power(x, -2), scimath.logn(2.0, x)))
        check_grads(lambda x: (scimath.power(x, 0.5), scimath.logn(2.0, x)), (x,))


def test_python_numbers_do_not_widen():
    got, _ = vjp(lambda x: (scimath.power(x, 0.5), scimath.logn(2, x)), OUTSIDE.astype(np.float32))
    assert [x.dtype for x in got] == [np.complex64, np.complex64]


def test_where_values_are_not_known_a_remedy_is_named():
    with pytest.raises(ConcreteValueError, match=r"numpy.lib.scimath.sqrt: .* got an array .*; use np.sqrt"):
        stage(scimath.sqrt)(OUTSIDE)
