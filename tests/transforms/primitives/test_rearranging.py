import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import vjp, vmap
from transforms.errors import ShapeError

RNG = np.random.default_rng(0)
VECTOR = RNG.standard_normal(4)
MATRIX = RNG.standard_normal((2, 3))
CUBE = RNG.standard_normal((2, 3, 4))
SCALAR = np.array(0.7)
EMPTY = np.zeros((0, 3))

CASES = [
    Case("flip", lambda xp, x: xp.flip(x), (CUBE,)),
    Case("flip_axis", lambda xp, x: xp.flip(x, axis=-1), (CUBE,)),
    Case("flip_axes", lambda xp, x: xp.flip(x, axis=(0, 2)), (CUBE,)),
    Case("flip_empty", lambda xp, x: xp.flip(x), (EMPTY,)),
    Case("fliplr", lambda xp, x: xp.fliplr(x), (MATRIX,)),
    Case("flipud", lambda xp, x: xp.flipud(x), (MATRIX,)),
    *(
        Case(f"rot90_{k}", lambda xp, x, k=k: xp.rot90(x, k, axes=(-1, 0)), (CUBE,), order=1)
        for k in (-1, 0, 1, 2, 3)
    ),
    Case("roll", lambda xp, x: xp.roll(x, 2), (MATRIX,)),
    Case("roll_axis", lambda xp, x: xp.roll(x, -1, axis=1), (CUBE,)),
    Case("roll_far", lambda xp, x: xp.roll(x, 9, axis=-1), (CUBE,)),
    Case("roll_axes", lambda xp, x: xp.roll(x, (1, 2), axis=(0, 2)), (CUBE,)),
    Case("roll_shifts", lambda xp, x: xp.roll(x, np.array([1, -2]), axis=(0, 2)), (CUBE,)),
    Case("roll_same_axis", lambda xp, x: xp.roll(x, 1, axis=(0, 2)), (CUBE,)),
    Case("roll_empty", lambda xp, x: xp.roll(x, 1, axis=0), (EMPTY,)),
    Case("tile", lambda xp, x: xp.tile(x, 3), (VECTOR,)),
    Case("tile_matrix", lambda xp, x: xp.tile(x, (2, 1)), (MATRIX,)),
    Case("tile_more_axes", lambda xp, x: xp.tile(x, (2, 1, 2)), (VECTOR,)),
    Case("tile_fewer_axes", lambda xp, x: xp.tile(x, 2), (CUBE,)),
    Case("tile_none", lambda xp, x: xp.tile(x, (0, 1)), (MATRIX,)),
    Case("repeat", lambda xp, x: xp.repeat(x, 2), (MATRIX,)),
    Case("repeat_axis", lambda xp, x: xp.repeat(x, 3, axis=1), (CUBE,)),
    Case("repeat_each", lambda xp, x: xp.repeat(x, np.array([1, 0, 3]), axis=1), (CUBE,)),
    Case("repeat_scalar", lambda xp, x: xp.repeat(x, 3), (SCALAR,)),
    Case("resize", lambda xp, x: xp.resize(x, (3, 5)), (MATRIX,)),
    Case("resize_smaller", lambda xp, x: xp.resize(x, 4), (MATRIX,)),
    Case("resize_same", lambda xp, x: xp.resize(x, (3, 2)), (MATRIX,)),
    Case("apply_along_axis", lambda xp, x: xp.apply_along_axis(lambda row: row[:2] * row[1], 1, x), (CUBE,)),
    Case("apply_along_axis_to_scalar", lambda xp, x: xp.apply_along_axis(xp.sum, 0, x), (MATRIX,)),
    Case("apply_over_axes", lambda xp, x: xp.apply_over_axes(xp.sum, x, [0, 2]), (CUBE,)),
]

# These functions only move elements: their values are NumPy's own, and differences check the derivatives.
# JAX is asked about some of them, because it compiles each for longer than all other laws take.
ASK_JAX = {"flip_axes", "roll_axes", "tile_more_axes", "repeat_each"}
CASES = [case if case.name in ASK_JAX else case._replace(oracle="see above") for case in CASES]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_roll_by_a_traced_shift():
    shifts = np.array([0, 1, -2])
    got = vmap(lambda x, shift: np.roll(x, shift, axis=0), in_axes=(None, 0))
    # Only an array that is traced as well reaches us: NumPy looks at the array, not at the shift.
    batch = np.broadcast_to(VECTOR, (3, 4))
    same(
        vmap(lambda x, shift: np.roll(x, shift, axis=0))(batch, shifts),
        np.stack([np.roll(VECTOR, s) for s in shifts]),
    )
    with pytest.raises(TypeError):
        got(VECTOR, shifts)


def test_repeat_needs_a_count_for_each():
    with pytest.raises(ShapeError, match=r"repeat: repeats must be a number or 3 numbers, got shape \(2,\)"):
        vjp(lambda x: np.repeat(x, [1, 2], axis=1), MATRIX)
