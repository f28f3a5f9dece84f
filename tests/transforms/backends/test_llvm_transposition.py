"""Copies whose axes change places, and kernels that read such copies."""

import itertools

import numpy as np
import pytest

from transforms import get_threads, jit, set_threads, stage
from transforms.backends.llvm import module
from transforms.backends.llvm.processor import host_processor
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import Band, Kernel, Load
from transforms.graph.passes import optimize

DTYPES = ["bool", "int8", "uint16", "int32", "int64", "float32", "float64"]
# Squares fit, or one covers what another does; blocks fit or do not; a prime number of rows; few columns.
SHAPES = [
    (64, 128),
    (4, 9),
    (5, 4),
    (63, 65),
    (17, 16),
    (100, 37),
    (257, 263),
    (331, 8),
    (8, 4099),
    (192, 256),
]


@pytest.fixture
def threads():
    before = get_threads()
    yield set_threads
    set_threads(before)


def numbers(dtype, *shape, seed=0):
    """Return numbers of a dtype, no two neighbours alike."""
    values = np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape)
    return values % 2 == 0 if dtype == "bool" else values.astype(dtype)


def copies(*axes):
    """Return a function that copies arrays with their axes in another order."""
    return jit(lambda *xs: [np.transpose(x, axes or None) for x in xs])


def kernels(f, *args):
    """Return the kernels of a function's schedule, with the units of the band that each is in."""
    steps = make_schedule(optimize(stage(f)(*args))).steps
    bands = [band for band in steps if isinstance(band, Band)]
    return [(step, band.units) for band in bands for step in band.steps if isinstance(step, Kernel)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_of_any_size(dtype):
    arrays = [numbers(dtype, *shape) for shape in SHAPES]
    for got, x in zip(copies()(*arrays), arrays, strict=True):
        np.testing.assert_array_equal(got, x.T, str(x.shape))
        assert got.flags.c_contiguous


@pytest.mark.parametrize("width", [16, 32, 64])
def test_vectors_of_any_width(monkeypatch, width):
    monkeypatch.setenv("FUNCDL_CACHE", "0")
    monkeypatch.setattr(module, "host_processor", lambda: host_processor()._replace(vector_bytes=width))
    arrays = [numbers(dtype, 43, 70) for dtype in DTYPES]
    for got, x in zip(copies()(*arrays), arrays, strict=True):
        np.testing.assert_array_equal(got, x.T, str(x.dtype))


@pytest.mark.parametrize("shape", [(3, 5, 6, 7), (2, 17, 1, 20), (1, 1, 30, 33)])
def test_any_order_of_axes(shape):
    x = numbers("float32", *shape)
    orders = list(itertools.permutations(range(4)))
    got = jit(lambda x: [np.transpose(x, order) for order in orders])(x)
    for one, order in zip(got, orders, strict=True):
        np.testing.assert_array_equal(one, np.transpose(x, order), str(order))


@pytest.mark.parametrize("axes", [(0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (3, 1, 2, 0), (2, 0, 1, 3)])
def test_large_arrays_of_four_axes(axes):
    x = numbers("float32", 4, 33, 12, 50)
    np.testing.assert_array_equal(copies(*axes)(x)[0], np.transpose(x, axes))


def test_parts_of_arrays():
    def parts(x):
        return x[1::2, 3:].T, x[::-1].T, x[:, ::-2].T, x[5:, 5:].T + 1

    x = numbers("float32", 130, 140)
    for one, expected in zip(jit(parts)(x), parts(x), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_no_elements():
    assert copies()(np.zeros((0, 5), np.float32), np.zeros((7, 0)))[0].shape == (5, 0)


A, B, C = numbers("float32", 131, 157), numbers("float32", 157, 131, seed=1), numbers("float32", 157, seed=2)
READERS = {
    "a number": (lambda a: a.T + 0.5, A),
    "an operand that lies in order": (lambda a, b: a.T * b - b, A, B),
    "both ways": (lambda a: a[:131, :131].T - a[:131, :131], A),
    "two of them": (lambda a, b: np.maximum(a.T, b.T), A, A[::-1].copy()),
    "more than are copied": (lambda a: a[:, 1:].T + a[:, :-1].T * np.roll(a, 1, 0)[:, 1:].T, A),
    "a vector": (lambda a, c: a.T + c[:, None], A, C),
    "one for many": (lambda a, x: a.T * x, A, numbers("float32", 3, 157, 131)),
    "a sum as well": (lambda a, b: (a.T * b, np.sum(a.T * b, 0), np.sum(a.T * b, 1)), A / 1e4, B / 1e4),
    "truth values": (lambda a: np.logical_not(a.T), A % 3 == 0),
    "integers": (lambda a: a.T * 2 + 1, A.astype(np.int16)),
    "float64 of float32": (lambda a: a.T.astype(np.float64) / 3, A),
    "images": (lambda x: np.transpose(x, (0, 3, 1, 2)) * 2, numbers("float32", 2, 20, 21, 16)),
    "an update": (lambda w, g: w - 0.1 * g.T, B / 1e5, A / 1e5),
}


@pytest.mark.parametrize("name", READERS)
def test_kernels_that_read_across(name, threads):
    f, *args = READERS[name]
    expected = f(*args)
    for count in (1, 2):
        threads(count)
        got = jit(f)(*args)
        for one, eager in zip(*((x if isinstance(x, tuple) else (x,)) for x in (got, expected)), strict=True):
            np.testing.assert_allclose(one, eager, rtol=2e-6, atol=1e-6)
            assert one.dtype == eager.dtype


def test_what_is_donated_may_be_read_across():
    a, b = A[:131, :131].copy(), B.copy()
    expected = a.T * 2 + 1, b + A.T
    got = jit(lambda a, b, c: (a.T * 2 + 1, b + c.T), donate_argnums=(0, 1))(a, b, A)
    for one, eager in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, eager)


def test_a_large_operand_is_copied_first_in_the_same_band():
    x = np.zeros((512, 640), np.float32)
    (copy, units), (reader, same) = kernels(lambda x: x.T + 1, x)
    assert units == same > 1
    assert len(copy.values) == 1
    loads = [value for value in reader.values if isinstance(value, Load)]
    assert [x.access.strides[-1] for x in loads] == [1]
    assert len(kernels(lambda x: x.T + 1, x[:32, :32])) == 1  # stays in the first cache


@pytest.mark.parametrize("shape", [(640, 512), (512, 1027), (1027, 512), (600, 1000)])
def test_units_of_copies_move_whole_lines(shape):
    x = np.zeros(shape, np.float32)
    ((copy, units),) = kernels(lambda x: x.T, x)
    assert units >= 8
    load, store = copy.values[0].access, copy.stores[0].access
    inside = [k for k in range(1, len(copy.shape)) if copy.shape[k] > 1]
    for access in (load, store):
        run = np.prod([copy.shape[k] for k in inside if access.strides[k] <= min(shape)], dtype=int)
        assert run >= 16
