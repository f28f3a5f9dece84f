import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, stage, vjp, vmap
from transforms.errors import ShapeError

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((2, 3))
CUBE = RNG.standard_normal((2, 3, 4))
THIN = RNG.standard_normal((1, 3, 1))
SCALAR = np.array(0.7)
EMPTY = np.zeros((0, 3))
COMPLEX = RNG.standard_normal((2, 3)) + 1j * RNG.standard_normal((2, 3))

CASES = [
    Case("reshape", lambda xp, x: xp.reshape(x, (3, -1)), (CUBE,)),
    Case("reshape_fortran", lambda xp, x: xp.reshape(x, (4, 6), order="F"), (CUBE,)),
    Case("reshape_method", lambda xp, x: x.reshape(6, 4), (CUBE,)),
    Case("reshape_scalar", lambda xp, x: x.reshape(1, 1), (SCALAR,)),
    Case("reshape_empty", lambda xp, x: x.reshape(3, 0), (EMPTY,)),
    Case("reshape_complex", lambda xp, x: x.reshape(-1), (COMPLEX,)),
    Case("ravel", lambda xp, x: xp.ravel(x), (CUBE,)),
    Case("ravel_fortran", lambda xp, x: xp.ravel(x, order="F"), (CUBE,)),
    Case("ravel_empty", lambda xp, x: xp.ravel(x), (EMPTY,)),
    Case("flatten", lambda xp, x: x.flatten(), (CUBE,)),
    Case("squeeze", lambda xp, x: xp.squeeze(x), (THIN,)),
    Case("squeeze_axis", lambda xp, x: xp.squeeze(x, axis=-1), (THIN,)),
    Case("squeeze_axes", lambda xp, x: xp.squeeze(x, axis=(0, 2)), (THIN,)),
    Case("expand_dims", lambda xp, x: xp.expand_dims(x, 1), (MATRIX,)),
    Case("expand_dims_axes", lambda xp, x: xp.expand_dims(x, (0, -1)), (MATRIX,)),
    Case("atleast_1d", lambda xp, x: xp.atleast_1d(x), (SCALAR,)),
    Case("atleast_2d", lambda xp, x: xp.atleast_2d(x), (MATRIX[0],)),
    Case("atleast_2d_several", lambda xp, x, y: xp.atleast_2d(x, y), (MATRIX[0], CUBE), oracle="list"),
    Case("atleast_3d_scalar", lambda xp, x: xp.atleast_3d(x), (SCALAR,)),
    Case("atleast_3d_vector", lambda xp, x: xp.atleast_3d(x), (MATRIX[0],)),
    Case("atleast_3d_matrix", lambda xp, x: xp.atleast_3d(x), (MATRIX,)),
    Case("transpose", lambda xp, x: xp.transpose(x), (CUBE,)),
    Case("transpose_axes", lambda xp, x: xp.transpose(x, (1, -1, 0)), (CUBE,)),
    Case("transpose_method", lambda xp, x: x.transpose(1, 2, 0), (CUBE,)),
    Case("T", lambda xp, x: x.T, (CUBE,)),
    Case("mT", lambda xp, x: x.mT, (CUBE,)),
    Case("matrix_transpose", lambda xp, x: xp.matrix_transpose(x), (CUBE,)),
    Case("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (CUBE,)),
    Case("swapaxes", lambda xp, x: xp.swapaxes(x, 0, -1), (CUBE,)),
    Case("moveaxis", lambda xp, x: xp.moveaxis(x, 0, -1), (CUBE,)),
    Case("moveaxis_several", lambda xp, x: xp.moveaxis(x, (0, 1), (-1, 0)), (CUBE,)),
    Case("rollaxis", lambda xp, x: xp.rollaxis(x, 2), (CUBE,)),
    Case("rollaxis_start", lambda xp, x: xp.rollaxis(x, 0, 3), (CUBE,)),
    Case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (4, 2, 3)), (MATRIX,)),
    Case("broadcast_to_thin", lambda xp, x: xp.broadcast_to(x, (2, 3, 4)), (THIN,)),
    Case("broadcast_to_large", lambda xp, x: xp.broadcast_to(x, (50, 100)), (SCALAR,), order=1),
    Case("broadcast_to_empty", lambda xp, x: xp.broadcast_to(x, (0, 3)), (MATRIX[:1],)),
    Case("broadcast_arrays", lambda xp, x, y: list(xp.broadcast_arrays(x, y)), (MATRIX[:, :, None], THIN)),
    Case("meshgrid", lambda xp, x, y: list(xp.meshgrid(x, y)), (MATRIX[0], CUBE[0, 0])),
    Case("meshgrid_ij", lambda xp, x, y: list(xp.meshgrid(x, y, indexing="ij")), (MATRIX[0], CUBE[0, 0])),
    Case("meshgrid_sparse", lambda xp, x, y: list(xp.meshgrid(x, y, sparse=True)), (MATRIX[0], CUBE[0, 0])),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_broadcast_cotangent_is_summed():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.broadcast_to(x, (5, 2))))(np.ones(2)), [5.0, 5.0])


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda x: x.reshape(4),
            r"reshape: the new shape must have as many elements as \(2, 3\), got \(4,\)",
        ),
        (lambda x: x.reshape(-1, 4), r"must have as many elements as \(2, 3\), got \(-1, 4\)"),
        (lambda x: np.transpose(x, (0,)), r"transpose: axes must name each of the 2 axes once, got \(0,\)"),
        (lambda x: np.squeeze(x, 0), r"squeeze: the axes \(0,\) must have length one, got shape \(2, 3\)"),
        (lambda x: np.broadcast_to(x, (3, 3)), r"\(2, 3\) must broadcast to the new shape, got \(3, 3\)"),
        (lambda x: np.broadcast_to(x, (3,)), r"\(2, 3\) must broadcast to the new shape, got \(3,\)"),
        (lambda x: np.matrix_transpose(x[0]), r"must have two axes at least, got \(3,\)"),
        (
            lambda x: np.moveaxis(x, (0, 1), 0),
            r"moveaxis: source and destination must name equally many axes",
        ),
    ],
)
def test_wrong_shapes(function, text):
    with pytest.raises(ShapeError, match=text):
        vjp(function, MATRIX)
    with pytest.raises(ShapeError, match=text):
        stage(function)(MATRIX)


def test_axis_out_of_range():
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        vjp(lambda x: np.swapaxes(x, 0, 2), MATRIX)


def test_nothing_to_do_adds_nothing():
    graph = stage(lambda x: np.transpose(np.reshape(np.broadcast_to(x, (2, 3)), (2, 3)), (0, 1)))(MATRIX)
    assert graph.equations == ()


def test_batch_of_lists():
    same(vmap(lambda x: np.meshgrid(x, x)[0])(MATRIX), np.stack([np.meshgrid(x, x)[0] for x in MATRIX]))
