import jax.scipy.linalg
import numpy as np
import pytest
import scipy.linalg

from tests.transforms.laws import Case, check, parametrize, same
from transforms import vjp
from transforms.errors import ShapeError
from transforms.scipy import linalg

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


def module(xp):
    return linalg if xp is np else jax.scipy.linalg


def solve_definite(xp, x, b, lower):
    a = x @ xp.conj(x.T) + 2 * xp.eye(3, dtype=x.dtype)
    return module(xp).cho_solve(module(xp).cho_factor(a, lower=lower), b)


A = real(3, 3) + 3 * np.eye(3)
CASES = [
    *(
        Case(
            f"solve_triangular_{trans}_{lower}",
            lambda xp, a, b, trans=trans, lower=lower: module(xp).solve_triangular(
                a, b, trans=trans, lower=lower
            ),
            (A + 1j * real(3, 3), compound(3)),
        )
        for trans in ("N", "T", "C", 1)
        for lower in (False, True)
    ),
    *(
        Case(
            f"cho_solve_{lower}",
            lambda xp, x, b, lower=lower: solve_definite(xp, x, b, lower),
            (compound(3, 3), compound(3, 2)),
        )
        for lower in (False, True)
    ),
    Case("expm", lambda xp, x: module(xp).expm(x), (real(3, 3),)),
    Case("block_diag", lambda xp, x, y: module(xp).block_diag(x, y), (real(2, 3), real(2))),
    Case("toeplitz", lambda xp, c, r: module(xp).toeplitz(c, r), (real(3), real(4))),
    Case("toeplitz_column", lambda xp, c: module(xp).toeplitz(c), (compound(3),)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_values_are_those_of_scipy():
    a, b = A @ A.T, real(3)
    same(linalg.solve_triangular(a, b, 1, True), scipy.linalg.solve_triangular(a, b, 1, True))
    same(linalg.cho_solve(linalg.cho_factor(a), b), scipy.linalg.cho_solve(scipy.linalg.cho_factor(a), b))
    same(linalg.block_diag([[1.0]], [2.0, 3.0]), scipy.linalg.block_diag([[1.0]], [2.0, 3.0]))
    same(linalg.toeplitz([1, 2, 3], [1, 5]), scipy.linalg.toeplitz([1, 2, 3], [1, 5]))
    same(linalg.expm(a), scipy.linalg.expm(a))


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"solve_triangular: trans must be 0, 1, 2, .*, got 'X'"):
        vjp(lambda a: linalg.solve_triangular(a, np.ones(3), trans="X"), A)
    with pytest.raises(
        ShapeError, match=r"block_diag: a block must have two axes at most, got shape \(1, 1, 1\)"
    ):
        vjp(linalg.block_diag, np.ones((1, 1, 1)))
    with pytest.raises(ShapeError, match=r"toeplitz: .* must have one axis, got \(3, 3\) and \(3, 3\)"):
        vjp(linalg.toeplitz, A)
