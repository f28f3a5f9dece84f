"""bfloat16 and float16: the types that NumPy gives, in every transform and on the backends.

The values are compared with NumPy's in the same dtype, gradients with those at float64, which the primitives'
own tests compare with JAX's.
"""

import ml_dtypes
import numpy as np
import pytest

from transforms import at, cond, eval_shape, grad, jit, jvp, scan, tree, type_of, vmap

rng = np.random.default_rng(0)
A, B, M = (rng.uniform(0.2, 0.8, shape) for shape in ((3, 4), (3, 4), (4, 3)))

CASES = {
    "exp": (np.exp, A),
    "tanh": (np.tanh, A),
    "sqrt": (np.sqrt, A),
    "negative": (np.negative, A),
    "add": (np.add, A, B),
    "divide": (np.divide, A, B),
    "maximum": (np.maximum, A, B),
    "power": (np.power, A, B),
    "a number": (lambda x: 2.0 * x + 1, A),
    "a square": (lambda x: x**2, A),
    "float32": (lambda x: x * np.float32(2), A),
    "sum": (lambda x: np.sum(x, axis=0), A),
    "mean": (lambda x: np.mean(x, axis=0), A),
    "max": (lambda x: np.max(x, axis=0), A),
    "var": (lambda x: np.var(x, axis=0), A),
    "cumsum": (lambda x: np.cumsum(x, axis=0), A),
    "sort": (lambda x: np.sort(x, axis=0), A),
    "median": (lambda x: np.median(x, axis=0), A),
    "matmul": (np.matmul, A, M),
    "matmul of stacks": (lambda x, y: np.matmul(np.stack([x, x]), y), A, M),
    "dot": (np.dot, A, M),
    "inner": (np.inner, A, B),
    "vdot": (np.vdot, A, B),
    "tensordot": (lambda x, y: np.tensordot(x, y, 1), A, M),
    "transpose": (np.transpose, A),
    "concatenate": (lambda x, y: np.concatenate([x, y]), A, B),
    "where": (lambda x, y: np.where(x > y, x, y), A, B),
    "clip": (lambda x: np.clip(x, 0.3, 0.6), A),
    "pad": (lambda x: np.pad(x, 1), A),
    "slice": (lambda x: x[1:, ::2], A),
    "rows": (lambda x: x[np.array([0, 0, 2])], A),
    "at": (lambda x: at(x)[0].add(x[1]), A),
    "up": (lambda x: x.astype(np.float32) ** 2, A),
    "down": (lambda x: (x.astype(np.float32) ** 2).astype(x.dtype), A),
    "cond": (lambda x: cond(np.sum(x) > 1, lambda x: -x, lambda x: x, x), A),
    "scan": (lambda x: scan(lambda c, row: (c + row, c * row), np.zeros(4, x.dtype), x), A),
}

TOLERANCE = {"bfloat16": 0.1, "float16": 0.02}
HALVES = [np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16)]


def assert_close(got, expected, tolerance):
    for leaf, other in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        one, two = (np.asarray(x).astype(np.float64) for x in (leaf, other))
        np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


def types(values):
    return tree.map(type_of, values)


@pytest.fixture(params=CASES)
def case(request):
    f, *arrays = CASES[request.param]
    return f, arrays


@pytest.fixture(params=HALVES, ids=str)
def dtype(request):
    return request.param


@pytest.mark.parametrize("backend", [None, "numpy", "xla"])
def test_types_and_values_are_those_of_numpy(case, dtype, backend):
    f, arrays = case
    short = [array.astype(dtype) for array in arrays]
    expected = f(*short)
    if backend is None:
        assert eval_shape(f, *short) == types(expected)
    else:
        got = jit(f, backend=backend)(*short)
        assert types(got) == types(expected)
        assert_close(got, expected, TOLERANCE[dtype.name])


def total(f):
    return lambda *arrays: sum(np.sum(leaf.astype(np.float32)) for leaf in tree.leaves(f(*arrays)))


@pytest.mark.parametrize("backend", [None, "numpy", "xla"])
def test_a_gradient_has_the_dtype_of_its_argument(case, dtype, backend):
    f, arrays = case
    arguments = tuple(range(len(arrays)))
    gradient = grad(total(f), argnums=arguments)
    compiled = gradient if backend is None else jit(gradient, backend=backend)
    got = compiled(*(array.astype(dtype) for array in arrays))
    assert [leaf.dtype for leaf in got] == [dtype] * len(arrays)
    assert_close(got, gradient(*arrays), 2 * TOLERANCE[dtype.name])


def test_tangents_and_batches_have_the_types_of_the_values(case, dtype):
    f, arrays = case
    short = [array.astype(dtype) for array in arrays]
    expected = f(*short)
    _, tangents = jvp(f, tuple(short), tuple(short))
    assert types(tangents) == types(expected)
    batched = vmap(f)(*(np.stack([array, array]) for array in short))
    first = tree.map(lambda leaf: leaf[0], batched)
    assert types(first) == types(expected)
    assert_close(first, expected, TOLERANCE[dtype.name])
