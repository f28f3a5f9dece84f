import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, stage, vjp
from transforms.types import ArrayType, type_of

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((2, 3))
VALUE = np.array(0.7)
ROW = RNG.standard_normal(3)

ONLY_ARRAY = "NumPy lets us see a call only if the array is traced"

CASES = [
    Case("zeros_like", lambda xp, x: x + xp.zeros_like(x), (MATRIX,)),
    Case("ones_like", lambda xp, x: x * xp.ones_like(x, shape=(3,)), (MATRIX,)),
    Case("full_like", lambda xp, x: x * xp.full_like(x, 2.5), (MATRIX,)),
    Case("full_like_traced", lambda xp, x, v: x * xp.full_like(x, v), (MATRIX, VALUE), batch=ONLY_ARRAY),
    Case("full_like_row", lambda xp, x, v: x * xp.full_like(x, v * v), (MATRIX, ROW), batch=ONLY_ARRAY),
    Case("full_like_itself", lambda xp, v: xp.full_like(v, v, shape=(2,)), (VALUE,)),
    Case("copy", lambda xp, x: xp.copy(x) * x.copy(), (MATRIX,)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_types():
    def f(x):
        made = (
            np.zeros_like(x),
            np.ones_like(x, dtype=np.int32),
            np.empty_like(x, shape=4),
            np.full_like(x, 2, dtype=np.float32),
        )
        assert [type_of(m) for m in made] == [
            ArrayType((2, 3), np.float64),
            ArrayType((2, 3), np.int32),
            ArrayType((4,), np.float64),
            ArrayType((2, 3), np.float32),
        ]
        np.testing.assert_array_equal(made[1], np.ones((2, 3)))
        np.testing.assert_array_equal(made[3], np.full((2, 3), 2.0))
        return x

    stage(f)(MATRIX)
    vjp(f, MATRIX)


def test_full_like_keeps_the_derivative():
    assert grad(lambda v: np.sum(np.full_like(v, v, shape=(4,))))(0.5) == 4.0


@pytest.mark.parametrize(
    "function", [lambda v: np.full_like(ROW, v), lambda v: np.full(3, v), lambda v: np.copyto(ROW.copy(), v)]
)
def test_what_would_leave_uninitialised_memory_raises(function):
    with pytest.raises(TypeError, match=r"write np.broadcast_to\(\w+, shape\)"):
        vjp(function, VALUE)
