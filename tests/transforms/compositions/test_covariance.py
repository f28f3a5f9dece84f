import numpy as np

from tests.transforms.laws import Case, check, parametrize

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 5))
Y = RNG.standard_normal((2, 5))
COUNTS = np.array([1, 2, 1, 3, 1])
WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25, 1.5])

CASES = [
    Case("cov", lambda xp, x: xp.cov(x), (X,)),
    Case("cov-two", lambda xp, x, y: xp.cov(x, y), (X, Y)),
    Case("cov-columns", lambda xp, x: xp.cov(x.T, rowvar=False, bias=True), (X,)),
    Case("cov-vector", lambda xp, x: xp.cov(x, ddof=0), (X[0],)),
    Case("cov-fweights", lambda xp, x: xp.cov(x, fweights=COUNTS), (X,)),
    Case("cov-aweights", lambda xp, x, w: xp.cov(x, aweights=w), (X, WEIGHTS)),
    Case("cov-both-weights", lambda xp, x, w: xp.cov(x, fweights=COUNTS, aweights=w), (X, WEIGHTS)),
    Case("cov-complex", lambda xp, x, y: xp.cov(x + 1j * y), (X[:2], Y)),
    Case("corrcoef", lambda xp, x: xp.corrcoef(x), (X,)),
    Case("corrcoef-two", lambda xp, x, y: xp.corrcoef(x, y), (X[0], Y[0])),
    Case("corrcoef-complex", lambda xp, x, y: xp.corrcoef(x + 1j * y), (X[:2], Y)),
    Case("corrcoef-vector", lambda xp, x: xp.corrcoef(x), (X[0],)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)
