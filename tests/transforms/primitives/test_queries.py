import numpy as np
import pytest

from transforms import jvp, stage, vjp

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((2, 3))
ODD = np.array([1.0, np.nan, np.inf, -np.inf, 2.0])
NEAR = np.array([1.0 + 1e-9, np.nan, np.inf, np.inf, 2.1])


@pytest.mark.parametrize(
    ("x", "y"), [(ODD, NEAR), (ODD, ODD), (MATRIX, MATRIX), (MATRIX, MATRIX + 1e-12), (MATRIX, MATRIX[:1])]
)
@pytest.mark.parametrize("equal_nan", [False, True])
def test_comparisons_of_whole_arrays(x, y, equal_nan):
    def f(x, y):
        got = [np.array_equiv(x, y), np.array_equal(x, y, equal_nan=equal_nan)]
        if x.shape == y.shape:
            got += [np.allclose(x, y, equal_nan=equal_nan), *np.isclose(x, y, equal_nan=equal_nan).ravel()]
        return [np.bool_(g) if isinstance(g, bool) else g for g in got]

    expected = f(x, y)
    assert vjp(f, x, y)[0] == expected
    with np.errstate(invalid="ignore"):
        assert jvp(f, (x, y), (x, y))[0] == expected


def test_staged_comparison():
    graph = stage(lambda x, y: np.isclose(x, y))(ODD, NEAR)
    assert graph.outputs[0].type.dtype == bool
    assert stage(np.array_equal)(MATRIX, MATRIX).outputs[0].type.shape == ()


def test_shapes_and_dtypes():
    integers = np.arange(3, dtype=np.int8)

    def f(x):
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert (np.size(x), np.size(x, 0), np.size(x, -1)) == (6, 2, 3)
        assert np.result_type(x, integers) == np.float32
        assert np.result_type(x, np.float64) == np.float64
        assert np.can_cast(x, np.float64)
        assert not np.can_cast(x, np.int8)
        assert np.min_scalar_type(x) == np.float32
        assert np.common_type(x, integers) is np.float64
        assert np.common_type(x) is np.float32
        assert np.isrealobj(x)
        assert not np.iscomplexobj(x)
        assert not np.shares_memory(x, x)
        assert not np.may_share_memory(MATRIX, x)
        return x

    for transform in (lambda x: vjp(f, x), stage(f)):
        transform(MATRIX.astype(np.float32))


def test_complex():
    def f(x):
        assert np.iscomplexobj(x)
        assert not np.isrealobj(x)
        return x

    vjp(f, MATRIX + 1j)
