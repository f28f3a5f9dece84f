import jax.scipy.linalg
import numpy as np
import pytest
import scipy.linalg

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, hessian, jvp, vjp, vmap
from transforms.checks import check_grads
from transforms.errors import ShapeError
from transforms.primitives.matrix_exponential import expm
from transforms.primitives.triangular import triangular_solve

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


def regular(*shape):
    """Matrices well away from singular ones."""
    return real(*shape) + 3 * np.eye(shape[-1])


NORM_ORDERS = [None, 0, 1, 2, 3, 2.5, -1, np.inf, -np.inf]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]
TRIANGULAR = [
    (lower, transpose, unit)
    for lower in (False, True)
    for transpose in (False, True)
    for unit in (False, True)
]


CASES = [
    Case("solve", lambda xp, a, b: xp.linalg.solve(a, b), (regular(3, 3), real(3, 2))),
    Case("solve_vector", lambda xp, a, b: xp.linalg.solve(a, b), (regular(3, 3), real(3))),
    Case(
        "solve_stack",
        lambda xp, a, b: xp.linalg.solve(a, b),
        (regular(2, 3, 3) + 0j, compound(3, 2)),
        oracle="JAX wants stacks of equal rank",
    ),
    Case("solve_stacks", lambda xp, a, b: xp.linalg.solve(a, b), (regular(2, 1, 3, 3), real(1, 2, 3, 2))),
    Case("inv", lambda xp, a: xp.linalg.inv(a), (regular(2, 3, 3),)),
    Case("inv_complex", lambda xp, a: xp.linalg.inv(a), (regular(3, 3) + 1j * real(3, 3),)),
    Case("det", lambda xp, a: xp.linalg.det(a), (real(3, 3),)),
    Case("det_stack", lambda xp, a: xp.linalg.det(a), (compound(2, 2, 2),)),
    Case("det_empty", lambda xp, a: xp.linalg.det(a), (real(0, 0),), oracle="JAX has no rule for it"),
    Case("slogdet", lambda xp, a: tuple(xp.linalg.slogdet(a)), (real(3, 3),)),
    Case("slogdet_stack", lambda xp, a: tuple(xp.linalg.slogdet(a)), (compound(2, 3, 3),)),
    Case("tensorsolve", lambda xp, a, b: xp.linalg.tensorsolve(a, b), (real(2, 3, 6), real(2, 3))),
    Case("tensorsolve_axes", lambda xp, a, b: xp.linalg.tensorsolve(a, b, (0,)), (real(6, 2, 3), real(2, 3))),
    Case("tensorinv", lambda xp, a: xp.linalg.tensorinv(a, 1), (real(4, 2, 2),)),
    *(
        Case(f"pinv_{a}", lambda xp, x: xp.linalg.pinv(x), (real(*a),), tolerance=1e-7)
        for a in [(3, 3), (4, 2), (2, 4), (2, 3, 2)]
    ),
    Case("pinv_complex", lambda xp, x: xp.linalg.pinv(x), (compound(4, 2),), tolerance=1e-7),
    Case(
        "pinv_of_rank_one",
        lambda xp, u, v: xp.linalg.pinv(xp.outer(u, v), rtol=1e-6),
        (real(3), real(2)),
        tolerance=1e-7,
    ),
    Case("lstsq", lambda xp, a, b: xp.linalg.lstsq(a, b)[0], (real(4, 2), real(4, 3)), tolerance=1e-7),
    Case("lstsq_vector", lambda xp, a, b: xp.linalg.lstsq(a, b)[0], (real(4, 2), real(4)), tolerance=1e-7),
    Case(
        "lstsq_parts",
        lambda xp, a, b: tuple(xp.linalg.lstsq(a, b)[i] for i in (1, 3)),
        (real(4, 2), real(4, 3)),
        tolerance=1e-7,
    ),
    Case("lstsq_wide", lambda xp, a, b: xp.linalg.lstsq(a, b)[0], (real(2, 4), real(2)), tolerance=1e-7),
    Case(
        "matrix_rank",
        lambda xp, a: xp.linalg.matrix_rank(a),
        (np.ones((3, 3)),),
        order=0,
        oracle="JAX gives int32",
    ),
    Case(
        "matrix_rank_tol",
        lambda xp, a: xp.linalg.matrix_rank(a, tol=0.5),
        (real(2, 3, 3),),
        order=0,
        oracle="int32",
    ),
    Case(
        "matrix_rank_of_vector", lambda xp, a: xp.linalg.matrix_rank(a), (real(3),), order=0, oracle="int32"
    ),
    *(Case(f"norm_vector_{o}", lambda xp, x, o=o: xp.linalg.norm(x, o), (real(4),)) for o in NORM_ORDERS),
    *(
        Case(f"norm_matrix_{o}", lambda xp, x, o=o: xp.linalg.norm(x, o), (real(3, 2),), tolerance=1e-8)
        for o in MATRIX_ORDERS
    ),
    *(
        Case(
            f"norm_stack_{o}",
            lambda xp, x, o=o: xp.linalg.norm(x, o, axis=(2, 0), keepdims=True),
            (real(3, 2, 2),),
            tolerance=1e-8,
        )
        for o in ("nuc", 1, np.inf)
    ),
    Case("norm_axis", lambda xp, x: xp.linalg.norm(x, 3, axis=1, keepdims=True), (compound(2, 3),)),
    Case("norm_complex", lambda xp, x: xp.linalg.norm(x), (compound(2, 3, 2),)),
    Case("vector_norm", lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 2), ord=3), (real(2, 3, 2),)),
    Case("vector_norm_all", lambda xp, x: xp.linalg.vector_norm(x, keepdims=True), (real(2, 3),)),
    Case("matrix_norm", lambda xp, x: xp.linalg.matrix_norm(x, ord=1), (real(2, 3, 2),)),
    *(
        Case(f"cond_{p}", lambda xp, x, p=p: xp.linalg.cond(x, p), (regular(3, 3),), tolerance=1e-8)
        for p in (None, 2, -2, "fro", 1, np.inf)
    ),
    *(
        Case(
            f"triangular_solve_{lower}_{transpose}_{unit}",
            lambda xp, a, b, options=(lower, transpose, unit): triangular_solve(
                a, b, lower=options[0], transpose=options[1], unit_diagonal=options[2]
            ),
            (regular(3, 3), real(3, 2)),
            oracle=lambda a, b, options=(lower, transpose, unit): jax.scipy.linalg.solve_triangular(
                a, b, lower=options[0], trans=int(options[1]), unit_diagonal=options[2]
            ),
        )
        for lower, transpose, unit in TRIANGULAR
    ),
    Case(
        "triangular_solve_stack",
        lambda xp, a, b: triangular_solve(a, b, lower=True),
        (regular(2, 1, 3, 3) + 1j * real(2, 1, 3, 3), compound(2, 3, 2)),
        oracle="JAX does not broadcast the stacks",
    ),
    Case("expm", lambda xp, x: expm(x), (real(3, 3),), oracle=jax.scipy.linalg.expm),
    Case("expm_stack", lambda xp, x: expm(x), (compound(2, 2, 2),), oracle=jax.scipy.linalg.expm),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_determinant_of_singular_matrices():
    a = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    expected = [[4, 4, -4], [-2, -2, 2], [0, 0, 0]]
    np.testing.assert_allclose(grad(np.linalg.det)(a), expected, atol=1e-13)
    same(grad(np.linalg.det)(np.zeros((2, 2))), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="Singular matrix"):
        hessian(np.linalg.det)(np.zeros((2, 2)))


def test_norms_are_flat_at_zero():
    for order in (None, 2, 3, 1.5):
        same(grad(lambda x, o=order: np.linalg.norm(x, o))(np.zeros(3)), np.zeros(3))
    for order in (None, "nuc", 2):
        same(grad(lambda x, o=order: np.linalg.norm(x, o))(np.zeros((2, 2))), np.zeros((2, 2)))
    row = grad(lambda x: np.linalg.norm(x, axis=1).sum())(np.array([[0.0, 0.0], [3.0, 4.0]]))
    same(row, np.array([[0.0, 0.0], [0.6, 0.8]]))


def test_residuals_of_least_squares():
    for a in (real(4, 2), np.ones((4, 2)), real(2, 2)):
        b = real(a.shape[0])
        expected = np.linalg.lstsq(a, b)
        got, _ = vjp(lambda a, b=b: tuple(np.linalg.lstsq(a, b)), a)
        same(got[:2], expected[:2], tolerance=1e-10)
        assert got[2] == expected[2]


def test_least_squares_in_a_batch_assume_full_rank():
    a, b = real(5, 4, 2), real(4)
    got = vmap(lambda a: np.linalg.lstsq(a, b)[1])(a)
    same(got, np.stack([np.linalg.lstsq(x, b)[1] for x in a]), tolerance=1e-10)


def test_a_solution_is_consistent_with_scipy():
    a, b = regular(2, 3, 3), real(3, 2)
    expected = np.stack([scipy.linalg.solve_triangular(x, b, lower=True) for x in a])
    same(triangular_solve(a, b, lower=True), expected)


def test_derivatives_reach_only_the_triangle_that_is_read():
    a, b = regular(3, 3), real(3, 1)
    gradient = grad(lambda a: triangular_solve(a, b, lower=True).sum())(a)
    same(gradient, np.tril(gradient))
    check_grads(lambda a: triangular_solve(a, b, lower=True), (a,))


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (np.linalg.solve, (np.eye(3), np.ones((2, 3)))),
        (np.linalg.lstsq, (np.eye(3), np.ones((2, 3)))),
        (np.linalg.tensorsolve, (np.ones((2, 3)), np.ones((2, 3)))),
        (triangular_solve, (np.eye(3), np.ones((2, 3)))),
    ],
)
def test_shapes_that_do_not_fit_are_shown(function, args):
    with pytest.raises(ShapeError, match=r"shapes must fit each other, got .* and \(2, 3\)"):
        vjp(function, *args)


@pytest.mark.parametrize("function", [np.linalg.inv, np.linalg.det, np.linalg.slogdet, expm])
def test_square_matrices_are_asked_for(function):
    with pytest.raises(ShapeError, match=r"must be a stack of square matrices, got shape \(2, 3\)"):
        vjp(function, np.ones((2, 3)))


def test_options_that_exclude_each_other():
    x = real(3, 2)
    with pytest.raises(
        ValueError, match=r"linalg.pinv: the cutoff must be given once, got both rcond and rtol"
    ):
        jvp(lambda x: np.linalg.pinv(x, 0.1, rtol=0.1), (x,), (x,))
    with pytest.raises(ValueError, match=r"linalg.norm: ord of matrices must be .*, got 3"):
        jvp(lambda x: np.linalg.norm(x, 3), (x,), (x,))
    with pytest.raises(ValueError, match=r"linalg.norm: ord of vectors must be a number, got 'fro'"):
        jvp(lambda x: np.linalg.norm(x, "fro", axis=0), (x,), (x,))
    with pytest.raises(ValueError, match=r"linalg.norm: axis must name one axis or two, got \(0, 1, 2\)"):
        jvp(lambda x: np.linalg.norm(x, 1, axis=(0, 1, 2)), (real(2, 2, 2),), (real(2, 2, 2),))
