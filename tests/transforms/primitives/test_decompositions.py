import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, jvp, vjp
from transforms.checks import check_grads
from transforms.errors import NoRuleError, ShapeError
from transforms.primitives.matrices import adjoint

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


def definite(x, xp=np):
    """A positive definite matrix that depends smoothly on any square matrix."""
    return x @ xp.conj(x.mT) + 2 * xp.eye(x.shape[-1], dtype=x.dtype)


def symmetric(x, xp=np):
    return x + xp.conj(x.mT)


def weights(*shape):
    return np.random.default_rng(7).standard_normal(shape)


def qr_parts(xp, x, **options):
    q, r = xp.linalg.qr(x, **options)
    return q, r


def svd_fixed(xp, x):
    """Singular values, and what the free phase of the vectors does not change."""
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return s, u @ vh, u[..., :, None, :] * xp.conj(u)[..., None, :, :]


def eigh_fixed(xp, x):
    """Eigenvalues, and what the free phase of the vectors does not change."""
    values, vectors = xp.linalg.eigh(symmetric(x, xp))
    return values, vectors[..., :, None, :] * xp.conj(vectors)[..., None, :, :]


CASES = [
    Case("cholesky", lambda xp, x: xp.linalg.cholesky(definite(x, xp)), (real(3, 3),)),
    Case("cholesky_stack", lambda xp, x: xp.linalg.cholesky(definite(x, xp)), (real(2, 3, 3),)),
    Case("cholesky_complex", lambda xp, x: xp.linalg.cholesky(definite(x, xp)), (compound(3, 3),)),
    Case("cholesky_upper", lambda xp, x: xp.linalg.cholesky(definite(x, xp), upper=True), (compound(3, 3),)),
    Case("cholesky_empty", lambda xp, x: xp.linalg.cholesky(x), (real(0, 0),)),
    Case("qr_square", qr_parts, (real(3, 3),)),
    Case("qr_tall", qr_parts, (real(4, 2),)),
    Case("qr_stack", qr_parts, (real(2, 3, 2),)),
    Case("qr_complex", qr_parts, (compound(4, 3),)),
    Case("qr_wide", qr_parts, (real(2, 4),), oracle="JAX has no rule for wide matrices"),
    Case("qr_wide_complex", qr_parts, (compound(2, 3),), oracle="JAX has no rule for wide matrices"),
    Case("qr_complete", lambda xp, x: qr_parts(xp, x, mode="complete"), (real(3, 3),)),
    Case("qr_r", lambda xp, x: xp.linalg.qr(x, mode="r"), (real(4, 3),)),
    *(
        Case(f"svd_{a}", lambda xp, x: tuple(xp.linalg.svd(x, full_matrices=False)), (real(*a),))
        for a in [(3, 3), (4, 2), (2, 4), (2, 3, 2)]
    ),
    *(
        Case(
            f"svd_complex_{a}",
            svd_fixed,
            (compound(*a),),
            tolerance=1e-8,
        )
        for a in [(3, 3), (4, 2), (2, 3)]
    ),
    Case("svd_full_of_square", lambda xp, x: tuple(xp.linalg.svd(x)), (real(3, 3),)),
    Case(
        "svd_hermitian",
        lambda xp, x: xp.linalg.svd(definite(x, xp), compute_uv=False, hermitian=True),
        (real(3, 3),),
    ),
    Case("svdvals", lambda xp, x: xp.linalg.svdvals(x), (compound(2, 3, 2),)),
    Case("svd_values_only", lambda xp, x: xp.linalg.svd(x, compute_uv=False), (real(3, 2),)),
    Case("eigh", lambda xp, x: tuple(xp.linalg.eigh(symmetric(x, xp))), (real(3, 3),)),
    Case("eigh_stack", lambda xp, x: tuple(xp.linalg.eigh(symmetric(x, xp))), (real(2, 3, 3),)),
    Case("eigh_upper", lambda xp, x: tuple(xp.linalg.eigh(symmetric(x, xp), UPLO="U")), (real(3, 3),)),
    Case(
        "eigh_complex",
        eigh_fixed,
        (compound(3, 3),),
    ),
    Case("eigvalsh", lambda xp, x: xp.linalg.eigvalsh(symmetric(x, xp)), (compound(2, 3, 3),)),
    Case("eigvals_complex", lambda xp, x: xp.linalg.eigvals(x), (compound(3, 3),)),
    Case("eigvals_stack", lambda xp, x: xp.linalg.eigvals(x), (compound(2, 3, 3),)),
    Case(
        "eig_complex",
        lambda xp, x: tuple(xp.linalg.eig(x)),
        (compound(3, 3),),
        oracle="JAX has no rule for vectors",
    ),
    Case(
        "eig_rotation",
        lambda xp, x: tuple(xp.linalg.eig(x)),
        (np.array([[0.1, 2.0, 0.3], [-1.0, 0.2, 0.1], [0.5, 0.0, 3.0]]),),
        oracle="JAX has no rule for vectors",
    ),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_cholesky_has_a_hermitian_derivative():
    a = definite(compound(3, 3))
    gradient = grad(lambda a: np.sum(np.linalg.cholesky(a).real * weights(3, 3)))(a)
    same(gradient, adjoint(gradient))


def test_results_have_numpys_names():
    def f(a):
        a = symmetric(a)
        return (
            np.linalg.eigh(a).eigenvalues.sum()
            + np.linalg.svd(a).S.sum()
            + np.linalg.qr(a).R.sum()
            + np.linalg.eig(a).eigenvalues.real.sum()
        )

    check_grads(f, (real(3, 3),))


def test_real_eigenvalues_come_complex():
    values = jvp(np.linalg.eigvals, (np.diag([1.0, 2.0]),), (np.eye(2),))
    same(values, (np.array([1.0, 2.0]) + 0j, np.array([1.0, 1.0]) + 0j))


def test_values_of_equal_size_are_differentiable():
    gradient = grad(lambda a: np.linalg.svdvals(a).sum())(np.eye(3))
    same(gradient, np.eye(3))
    same(grad(lambda a: np.linalg.eigvalsh(a).sum())(np.eye(3)), np.eye(3))


def test_what_completes_a_basis_has_no_derivative():
    x = real(3, 2)
    with pytest.raises(
        NoRuleError, match=r"svd_full .*not determined by the matrix; use full_matrices=False"
    ):
        vjp(np.linalg.svd, x)
    with pytest.raises(NoRuleError, match=r"qr_complete .*not determined by the matrix; use mode='reduced'"):
        vjp(lambda x: np.linalg.qr(x, mode="complete"), x)


@pytest.mark.parametrize(
    "function", [np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.eig, np.linalg.eigvals]
)
def test_square_matrices_are_asked_for(function):
    with pytest.raises(ShapeError, match=r"must be a stack of square matrices, got shape \(2, 3\)"):
        vjp(function, real(2, 3))


def test_unknown_options_are_named():
    with pytest.raises(ValueError, match=r"linalg.qr: mode of a traced matrix must be .*, got 'raw'"):
        vjp(lambda x: np.linalg.qr(x, mode="raw"), real(2, 2))
    with pytest.raises(ValueError, match=r"linalg.eigh: UPLO must be 'L' or 'U', got 'X'"):
        vjp(lambda x: np.linalg.eigh(x, "X"), real(2, 2))
