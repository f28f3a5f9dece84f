import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import grad, stage, vjp
from transforms.errors import ShapeError

RNG = np.random.default_rng(0)
A = RNG.standard_normal((2, 3))
B = RNG.standard_normal((2, 3))
WIDE = RNG.standard_normal((2, 5))
VECTOR = RNG.standard_normal(3)
CUBE = RNG.standard_normal((2, 3, 4))
SCALAR = np.array(0.7)
EMPTY = np.zeros((0, 3))
COMPLEX = RNG.standard_normal((2, 3)) + 1j * RNG.standard_normal((2, 3))
INTEGERS = np.arange(6).reshape(2, 3)

CASES = [
    Case("concatenate", lambda xp, x, y: xp.concatenate([x, y]), (A, B)),
    Case("concatenate_axis", lambda xp, x, y: xp.concatenate((x, y, x), axis=-1), (A, WIDE)),
    Case("concatenate_flat", lambda xp, x, y: xp.concatenate((x, y), axis=None), (A, CUBE)),
    Case("concatenate_empty", lambda xp, x, y: xp.concatenate((x, y)), (A, EMPTY)),
    Case("concatenate_integers", lambda xp, x, y: xp.concatenate((x, y)), (A, INTEGERS), single="promotes"),
    Case("concatenate_complex", lambda xp, x, y: xp.concatenate((x, y)), (A, COMPLEX)),
    Case("concatenate_tracer", lambda xp, x: xp.concatenate(x), (CUBE,)),
    Case(
        "concatenate_constant", lambda xp, x: xp.concatenate([x, A]), (B,), single="the constant is float64"
    ),
    Case(
        "concatenate_dtype",
        lambda xp, x: np.concatenate([x, x], dtype=np.float64),
        (A,),
        oracle="none",
        single="dtype is float64",
    ),
    Case("concat", lambda xp, x, y: xp.concat([x, y]), (A, B)),
    Case("stack", lambda xp, x, y: xp.stack([x, y]), (A, B)),
    Case("stack_axis", lambda xp, x, y: xp.stack([x, y], axis=-1), (A, B)),
    Case("stack_scalars", lambda xp, x, y: xp.stack([x, y, x]), (SCALAR, SCALAR)),
    Case("hstack", lambda xp, x, y: xp.hstack([x, y]), (A, WIDE)),
    Case("hstack_vectors", lambda xp, x, y: xp.hstack([x, y]), (VECTOR, SCALAR)),
    Case("vstack", lambda xp, x, y: xp.vstack([x, y]), (A, VECTOR)),
    Case("dstack", lambda xp, x, y: xp.dstack([x, y]), (A, B)),
    Case("dstack_vectors", lambda xp, x: xp.dstack([x, x]), (VECTOR,)),
    Case("column_stack", lambda xp, x, y: xp.column_stack([x, y]), (VECTOR, CUBE[0])),
    Case("append", lambda xp, x, y: xp.append(x, y), (A, VECTOR)),
    Case("append_axis", lambda xp, x, y: xp.append(x, y, axis=1), (A, WIDE)),
    Case("block", lambda xp, x, y: xp.block([[x, y], [y, x]]), (A, B)),
    Case("block_ranks", lambda xp, x, y: xp.block([x, [y, y][0]]), (VECTOR, SCALAR)),
    Case("block_matrix", lambda xp, x, y: xp.block([[x], [y]]), (A, VECTOR)),
    Case("split", lambda xp, x: list(xp.split(x, 3, axis=1)), (A,)),
    Case("split_places", lambda xp, x: list(xp.split(x, [1, 2], axis=-1)), (CUBE,)),
    Case("array_split", lambda xp, x: list(xp.array_split(x, 3, axis=2)), (CUBE,)),
    Case("hsplit", lambda xp, x: list(xp.hsplit(x, 3)), (A,)),
    Case("hsplit_vector", lambda xp, x: list(xp.hsplit(x, 3)), (VECTOR,)),
    Case("vsplit", lambda xp, x: list(xp.vsplit(x, 2)), (A,)),
    Case("dsplit", lambda xp, x: list(xp.dsplit(x, [1])), (CUBE,)),
]
if hasattr(np, "unstack"):
    CASES.append(Case("unstack", lambda xp, x: list(xp.unstack(x, axis=1)), (CUBE,)))


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_only_what_is_differentiated_gets_a_cotangent():
    _, pullback = vjp(lambda x, n: np.concatenate([x, n]), A, INTEGERS)
    cotangent, none = pullback(np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(cotangent, np.arange(6.0).reshape(2, 3))
    assert none is None


def test_repeated_operand_accumulates():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.stack([x, x, 2.0 * x])))(VECTOR), [4.0, 4.0, 4.0])


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (
            lambda x: np.concatenate([x, np.ones((2, 2))]),
            ShapeError,
            r"concatenate: the arrays' shapes must be equal but for axis 0, got \(2, 3\) and \(2, 2\)",
        ),
        (lambda x: np.concatenate([x, x[0]]), ShapeError, r"got \(2, 3\) and \(3,\)"),
        (lambda x: np.stack([x, x[0]]), ShapeError, r"stack: the arrays' shapes must be equal, got \(2, 3\)"),
        (lambda x: np.concatenate([x, x], out=np.ones((4, 3))), TypeError, "out= must not be given"),
        (
            lambda x: np.split(x, 2, axis=1),
            ValueError,
            "must divide the length 3 of axis 1, got 2; use np.array",
        ),
        (lambda x: np.array_split(x, 0), ValueError, "number of sections must be positive, got 0"),
        (
            lambda x: np.dsplit(x, 2),
            ShapeError,
            r"dsplit: the array must have 3 axes at least, got shape \(2, 3\)",
        ),
        (
            lambda x: np.block([[x], x]),
            ValueError,
            r"block: the lists must be nested equally deep, got depths \[1, 2\]",
        ),
        (lambda x: np.block([[x], []]), ValueError, "block: a list must hold one array at least"),
    ],
)
def test_errors(function, error, text):
    with pytest.raises(error, match=text):
        vjp(function, A)
    with pytest.raises(error, match=text):
        stage(function)(A)
