import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import stage
from transforms.errors import RefusedError

PLACES = np.array([[0, 5], [11, 22]])
ROWS, COLUMNS = np.array([0, 2, 7]), np.array([1, -1, 3])

BOTH = (ROWS, COLUMNS)


def _ravel(mode, order="C"):
    return lambda xp, i, j: xp.ravel_multi_index((i, j), (4, 5), mode=mode, order=order)


CASES = [
    Case("unravel", lambda xp, i: xp.unravel_index(i, (2, 3, 4)), (PLACES,), order=0),
    Case("unravel-vector", lambda xp, i: xp.unravel_index(i, 24), (PLACES,), order=0),
    Case(
        "unravel-fortran",
        lambda xp, i: xp.unravel_index(i, (2, 3, 4), order="F"),
        (PLACES,),
        order=0,
        oracle="JAX has no other order",
    ),
    Case("clip", _ravel("clip"), BOTH, order=0),
    Case("wrap", _ravel("wrap"), BOTH, order=0),
    Case("mixed", _ravel(("wrap", "clip"), "F"), BOTH, order=0, oracle="JAX has one mode for all axes"),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_a_check_of_traced_indices_is_refused():
    with pytest.raises(RefusedError, match=r"numpy.ravel_multi_index: mode must not be 'raise'"):
        stage(lambda i: np.ravel_multi_index((i, i), (8, 8)))(ROWS)
