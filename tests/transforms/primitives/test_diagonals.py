import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import vjp
from transforms.errors import RefusedError, ShapeError

RNG = np.random.default_rng(0)
VECTOR = RNG.standard_normal(3)
WIDE = RNG.standard_normal((2, 4))
TALL = RNG.standard_normal((4, 2))
CUBE = RNG.standard_normal((2, 3, 4))
INTEGERS = np.arange(6).reshape(2, 3)
COMPLEX = RNG.standard_normal((2, 3)) + 1j * RNG.standard_normal((2, 3))

CASES = [
    *(Case(f"tril_{k}", lambda xp, x, k=k: xp.tril(x, k), (CUBE,)) for k in (-1, 0, 2)),
    *(Case(f"triu_{k}", lambda xp, x, k=k: xp.triu(x, k), (CUBE,)) for k in (-1, 0, 2)),
    Case("tril_vector", lambda xp, x: np.tril(x), (VECTOR,)),
    Case("triu_vector", lambda xp, x: np.triu(x), (VECTOR,)),
    Case("tril_integers", lambda xp, x: xp.tril(x), (INTEGERS,), order=0),
    Case("triu_booleans", lambda xp, x: xp.triu(x), (INTEGERS > 2,), order=0),
    Case("tril_complex", lambda xp, x: xp.tril(x), (COMPLEX,)),
    *(Case(f"diag_of_vector_{k}", lambda xp, x, k=k: xp.diag(x, k), (VECTOR,)) for k in (-2, 0, 1)),
    *(Case(f"diag_of_wide_{k}", lambda xp, x, k=k: xp.diag(x, k), (WIDE,)) for k in (-1, 0, 1, 3, 4)),
    *(Case(f"diag_of_tall_{k}", lambda xp, x, k=k: xp.diag(x, k), (TALL,)) for k in (-3, -1, 0, 1)),
    Case("diag_empty", lambda xp, x: xp.diag(x, 1), (VECTOR[:0],)),
    Case("diag_integers", lambda xp, x: xp.diag(x), (INTEGERS[0],), order=0),
    Case("diagflat", lambda xp, x: xp.diagflat(x, 1), (WIDE,)),
    Case("diagonal", lambda xp, x: xp.diagonal(x), (CUBE,)),
    Case("diagonal_axes", lambda xp, x: xp.diagonal(x, 1, -1, 0), (CUBE,)),
    Case("diagonal_method", lambda xp, x: x.diagonal(-1, 1, 2), (CUBE,)),
    Case("trace", lambda xp, x: xp.trace(x), (WIDE,)),
    Case("trace_axes", lambda xp, x: xp.trace(x, 1, 1, 2), (CUBE,)),
    Case("trace_method", lambda xp, x: x.trace(), (TALL,)),
    Case("vander", lambda xp, x: xp.vander(x), (VECTOR,), single="NumPy promotes with int64"),
    Case(
        "vander_at_zero",
        lambda xp, x: xp.vander(x, 4),
        (np.array([0.0, 2.0]),),
        single="NumPy promotes",
    ),
    Case(
        "vander_increasing",
        lambda xp, x: xp.vander(x, 2, increasing=True),
        (VECTOR,),
        single="NumPy promotes",
    ),
    Case("vander_none", lambda xp, x: xp.vander(x, 0), (VECTOR,), single="NumPy promotes with int64"),
]

# These functions only move elements: their values are NumPy's own, and differences check the derivatives.
# JAX is asked about some of them, because it compiles each for longer than all other laws take.
ASK_JAX = {"tril_0", "tril_complex", "diag_of_vector_1", "diagonal_axes", "trace"}
CASES = [case if case.name in ASK_JAX else case._replace(oracle="see above") for case in CASES]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_indices_of_a_traced_shape():
    square = np.ones((3, 3))

    def f(x):
        return (
            x[np.diag_indices_from(x)].sum()
            + x[np.tril_indices_from(x)].sum()
            + x[np.triu_indices_from(x, 1)].sum()
        )

    np.testing.assert_array_equal(vjp(f, square)[1](1.0)[0], np.ones((3, 3)) + np.eye(3))


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (np.diag, ShapeError, r"diag: the array must have one or two axes, got shape \(2, 3, 4\)"),
        (
            lambda x: np.diagonal(x, 0, 1, 1),
            ValueError,
            r"axis1 and axis2 must be different axes, got \(1, 1\)",
        ),
        (np.vander, ShapeError, r"vander: x must have one axis, got shape \(2, 3, 4\)"),
        (lambda x: np.trace(x, out=np.ones(4)), TypeError, "numpy.trace: out= must not be given"),
        (np.diag_indices_from, ShapeError, "must have two or more equal axes"),
        (
            lambda x: np.fill_diagonal(x, 1.0),
            RefusedError,
            r"writes in place: write transforms.at\(a\)\[np.diag_indices_from\(a\)\].set\(values\)",
        ),
    ],
)
def test_errors(function, error, text):
    with pytest.raises(error, match=text):
        vjp(function, CUBE)
