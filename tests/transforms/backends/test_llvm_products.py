"""Matrix products, convolutions, pooling and indices as native code give what NumPy gives in float64."""

import functools
import math

import jax
import numpy as np
import pytest

from transforms import at, conv, get_threads, grad, jit, scan, set_threads, tree, value_and_grad, vjp
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.rules.tiles import transforms
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import Contraction, Kernel
from transforms.graph.passes import optimize
from transforms.graph.stage import stage
from transforms.primitives.windows import reduce_window

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def check(f, *args, tolerance=1e-5):
    """Compare with float64, relative to the largest element: float32 sums differ in their order."""
    wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in args]
    for got, exact in zip(tree.leaves(jit(f, backend="llvm")(*args)), tree.leaves(f(*wide)), strict=True):
        assert got.dtype == (np.float32 if exact.dtype == np.float64 else exact.dtype)
        np.testing.assert_allclose(got, exact, rtol=0, atol=tolerance * max(np.abs(exact).max(), 1e-30))


# Around the borders of tiles (6 rows, 16 columns), of sweeps, and with nothing to sum.
@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 33])
@pytest.mark.parametrize("inner", [1, 3, 513])
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 65, 130])
def test_products_of_many_shapes(rows, inner, columns):
    check(lambda a, b: a @ b, real(rows, inner), real(inner, columns))


# So few columns that they are sums along what is adjacent; one more, one less to sum, and other operands.
@pytest.mark.parametrize("columns", [2, 5, 6])
@pytest.mark.parametrize("inner", [31, 32, 577])
def test_products_of_few_columns(columns, inner):
    left, right = real(130, inner), real(inner, columns)
    check(lambda a, b: np.maximum(a @ b + 1, 0), left, right)
    check(lambda a, b: a.T @ b, real(inner, 130), right)
    check(lambda a, b: a @ b.T, left, real(columns, inner))
    check(lambda a, b: a @ b, real(3, 70, inner), real(3, inner, columns))
    check(grad(lambda a, b: np.sum(np.tanh(a @ b)), (0, 1)), left / inner, right)


@pytest.mark.parametrize("transposed", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("stack", [(), (3,), (2, 3)])
def test_transposed_products(transposed, stack):
    a = real(*stack, 20, 33) if transposed[0] else real(*stack, 33, 20)
    b = real(*stack, 40, 20) if transposed[1] else real(*stack, 20, 40)
    check(lambda a, b: (a.mT if transposed[0] else a) @ (b.mT if transposed[1] else b), a, b)


def test_products_with_shared_operands_and_vectors():
    check(lambda a, b: a @ b, real(4, 5, 64, 32), real(32, 7))
    check(lambda a, b: a @ b, real(64, 32), real(4, 32, 7))
    check(lambda a, b: (a @ b, a.T @ (a @ b)), real(64, 300), real(300))
    check(lambda a, b: a @ b[::-1, ::2], real(8, 12), real(12, 40))


def test_a_chain_of_products_runs_unit_by_unit():
    def network(x, w, b):
        hidden = np.maximum(x @ w + b, 0)
        return np.mean((hidden @ w.T) ** 2) + np.sum(np.max(hidden, axis=0))

    args = real(2048, 128), real(128, 256) / 11, real(256)
    assert "at once" in jit(value_and_grad(network, (0, 1, 2)), backend="llvm").lower(*args).source()
    check(value_and_grad(network, (0, 1, 2)), *args)


GEOMETRIES = {
    "same": (6, 12, {"padding": "SAME"}),
    "strided": (6, 12, {"padding": "SAME", "strides": 2}),
    "strided groups": (6, 12, {"padding": "SAME", "strides": (2, 3), "groups": 3}),
    "many phases": (6, 12, {"padding": "SAME", "strides": 4}),
    "dilated": (6, 12, {"dilation": 2}),
    "uneven": (6, 12, {"padding": ((1, 2), (0, 1)), "strides": (2, 1)}),
    "grouped": (6, 12, {"padding": "SAME", "groups": 2}),
    "depthwise": (6, 6, {"padding": "SAME", "groups": 6}),
    "spread": (6, 12, {"padding": ((2, 2), (2, 2)), "input_dilation": 2}),
    "to one feature": (18, 1, {"padding": "SAME"}),
    "to one feature, strided": (18, 1, {"padding": "SAME", "strides": 2}),
    "to three features, spread": (18, 3, {"padding": ((2, 1), (2, 1)), "input_dilation": 2}),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_convolutions_and_their_derivatives(name):
    channels, features, options = GEOMETRIES[name]
    x, kernel = real(3, 9, 8, channels), real(3, 3, channels // options.get("groups", 1), features)
    cotangent = real(*conv(x, kernel, **options).shape)
    check(
        lambda x, k, c: (conv(x, k, **options), vjp(lambda *a: conv(*a, **options), x, k)[1](c)),
        x,
        kernel,
        cotangent,
    )


# The phases are empty where the window is shorter than the stride, and begin before and behind the input.
@pytest.mark.parametrize("window", [(1, 1), (3, 2), (2, 5)])
@pytest.mark.parametrize("strides", [(2, 2), (3, 1), (3, 3)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((4, 0), (0, 1))])
def test_inputs_derivatives_by_phases(window, strides, padding):
    x, kernel = real(2, 7, 8, 3), real(*window, 3, 4)

    def pulled(x, k, c):
        return vjp(lambda x: conv(x, k, strides=strides, padding=padding), x)[1](c)

    check(pulled, x, kernel, real(*conv(x, kernel, strides=strides, padding=padding).shape))


# Windows and numbers of sums that are written out and that are not; rows that neighbours divide and that none
# do; channels that fill vectors and that do not; groups that are small and that are not.
GROUPS = {
    "three by three": ((4, 12, 12, 16), (3, 3), {"padding": "SAME"}),
    "strided": ((8, 9, 14, 24), (3, 3), {"padding": "SAME", "strides": 2}),
    "strided, even": ((5, 12, 16, 8), (3, 3), {"padding": ((1, 1), (1, 1)), "strides": (2, 1)}),
    "dilated": ((2, 11, 17, 17), (3, 3), {"padding": "SAME", "dilation": 2}),
    "five by five": ((3, 10, 8, 9), (5, 5), {"padding": "SAME"}),
    "seven by seven": ((2, 14, 14, 32), (7, 7), {"padding": "SAME"}),
    "nine by nine": ((2, 12, 13, 8), (9, 9), {"padding": "SAME"}),
    "all of an image": ((4, 6, 6, 16), (6, 6), {}),
    "one row": ((64, 1, 40, 32), (1, 4), {"padding": "SAME"}),
    "one example": ((1, 56, 56, 32), (3, 3), {"padding": "SAME"}),
    "spread": ((2, 6, 7, 12), (3, 3), {"padding": "SAME", "input_dilation": (2, 3)}),
    "along a line": ((4, 50, 16), (4,), {"padding": "SAME", "strides": 3}),
    "two features each": ((4, 8, 12, 16), (3, 3, 1, 32), {"padding": "SAME", "groups": 16}),
    "two channels each": ((5, 9, 7, 34), (3, 3, 2, 17), {"padding": "SAME", "groups": 17}),
    "four of each": ((4, 10, 8, 64), (3, 3, 4, 64), {"padding": "SAME", "groups": 16}),
    "three and four, strided": ((2, 8, 9, 24), (3, 3, 3, 32), {"padding": "SAME", "strides": 2, "groups": 8}),
    "a large window": ((2, 8, 9, 32), (5, 5, 4, 32), {"padding": "SAME", "groups": 8}),
    "large groups": ((2, 8, 8, 48), (3, 3, 6, 40), {"padding": "SAME", "groups": 8}),
    "few features each": ((2, 8, 8, 64), (3, 3, 8, 16), {"padding": "SAME", "groups": 8}),
}


@pytest.mark.parametrize("name", GROUPS)
def test_convolutions_in_groups_and_their_derivatives(name):
    shape, kernel_shape, options = GROUPS[name]
    if "groups" not in options:  # each channel by itself
        kernel_shape, options = (*kernel_shape, 1, shape[-1]), {**options, "groups": shape[-1]}
    convolve = functools.partial(conv, **options)
    x, kernel = real(*shape), real(*kernel_shape)

    def activated(x, kernel):
        return np.tanh(convolve(x, kernel))

    check(lambda *args: activated(*args), x, kernel)
    cotangent = real(*convolve(x, kernel).shape)
    check(lambda x, k, c: vjp(activated, x, k)[1](c), x, kernel, cotangent)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_derivatives_of_grouped_convolutions_are_those_of_jax(multiplier):
    x, kernel = real(4, 10, 12, 16), real(3, 3, 4, 16 * multiplier)
    cotangent = real(4, 5, 6, 16 * multiplier)

    def in_jax(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=4
        )

    expected = jax.vjp(in_jax, x, kernel)[1](cotangent)
    convolve = functools.partial(conv, padding="SAME", strides=2, groups=4)
    pulled = jit(lambda x, k, c: vjp(convolve, x, k)[1](c), backend="llvm")(x, kernel, cotangent)
    for got, exact in zip(pulled, expected, strict=True):
        np.testing.assert_allclose(got, exact, rtol=0, atol=2e-4)


def test_what_is_not_finite_stays_in_its_channel_and_its_windows():
    x, kernel = real(2, 12, 12, 16), real(3, 3, 1, 16)
    x[0, 4, 5, 3], x[1, 0, 0, 7] = np.nan, np.inf

    def convolve(x, kernel):
        return conv(x, kernel, padding="SAME", groups=16)

    def pulled(x, kernel, cotangent):
        return vjp(convolve, x, kernel)[1](cotangent)[1]

    for f, args in ((convolve, (x, kernel)), (pulled, (x, kernel, real(2, 12, 12, 16)))):
        got, expected = jit(f, backend="llvm")(*args), f(*args)
        assert np.isnan(expected).any()
        assert np.isinf(expected).any()
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_depthwise_convolutions_do_not_depend_on_the_number_of_threads():
    x, kernel = real(8, 28, 28, 32), real(3, 3, 1, 32)
    gradient = grad(lambda x, k: np.sum(conv(x, k, padding="SAME", groups=32) ** 2), (0, 1))
    before = get_threads()
    results = []
    try:
        for threads in (1, 2):
            set_threads(threads)
            results.append(jit(gradient, backend="llvm")(x, kernel))
    finally:
        set_threads(before)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def pulled_convolution(x, kernel, cotangent, padding="SAME"):
    convolve = functools.partial(conv, padding=padding)
    return convolve(x, kernel), vjp(convolve, x, kernel)[1](cotangent)


def transformed(f, *args):
    """Return how many of a program's contractions are sums for each of the 36 places of a tile."""
    schedule = make_schedule(optimize(stage(f)(*args)))
    steps = [step for band in schedule.steps for step in getattr(band, "steps", ())]
    return sum(isinstance(step, Contraction) and not math.prod(step.stack) % 36 for step in steps)


# Parts of the examples for 16, 20 and 33 of them, of the features and the channels for 3 and 20 small images.
@pytest.mark.parametrize(
    ("examples", "size", "channels", "features"),
    [
        *((5, 8, 32, 48), (5, 16, 24, 24), (20, 4, 40, 32)),
        *((16, 16, 24, 32), (20, 12, 32, 24), (33, 8, 24, 24)),
        *((3, 8, 64, 96), (3, 8, 96, 64)),
    ],
)
def test_convolutions_with_many_channels(examples, size, channels, features):
    x, kernel = real(examples, size, size, channels), real(3, 3, channels, features)
    args = x, kernel, real(examples, size, size, features)
    check(pulled_convolution, *args, tolerance=2e-5)
    assert transformed(pulled_convolution, *args) == 3


def pulled_by_torch(x, kernel, cotangent, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference of these convolutions")
    x, kernel, cotangent = (torch.tensor(a.astype(np.float64)) for a in (x, kernel, cotangent))
    x.requires_grad_(True)
    kernel.requires_grad_(True)
    (above, below), (left, right) = padding
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, above, below))
    y = torch.nn.functional.conv2d(padded, kernel.permute(3, 2, 0, 1)).permute(0, 2, 3, 1)
    y.backward(cotangent)
    return y.detach().numpy(), x.grad.numpy(), kernel.grad.numpy()


ALIKE, NONE, UNEVEN = ((1, 1), (1, 1)), ((0, 0), (0, 0)), ((0, 2), (3, 1))


# Sizes that no tiles fill, in parts of examples, of features and channels, and of the rows of large images.
@pytest.mark.parametrize(
    ("examples", "size", "channels", "features", "padding"),
    [
        *((16, (14, 15), 32, 24, ALIKE), (20, (10, 9), 24, 40, UNEVEN), (9, (13, 16), 32, 32, NONE)),
        *((8, (7, 7), 96, 128, ALIKE), (3, (14, 13), 64, 64, UNEVEN), (1, (31, 30), 64, 32, ALIKE)),
        *((1, (80, 80), 48, 48, ALIKE), (1, (92, 82), 48, 40, UNEVEN), (2, (86, 80), 40, 48, NONE)),
        *((3, (80, 64), 64, 56, ALIKE), (2, (63, 81), 64, 56, ALIKE)),
    ],
)
def test_convolutions_of_any_size(examples, size, channels, features, padding):
    x, kernel = real(examples, *size, channels), real(3, 3, channels, features)
    args = x, kernel, real(*conv(x, kernel, padding=padding).shape)
    pulled = functools.partial(pulled_convolution, padding=padding)
    assert transformed(pulled, *args) == 3
    for got, exact in zip(tree.leaves(jit(pulled)(*args)), pulled_by_torch(*args, padding), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact, rtol=0, atol=2e-5 * np.abs(exact).max())


def test_convolutions_are_transformed_where_that_saves_products():
    def convolve(x, kernel):
        return conv(x, kernel, padding="SAME")

    for examples, size, channels, expected in [
        *((8, 6, 64, 1), (8, 5, 64, 0)),  # 64 places of tiles for 36 and for 25
        *((8, 7, 512, 1), (1, 7, 512, 0)),  # the kernel's transform, for few images
        *((8, 16, 24, 1), (8, 16, 16, 0)),  # the images' transforms, for few channels
    ]:
        x, kernel = np.zeros((examples, size, size, channels), np.float32), real(3, 3, channels, channels)
        assert transformed(convolve, x, kernel) == expected, (examples, size, channels)


@pytest.mark.parametrize("size", [80, 79])
def test_what_is_not_a_number_stays_in_its_image(size):
    x, kernel = real(3, size, size, 48), real(3, 3, 48, 48)
    convolve = jit(lambda x, kernel: np.maximum(conv(x, kernel, padding="SAME"), 0))
    expected = convolve(x, kernel)
    x[1, [0, -1]], x[1, :, -1] = np.nan, np.inf
    found = convolve(x, kernel)
    np.testing.assert_array_equal(found[::2], expected[::2])
    assert np.isnan(found[1, [0, -1]]).all()
    assert np.isfinite(found[1, 8:-8, :-8]).all()


@pytest.mark.parametrize("examples", [1, 2, 8])
def test_large_images_are_convolved_in_parts(examples):
    def layer(x, kernel):
        return np.maximum(conv(x, kernel, padding="SAME"), 0)

    x, kernel = np.zeros((examples, 128, 128, 64), np.float32), real(3, 3, 64, 64)
    schedule = make_schedule(optimize(stage(layer)(x, kernel)))
    *_, band = schedule.steps
    assert isinstance(band.steps[-1], Kernel)  # of the relu
    assert band.units >= 8 * examples
    assert plan_memory(schedule, 2).size < 6 << 20


def test_convolutions_do_not_depend_on_threads():
    x, kernel, cotangent = real(2, 80, 78, 48), real(3, 3, 48, 48), real(2, 80, 78, 48)
    before, results = get_threads(), []
    try:
        for threads in (1, 3):
            set_threads(threads)
            results.append(tree.leaves(jit(pulled_convolution)(x, kernel, cotangent)))
    finally:
        set_threads(before)
    for one, several in zip(*results, strict=True):
        np.testing.assert_array_equal(one, several)


@pytest.mark.parametrize(("examples", "size", "channels"), [(32, 32, 32), (32, 4, 256)])
def test_transforms_of_convolutions_are_not_kept(examples, size, channels):
    def loss(x, kernel):
        return np.sum(np.maximum(conv(x, kernel, padding="SAME"), 0) ** 2)

    x, kernel = real(examples, size, size, channels), real(3, 3, channels, channels)
    schedule = make_schedule(optimize(stage(value_and_grad(loss, (0, 1)))(x, kernel)))
    # One of images takes 36 numbers for the 16 of a tile, one of a kernel 36 for 9; there are three of each.
    assert plan_memory(schedule, 2).size < 2 * (36 / 16 * x.nbytes + 36 / 9 * kernel.nbytes)


def test_transforms_of_tiles_are_exact():
    for results, weights in ((4, 3), (3, 4)):
        inputs, taps, result = (np.array(m, object) for m in transforms(results, weights))
        d, g = np.arange(6) ** 3 - 7, np.arange(weights) + 2
        expected = [sum(g[k] * d[i + k] for k in range(weights)) for i in range(results)]
        assert list(result.T @ ((taps @ g) * (inputs @ d))) == expected


@pytest.mark.parametrize("kind", ["max", "min", "sum"])
@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, "VALID"), (3, 2, "SAME"), (2, 1, "VALID")])
def test_pooling(kind, window, stride, padding):
    def pooled(x):
        return reduce_window(x, kind, (1, window, window, 1), strides=(1, stride, stride, 1), padding=padding)

    x = np.round(real(2, 8, 8, 5) * 2)  # with ties
    check(lambda x, c: (pooled(x), vjp(pooled, x)[1](c)), x, real(*pooled(x).shape))


ROWS, PLACES = np.array([[1], [2]]), np.array([0, 3, -1, 3])
READS = {
    "rows": lambda x, i: x[i],
    "second axis": lambda x, i: x[:, i],
    "last axis": lambda x, i: x[:, :, i] * 2,
    "two arrays": lambda x, i: x[ROWS, i],
    "apart": lambda x, i: x[i, :, i],
    "beside a counter": lambda x, i: x[np.arange(4), i],
    "counters around": lambda x, i: x[np.arange(4)[:, None], :, i[None]],
}


@pytest.mark.parametrize("name", READS)
def test_reads_at_indices_and_their_derivatives(name):
    x, read = real(7, 5, 6), READS[name]
    c = real(*read(x, PLACES).shape)
    check(lambda x, i, c: (read(x, i), vjp(lambda x: read(x, i), x)[1](c)), x, PLACES, c)


def test_writes_at_indices():
    x = real(7, 5, 6)
    check(lambda x, i: at(x)[i].add(1.0), x, PLACES)
    check(lambda x, i: at(x)[:, i].set(x[:, :4] * 2), x, PLACES)
    check(lambda x, i: at(x)[i].multiply(2.0), x, PLACES)
    check(lambda x, i: at(x)[i].max(0.5), x, PLACES)


def test_an_index_out_of_range_is_an_error_inside_of_loops_too():
    x = real(7, 5)
    with pytest.raises(IndexError, match=r"jit: an index must be from -7 to 6, got 9"):
        jit(lambda x, i: x[i], backend="llvm")(x, np.array([0, 9]))
    looped = jit(lambda x, i: scan(lambda c, i: (c + x[i], c), x[0], i), backend="llvm")
    with pytest.raises(IndexError, match=r"jit: an index must be from -7 to 6, got -8"):
        looped(x, np.array([0, -8, 1]))
    looped(x, np.array([0, -7, 1]))


def test_gradients_of_weights_in_a_loop_are_one_product():
    def loss(w, u, b, xs):
        def step(h, x):
            h = np.tanh(x @ w + h @ u + b)
            return h, h

        return np.sum(scan(step, np.zeros((4, 8), xs.dtype), xs)[1] ** 2)

    args = real(5, 8), real(8, 8) / 3, real(8), real(11, 4, 5)
    check(value_and_grad(loss, (0, 1, 2, 3)), *args)


def test_the_profile_names_steps_and_ceilings():
    table = jit(lambda x, w: np.tanh(x @ w), backend="llvm").profile(real(64, 30), real(30, 20), calls=2)
    assert "contraction rows 64 inner 30 columns 20" in table
    assert "GFLOP/s, measured on this machine" in table
    with pytest.raises(ValueError, match="profile: the backend must be 'llvm', got 'numpy'"):
        jit(np.sin, backend="numpy").profile(1.0)


# --- copies that are not made


def copies(f, *args):
    """Return how many kernels of a schedule read one value and only write it."""
    lines = jit(f, backend="llvm").lower(*args).source().split("define")[0].splitlines()
    values = [line.lstrip("; ").startswith("v1 = ") for line in lines]
    stores = [line.endswith("] = v0") for line in lines]
    reads = [line.lstrip("; ").startswith("v0 = b") for line in lines]
    return sum(a and b and not c for a, b, c in zip(reads, stores[1:], values[1:], strict=False))


def heads(x):
    return np.moveaxis(x.reshape(*x.shape[:2], 4, -1), 1, 2)


def attention(x, w):
    q, k, v = (heads(x @ w[i]) for i in range(3))
    joined = np.moveaxis((q @ np.swapaxes(k, -1, -2)) @ v, 1, 2).reshape(x.shape)
    return joined @ w[3]


def test_products_are_written_where_heads_lie_side_by_side():
    x, w = real(3, 8, 16), real(4, 16, 16) / 4
    check(attention, x, w, tolerance=1e-4)
    assert copies(attention, x, w) == 1  # of the keys, whose places must be adjacent


def test_gradients_of_attention_are_written_where_they_are_read():
    x, w = real(3, 8, 16), real(4, 16, 16) / 4

    def gradients(x, w):
        return vjp(attention, x, w)[1](np.ones_like(x))

    check(gradients, x, w, tolerance=1e-4)
    assert copies(gradients, x, w) == 10  # of keys, values and four kernels, transposed; of four gradients


def test_a_result_that_is_copied_and_read_is_written_twice():
    def f(x, y):
        product = np.exp(x) * y
        return product.T.reshape(-1) * 2, product + 1, product.sum(axis=0)

    check(f, real(6, 10), real(6, 10))


def test_equal_copies_are_made_once():
    def f(x):
        y = np.sin(x)
        return np.reshape(y.T, (2, -1)) * 2, np.reshape(y.T, (-1,)) + 1, np.sum(y, axis=1), y

    check(f, real(4, 6))
    assert copies(f, real(4, 6)) <= 1
