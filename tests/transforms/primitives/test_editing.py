import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import stage, vjp
from transforms.errors import ConcreteValueError

RNG = np.random.default_rng(0)
VECTOR = RNG.standard_normal(4)
MATRIX = RNG.standard_normal((3, 4))
ROW = RNG.standard_normal(4)
TWO_ROWS = RNG.standard_normal((2, 4))
VALUE = np.array(0.7)

CASES = [
    Case("insert", lambda xp, x, v: xp.insert(x, 1, v), (VECTOR, VALUE)),
    Case("insert_negative", lambda xp, x, v: xp.insert(x, -1, v), (VECTOR, VALUE)),
    Case("insert_several", lambda xp, x, v: xp.insert(x, 2, v), (VECTOR, ROW)),
    Case("insert_flat", lambda xp, x, v: xp.insert(x, 2, v), (MATRIX, VALUE)),
    Case("insert_row", lambda xp, x, v: xp.insert(x, 1, v, axis=0), (MATRIX, ROW)),
    Case("insert_column", lambda xp, x, v: xp.insert(x, 1, v, axis=1), (MATRIX, VECTOR[:3])),
    Case("insert_rows", lambda xp, x, v: xp.insert(x, np.array([0, 3]), v, axis=0), (MATRIX, TWO_ROWS)),
    Case("insert_one_place", lambda xp, x, v: xp.insert(x, np.array([1]), v, axis=0), (MATRIX, TWO_ROWS)),
    Case("insert_same_place", lambda xp, x, v: xp.insert(x, np.array([1, 1]), v, axis=0), (MATRIX, ROW)),
    Case("insert_slice", lambda xp, x, v: xp.insert(x, slice(0, 4, 2), v), (VECTOR, VALUE)),
    Case(
        "insert_mask",
        lambda xp, x, v: np.insert(x, np.array([True, False, True, False]), v),
        (VECTOR, VALUE),
    ),
    Case("delete", lambda xp, x: xp.delete(x, 1), (VECTOR,)),
    Case("delete_several", lambda xp, x: xp.delete(x, np.array([0, -1]), axis=1), (MATRIX,)),
    Case("delete_slice", lambda xp, x: xp.delete(x, slice(1, 3), axis=0), (MATRIX,)),
    Case("delete_flat", lambda xp, x: xp.delete(x, 5), (MATRIX,)),
]

# These functions only move elements: their values are NumPy's own, and differences check the derivatives.
# JAX is asked about some of them, because it compiles each for longer than all other laws take.
ASK_JAX = {"insert", "delete_several"}
CASES = [case if case.name in ASK_JAX else case._replace(oracle="see above") for case in CASES]


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize("trim", ["f", "b", "fb"])
@pytest.mark.parametrize("x", [[0.0, 0.0, 1.0, 0.0, 2.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
def test_trim_zeros(trim, x):
    x = np.array(x)
    out, pullback = vjp(lambda x: np.trim_zeros(x, trim), x)
    expected = np.trim_zeros(x, trim)
    same(out, expected)
    assert pullback(np.ones_like(expected))[0].sum() == expected.size


def test_trim_zeros_of_axes():
    x = np.zeros((3, 4))
    x[1, 1:3] = 1.0
    same(vjp(np.trim_zeros, x)[0], np.ones((1, 2)))
    same(vjp(lambda x: np.trim_zeros(x, axis=-1), x)[0], x[:, 1:3])


def test_trim_zeros_needs_values():
    with pytest.raises(ConcreteValueError, match="trim_zeros: a boolean mask must be a plain array"):
        stage(np.trim_zeros)(VECTOR)
    with pytest.raises(ValueError, match="trim_zeros: trim must be made of 'f' and 'b', got 'x'"):
        vjp(lambda x: np.trim_zeros(x, "x"), VECTOR)


def test_insert_out_of_range():
    with pytest.raises(IndexError):
        vjp(lambda x: np.insert(x, 7, 1.0), VECTOR)
