import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, jvp, vjp, vmap
from transforms.errors import ShapeError

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


MATMUL_SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 1, 2, 3), (2, 3, 4)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((2, 4, 0), (0, 3)),
]

EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba,cb", (2, 3), (4, 2)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("...ij,jk->...ik", (5, 2, 3), (3, 4)),
    ("...i,...i->...", (2, 3), (4, 1, 3)),
    ("i...,i...", (3, 2), (3, 4, 2)),
    ("i,j->ij", (2,), (3,)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,kj->", (2, 3), (4, 3)),
    ("ijk,kjl->li", (2, 3, 4), (4, 3, 2)),
    ("bi,bi->b", (2, 3), (2, 3)),
    ("ij,k->j", (2, 3), (4,)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("ijj->i", (2, 3, 3)),
    ("iij,j->i", (3, 3, 2), (2,)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("...ij->...", (2, 3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("ij,ij,jk->ik", (2, 3), (2, 3), (3, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,ij,j", (2,), (2, 3), (3,)),
]

CASES = [
    *(Case(f"matmul_{a}_{b}", lambda xp, x, y: x @ y, (real(*a), real(*b))) for a, b in MATMUL_SHAPES),
    Case("matmul_complex", lambda xp, x, y: xp.matmul(x, y), (compound(2, 3), compound(4, 3, 2))),
    Case("matmul_mixed", lambda xp, x, y: xp.matmul(x, y), (real(2, 3), compound(3, 2))),
    Case(
        "matmul_integers",
        lambda xp, x, y: x @ y,
        (np.arange(6).reshape(2, 3), real(3, 2)),
        single="NumPy promotes with int64",
    ),
    Case("matmul_of_one_operand", lambda xp, x: x @ x.T, (real(2, 3),)),
    Case(
        "matmul_axes",
        lambda xp, x, y: np.matmul(x, y, axes=[(0, 1), (1, 0), (-1, -2)]),
        (real(2, 3), real(4, 3)),
        oracle=lambda x, y: (x @ y.T).T,
    ),
    *(
        Case(f"dot_{a}_{b}", lambda xp, x, y: xp.dot(x, y), (real(*a), real(*b)))
        for a, b in [
            ((3,), (3,)),
            ((2, 3), (3, 2)),
            ((), (2, 3)),
            ((2, 3), (4, 3, 2)),
            ((2, 2, 3), (4, 3, 2)),
        ]
    ),
    Case("dot_method", lambda xp, x: x.dot(x), (real(3, 3),)),
    Case("vdot", lambda xp, x, y: xp.vdot(x, y), (compound(2, 3), compound(2, 3))),
    Case("inner", lambda xp, x, y: xp.inner(x, y), (real(2, 3), real(4, 2, 3))),
    Case("inner_scalar", lambda xp, x, y: xp.inner(x, y), (real(), real(2, 3))),
    Case("outer", lambda xp, x, y: xp.outer(x, y), (real(2, 2), real(3))),
    Case("tensordot", lambda xp, x, y: xp.tensordot(x, y), (real(2, 3, 4), real(3, 4, 2))),
    Case("tensordot_zero", lambda xp, x, y: xp.tensordot(x, y, 0), (real(2, 3), real(2))),
    Case(
        "tensordot_axes",
        lambda xp, x, y: xp.tensordot(x, y, axes=((-1, 0), (0, 2))),
        (real(2, 3, 4), real(4, 3, 2)),
    ),
    Case("tensordot_axis", lambda xp, x, y: xp.tensordot(x, y, axes=(0, 1)), (real(2, 3), real(4, 2))),
    Case("kron", lambda xp, x, y: xp.kron(x, y), (real(2, 3), real(2))),
    Case("kron_cube", lambda xp, x, y: xp.kron(x, y), (real(2, 1), real(2, 2, 3))),
    Case("vecdot", lambda xp, x, y: xp.vecdot(x, y), (compound(2, 3), compound(4, 1, 3))),
    Case("vecdot_axis", lambda xp, x, y: xp.vecdot(x, y, axis=0), (real(3, 2), real(3, 2))),
    Case("cross", lambda xp, x, y: xp.cross(x, y), (real(4, 3), real(3))),
    Case("cross_axes", lambda xp, x, y: xp.cross(x, y, 0, 1, 0), (real(3, 4), real(4, 3))),
    Case("multi_dot", lambda xp, *xs: xp.linalg.multi_dot(xs), (real(2, 3), real(3, 4), real(4, 2))),
    Case("multi_dot_vectors", lambda xp, *xs: xp.linalg.multi_dot(xs), (real(3), real(3, 2), real(2))),
    *(
        Case(
            f"matrix_power_{n}",
            lambda xp, x, n=n: xp.linalg.matrix_power(x, n),
            (real(2, 3, 3),),
            tolerance=1e-7,
        )
        for n in (-2, 0, 1, 3, 6)
    ),
    *(
        Case(
            f"einsum_{subscripts}",
            lambda xp, *xs, s=subscripts: xp.einsum(s, *xs),
            tuple(real(*s) for s in shapes),
        )
        for subscripts, *shapes in EINSUMS
    ),
    Case(
        "einsum_path",
        lambda xp, *xs: xp.einsum("ij,jk,kl,lm->im", *xs, optimize="greedy"),
        (real(2, 3), real(3, 4), real(4, 2), real(2, 2)),
    ),
    Case(
        "einsum_lists",
        lambda xp, x, y: xp.einsum(x, [0, 5, ...], y, [5, 2], [2, 0, ...]),
        (real(2, 3, 4), real(3, 2)),
    ),
    Case("einsum_lists_implicit", lambda xp, x, y: xp.einsum(x, [1, 0], y, [0, 2]), (real(2, 3), real(3, 2))),
    Case("einsum_complex", lambda xp, x, y: xp.einsum("ij,kj->ik", x, y), (compound(2, 3), compound(2, 3))),
    Case("linalg_matmul", lambda xp, x, y: xp.linalg.matmul(x, y), (real(2, 3), real(3, 2))),
    Case("linalg_tensordot", lambda xp, x, y: xp.linalg.tensordot(x, y, axes=1), (real(2, 3), real(3, 2))),
    Case("linalg_vecdot", lambda xp, x, y: xp.linalg.vecdot(x, y), (real(2, 3), real(2, 3))),
    Case("linalg_outer", lambda xp, x, y: xp.linalg.outer(x, y), (real(2), real(3))),
    Case("linalg_cross", lambda xp, x, y: xp.linalg.cross(x, y), (real(2, 3), real(2, 3))),
    Case("linalg_diagonal", lambda xp, x: xp.linalg.diagonal(x, offset=1), (real(2, 3, 4),)),
    Case("linalg_trace", lambda xp, x: xp.linalg.trace(x), (real(2, 3, 4),)),
    Case("linalg_matrix_transpose", lambda xp, x: xp.linalg.matrix_transpose(x), (real(2, 3, 4),)),
]

if hasattr(np, "matvec"):
    CASES += [
        Case("matvec", lambda xp, x, y: xp.matvec(x, y), (compound(2, 3), compound(4, 3))),
        Case("vecmat", lambda xp, x, y: xp.vecmat(x, y), (compound(4, 2), compound(2, 3))),
    ]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_pulling_back_a_layer_flattens_the_rows():
    x, w = real(5, 2, 3), real(3, 4)
    _, pullback = vjp(lambda w: x @ w, w)
    cotangent = real(5, 2, 4)
    same(pullback(cotangent)[0], np.einsum("bij,bik->jk", x, cotangent))


@pytest.mark.parametrize("axes", [(1, None), (None, 1), (2, 0)])
def test_batches_of_stacks(axes):
    x, y = real(3, 4, 2), real(2, 4, 2)
    x = np.moveaxis(real(5, 3, 4), 0, axes[0]) if axes[0] is not None else x[..., 0]
    y = np.moveaxis(real(5, 4, 2), 0, axes[1]) if axes[1] is not None else y[0]
    rows = [
        (x if axes[0] is None else np.moveaxis(x, axes[0], 0)[i])
        @ (y if axes[1] is None else np.moveaxis(y, axes[1], 0)[i])
        for i in range(5)
    ]
    same(vmap(np.matmul, in_axes=axes)(x, y), np.stack(rows))


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (np.matmul, ((2, 3), (4, 2))),
        (np.dot, ((2, 3), (4, 2))),
        (np.tensordot, ((2, 3), (4, 2))),
        (np.vecdot, ((2, 3), (4, 2))),
        (np.cross, ((2, 4), (4, 2))),
    ],
)
def test_wrong_shapes_are_shown(function, shapes):
    x, y = (np.ones(shape) for shape in shapes)
    with pytest.raises(ShapeError, match=r"operands' shapes must fit each other, got \(2, .*\) and \(4, 2\)"):
        jvp(lambda x: function(x, y), (x,), (x,))


def test_einsum_says_what_is_wrong():
    x = np.ones((2, 3))
    with pytest.raises(
        ShapeError, match=r"einsum: the operands' shapes must fit 'ij,jk', got \(2, 3\) and \(2, 3\)"
    ):
        grad(lambda x: np.einsum("ij,jk", x, x).sum())(x)
    with pytest.raises(
        ShapeError, match=r"the subscripts 'ijk' must have a label for each axis, got shape \(2, 3\)"
    ):
        grad(lambda x: np.einsum("ijk", x).sum())(x)
    with pytest.raises(ValueError, match=r"must name 1 operands, got 2"):
        grad(lambda x: np.einsum("ij,jk", x).sum())(x)
    with pytest.raises(ValueError, match=r"must name labels of the inputs once each, got k"):
        grad(lambda x: np.einsum("ij->k", x).sum())(x)


def test_einsum_path_of_tracers():
    def f(x):
        path, _ = np.einsum_path("ij,jk,kl->il", x, x, x)
        assert path[0] == "einsum_path"
        return np.einsum("ij,jk,kl->il", x, x, x, optimize=path).sum()

    assert grad(f)(real(3, 3)).shape == (3, 3)
