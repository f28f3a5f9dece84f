import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, stage, vjp, vmap
from transforms.errors import ConcreteValueError, RefusedError, ShapeError

RNG = np.random.default_rng(0)
VECTOR = RNG.standard_normal(4)
MATRIX = RNG.standard_normal((3, 4))
OTHER = RNG.standard_normal((3, 4))
CUBE = RNG.standard_normal((2, 3, 4))
PLACES = np.array([2, 0, 2, -1])
FAR = np.array([[-7, 9], [1, 5]])
ALONG = RNG.integers(0, 3, size=(2, 4))
CHOICE = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 1]])
CONDITION = CHOICE > 0
ONLY_ARRAY = "NumPy lets us see a call only if the array is traced"

CASES = [
    Case("take", lambda xp, x: xp.take(x, PLACES, axis=0), (MATRIX,)),
    Case("take_flat", lambda xp, x: xp.take(x, np.array([[11, 0]])), (MATRIX,)),
    Case("take_scalar", lambda xp, x: xp.take(x, 1, axis=1), (CUBE,)),
    Case("take_method", lambda xp, x: x.take(PLACES, axis=-1), (CUBE,)),
    Case("take_wrap", lambda xp, x: xp.take(x, FAR, axis=1, mode="wrap"), (CUBE,)),
    Case("take_clip", lambda xp, x: xp.take(x, FAR, axis=1, mode="clip"), (CUBE,)),
    Case("take_argument", lambda xp, x, i: xp.take(x, i, axis=1), (MATRIX, PLACES), batch=ONLY_ARRAY),
    Case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i, axis=0), (MATRIX, ALONG)),
    Case("take_along_last", lambda xp, x, i: xp.take_along_axis(x, i, axis=-1), (MATRIX, CHOICE)),
    Case("take_along_flat", lambda xp, x: xp.take_along_axis(x, PLACES, axis=None), (MATRIX,)),
    Case(
        "take_along_broadcast",
        lambda xp, x: xp.take_along_axis(x, CHOICE[:, :1, None], axis=1),
        (MATRIX[:, :, None],),
    ),
    Case("compress", lambda xp, x: xp.compress(np.array([True, False, True]), x, axis=0), (MATRIX,)),
    Case("compress_short", lambda xp, x: xp.compress(np.array([0, 1]), x), (MATRIX,)),
    Case("compress_method", lambda xp, x: x.compress(np.array([True, False, True]), axis=0), (MATRIX,)),
    Case("extract", lambda xp, x: xp.extract(CONDITION, x), (MATRIX,)),
    Case("choose", lambda xp, x, y: xp.choose(CHOICE, [x, y]), (MATRIX, OTHER)),
    Case("choose_broadcast", lambda xp, x, y: xp.choose(CHOICE, [x, y]), (MATRIX[:, :1], VECTOR)),
    Case("choose_wrap", lambda xp, x, y: xp.choose(CHOICE - 5, [x, y], mode="wrap"), (MATRIX, OTHER)),
    Case("choose_clip", lambda xp, x, y: xp.choose(3 * CHOICE, [x, y], mode="clip"), (MATRIX, OTHER)),
    Case("select", lambda xp, x, y: xp.select([CONDITION, ~CONDITION], [x, y]), (MATRIX, OTHER)),
    Case(
        "select_default",
        lambda xp, x, y: xp.select([x > 1.0, x > 0.0], [x * y, y * y], y),
        (MATRIX, OTHER),
    ),
    Case("select_broadcast", lambda xp, x: xp.select([CONDITION], [x], 7.0), (VECTOR,)),
    Case(
        "piecewise",
        lambda xp, x: xp.piecewise(x, [x < -0.5, x > 0.5], [lambda t: t * t, lambda t: t**3, 1.5]),
        (MATRIX,),
    ),
    Case("piecewise_all", lambda xp, x: xp.piecewise(x, [x < 0, x >= 0], [-1, 1]), (MATRIX,)),
    Case(
        "piecewise_one_condition",
        lambda xp, x: np.piecewise(x, x < 0, [lambda t, k: t * k, lambda t, k: t], 3.0),
        (VECTOR,),
    ),
]

# These functions only move elements: their values are NumPy's own, and differences check the derivatives.
# JAX is asked about some of them, because it compiles each for longer than all other laws take.
ASK_JAX = {"take", "take_wrap", "take_along_axis", "select_default"}
CASES = [case if case.name in ASK_JAX else case._replace(oracle="see above") for case in CASES]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_take_out_of_range():
    with pytest.raises(IndexError, match="out of bounds"):
        vjp(lambda x: np.take(x, [0, 4]), VECTOR)


def test_batch_of_arrays_and_places():
    arrays, places = np.stack([MATRIX, OTHER]), np.stack([ALONG, 2 - ALONG])
    for function in (
        lambda x, i: np.take_along_axis(x, i, axis=0),
        lambda x, i: np.take(x, i, axis=1),
        lambda x, i: np.choose(i[:1] % 2, [x, 2.0 * x]),
    ):
        expected = np.stack([function(x, i) for x, i in zip(arrays, places, strict=True)])
        same(vmap(function)(arrays, places), expected)


def test_open_mesh_of_traced_places():
    graph = stage(lambda i, j: np.ix_(i, j, np.array([True, False, True])))(PLACES, PLACES[:2])
    assert [out.type.shape for out in graph.outputs[:2]] == [(4, 1, 1), (1, 2, 1)]
    got = vmap(lambda x, i: x[np.ix_(i, [0, 3])])(np.stack([MATRIX, OTHER]), ALONG)
    same(got, np.stack([MATRIX[np.ix_(ALONG[0], [0, 3])], OTHER[np.ix_(ALONG[1], [0, 3])]]))
    with pytest.raises(ShapeError, match=r"ix_: each sequence must have one axis, got shape \(2, 4\)"):
        stage(np.ix_)(ALONG)


def test_piecewise_gives_each_function_its_own_elements():
    # The logarithm never sees zero, so no infinite derivative spoils the sum.
    x = np.array([0.0, 2.0])
    got = grad(lambda x: np.sum(np.piecewise(x, [x > 0], [np.log, 0.0])))(x)
    same(got, np.array([0.0, 0.5]))
    with pytest.raises(ValueError, match="piecewise: the functions must be 1 or 2, got 3"):
        vjp(lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), x)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (
            lambda x: np.take(x, [0], mode="far"),
            ValueError,
            "take: mode must be 'raise', 'wrap' or 'clip', got 'far'",
        ),
        (lambda x: np.take(x, [0], out=np.ones(1)), TypeError, "numpy.take: out= must not be given"),
        (
            lambda x: np.take_along_axis(x, PLACES, 0),
            ShapeError,
            r"as many axes as the array, of shape \(3, 4\), got \(4,\)",
        ),
        (
            lambda x: np.choose(CHOICE - 1, [x, x]),
            ValueError,
            r"the entries of a must be in \[0, 2\), got -1",
        ),
        (lambda x: np.choose(CHOICE + 1, [x, x]), IndexError, "out of bounds"),
        (lambda x: np.select([CONDITION], [x, x]), ValueError, r"be equally many, and some, got \(1, 2\)"),
        (
            lambda x: np.select([CHOICE], [x]),
            TypeError,
            "select: a condition must be an array of booleans, got int64",
        ),
        (lambda x: np.put(x, [0], 1.0), RefusedError, r"writes in place: write transforms.at\(a.ravel"),
        (lambda x: np.put_along_axis(x, ALONG, 1.0, 0), RefusedError, r"write transforms.at\(a\)"),
        (lambda x: np.place(x, CONDITION, [1.0]), RefusedError, r"transforms.at\(a\)\[mask\]"),
        (lambda x: np.putmask(x, CONDITION, 1.0), RefusedError, r"np.where\(mask, values, a\)"),
    ],
)
def test_errors(function, error, text):
    with pytest.raises(error, match=text):
        vjp(function, MATRIX)


def test_a_condition_without_values():
    for name, function in (("compress", np.compress), ("extract", np.extract)):
        with pytest.raises(ConcreteValueError, match=f"{name}: a boolean mask must be a plain array"):
            stage(lambda x, function=function: function(x > 0, x))(VECTOR)
