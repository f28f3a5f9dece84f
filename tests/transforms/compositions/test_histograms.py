import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, stage, vjp
from transforms.errors import ConcreteValueError

A = np.array([0.1, 0.74, 0.41, 0.93, 0.35, 0.28])
B = np.array([-1.0, 2.0, 0.4, 0.7, -0.2, 1.1])
W = np.array([1.0, 0.5, 2.0, -1.0, 0.25, 3.0])
NUMBERS = np.array([0, 3, 1, 1, 0, 5])
EDGES = np.array([0.0, 0.2, 0.75, 0.9])

CASES = [
    Case(
        "bincount",
        lambda xp, w: xp.bincount(NUMBERS, w, minlength=8),
        (W,),
        oracle=lambda w: jnp.bincount(NUMBERS, w, length=8),
    ),
    Case("weights", lambda xp, a, w: xp.histogram(a, 3, weights=w), (A, W)),
    Case("edges", lambda xp, a, w: xp.histogram(a, EDGES.astype(a.dtype), weights=w)[0], (A, W)),
    Case("density", lambda xp, a, w: xp.histogram(a, 4, density=True, weights=w), (A, W)),
    Case("range", lambda xp, a, w: xp.histogram(a, 4, (0.2, 0.7), weights=w)[0], (A, W)),
    Case("2d", lambda xp, a, b, w: xp.histogram2d(a, b, [3, 2], weights=w), (A, B, W)),
    Case("2d-density", lambda xp, a, b, w: xp.histogram2d(a, b, 2, density=True, weights=w), (A, B, W)),
    Case("dd", lambda xp, a, b, w: xp.histogramdd(xp.stack([a, b]).T, 2, weights=w), (A, B, W)),
    Case("bin-edges", lambda xp, a: xp.histogram_bin_edges(a, 3), (A,)),
]  # fmt: skip


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_counts_are_integers_without_derivative():
    got, _ = vjp(lambda a: (np.histogram(a, 3), np.sum(a)), A)
    same(got[0], np.histogram(A, 3))
    got, _ = vjp(lambda a: (np.histogram2d(a, B, 3), np.sum(a)), A)
    same(got[0], np.histogram2d(A, B, 3))


@pytest.mark.parametrize("bins", ["auto", "sturges"])
def test_the_number_of_bins_may_come_from_the_values(bins):
    got, _ = vjp(lambda a: np.histogram_bin_edges(a, bins), A)
    same(got, np.histogram_bin_edges(A, bins))
    with pytest.raises(ConcreteValueError, match="the number of bins must not depend on traced values"):
        stage(lambda a: np.histogram_bin_edges(a, bins))(A)


@pytest.mark.parametrize("a", [np.zeros(0), np.ones(3)])
def test_empty_and_equal_samples(a):
    got, _ = vjp(lambda a: np.histogram_bin_edges(a, 4), a)
    same(got, np.histogram_bin_edges(a, 4))


def test_numbers_must_be_known_and_not_negative():
    with pytest.raises(ConcreteValueError, match=r"use transforms.at\(np.zeros\(n\)\)\[x\].add\(weights\)"):
        stage(np.bincount)(NUMBERS)
    with pytest.raises(ValueError, match=r"numpy.bincount: x must be a vector of non-negative integers"):
        grad(lambda w: np.sum(np.bincount(-NUMBERS, w)))(W)


def test_each_dimension_needs_its_bins():
    with pytest.raises(ValueError, match=r"numpy.histogramdd: bins must be given for 2 dimensions, got 3"):
        grad(lambda w: np.sum(np.histogramdd((A, B), [1, 2, 3], weights=w)[0]))(W)
