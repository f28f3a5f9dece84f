import numpy as np
import pytest
from jax import numpy as jnp

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, vjp, vmap
from transforms.errors import RefusedError

RNG = np.random.default_rng(0)
VECTOR = RNG.standard_normal(4)
MATRIX = RNG.standard_normal((3, 4))
CUBE = RNG.standard_normal((2, 3, 4))
VALUE = np.array(0.7)
INTEGERS = np.array([1, 2, 4])

ONLY_ARRAY = "NumPy lets us see a call only if the array is traced"

CASES = [
    Case("constant", lambda xp, x: xp.pad(x, 2), (MATRIX,)),
    Case("constant_widths", lambda xp, x: xp.pad(x, ((0, 2), (1, 0), (0, 0))), (CUBE,)),
    Case("constant_nothing", lambda xp, x: xp.pad(x, 0), (MATRIX,)),
    Case("constant_empty", lambda xp, x: xp.pad(x, ((1, 0), (0, 0))), (np.zeros((0, 3)),)),
    Case("constant_value", lambda xp, x: xp.pad(x, (1, 2), constant_values=3.5), (MATRIX,)),
    Case(
        "constant_traced",
        lambda xp, x, c: xp.pad(x, (1, 2), constant_values=c),
        (MATRIX, VALUE),
        batch=ONLY_ARRAY,
    ),
    Case("constant_sides", lambda xp, x: xp.pad(x, 2, constant_values=(1.5, 2.5)), (MATRIX,)),
    Case(
        "constant_each",
        lambda xp, x: xp.pad(x, 2, constant_values=((1.0, 2.0), (3.0, 4.0))),
        (MATRIX,),
    ),
    Case(
        "constant_each_traced",
        lambda xp, x, c: xp.pad(x, 2, constant_values=((c, 2.0), (3.0, c * c))),
        (MATRIX, VALUE),
        batch=ONLY_ARRAY,
        oracle=lambda x, c: pad_each(x, c),
    ),
    Case("constant_pair", lambda xp, x: xp.pad(x, 1, constant_values=np.array([1.0, 2.0])), (MATRIX,)),
    Case("median", lambda xp, x: xp.pad(x, 1, "median"), (MATRIX,)),
    Case("constant_integers", lambda xp, x: xp.pad(x, 1, constant_values=7), (INTEGERS,), order=0),
    *(
        Case(f"{mode}_{width}", lambda xp, x, mode=mode, width=width: xp.pad(x, width, mode), (MATRIX,))
        for mode in ("edge", "reflect", "symmetric", "wrap", "mean", "maximum", "minimum", "linear_ramp")
        for width in (2, ((0, 3), (1, 0)))
    ),
    Case("reflect_far", lambda xp, x: xp.pad(x, 9, "reflect"), (VECTOR,)),
    Case("wrap_far", lambda xp, x: xp.pad(x, (5, 9), "wrap"), (VECTOR,)),
    Case("reflect_odd", lambda xp, x: xp.pad(x, 2, "reflect", reflect_type="odd"), (MATRIX,)),
    Case("symmetric_odd", lambda xp, x: xp.pad(x, (3, 6), "symmetric", reflect_type="odd"), (VECTOR,)),
    Case("mean_of_two", lambda xp, x: xp.pad(x, 2, "mean", stat_length=2), (MATRIX,)),
    Case("mean_of_each", lambda xp, x: xp.pad(x, 2, "mean", stat_length=((1, 2), (3, 1))), (MATRIX,)),
    Case(
        "mean_of_integers",
        lambda xp, x: xp.pad(x, 1, "mean"),
        (INTEGERS,),
        order=0,
    ),
    Case("ramp_to", lambda xp, x: xp.pad(x, 3, "linear_ramp", end_values=(5.0, -4.0)), (MATRIX,)),
]


def pad_each(x, c):
    rows = jnp.concatenate([jnp.full((2, 4), c), x, jnp.full((2, 4), 2.0)], 0)
    return jnp.concatenate([jnp.full((7, 2), 3.0), rows, jnp.full((7, 2), c * c)], 1)


# These functions only move elements: their values are NumPy's own, and differences check the derivatives.
# JAX is asked about some of them, because it compiles each for longer than all other laws take.
ASK_JAX = {"constant_value", "constant_each_traced", "mean_2", "linear_ramp_2", "reflect_2"}
CASES = [case if case.name in ASK_JAX else case._replace(oracle="see above") for case in CASES]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_batch_of_values_and_arrays():
    arrays, values = np.stack([MATRIX, 2.0 * MATRIX]), np.array([1.0, 5.0])

    def pad(x, c):
        return np.pad(x, (0, 1), constant_values=c)

    same(vmap(pad)(arrays, values), np.stack([pad(x, c) for x, c in zip(arrays, values, strict=True)]))


def test_widths_by_axis():
    same(vjp(lambda x: np.pad(x, {-1: (1, 2), 0: 1}), MATRIX)[0], np.pad(MATRIX, ((1, 1), (1, 2))))


def test_empty_mode_is_zeros_around():
    out, pullback = vjp(lambda x: np.pad(x, 1, "empty"), VECTOR)
    same(out[1:-1], VECTOR)
    same(pullback(np.arange(6.0))[0], np.arange(1.0, 5.0))


def test_maximum_shares_its_derivative_among_ties():
    x = np.array([2.0, 1.0, 2.0])
    same(grad(lambda x: np.sum(np.pad(x, (2, 0), "maximum")))(x), np.array([2.0, 1.0, 2.0]))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1, "mirror"), ValueError, "pad: mode must be one of constant, edge, .* or empty, got 'mirror'"),
        ((-1,), ValueError, "pad: pad_width must not be negative, got -1"),
        ((1.5,), TypeError, "pad: pad_width must be integers, got float64"),
        ((1, lambda *_: None), RefusedError, "mode must be a name with a traced array, got a function"),
    ],
)
def test_errors(arguments, error, text):
    with pytest.raises(error, match=text):
        vjp(lambda x: np.pad(x, *arguments), VECTOR)
    with pytest.raises(ValueError, match="pad: stat_length must be positive, got 0"):
        vjp(lambda x: np.pad(x, 1, "mean", stat_length=0), VECTOR)
