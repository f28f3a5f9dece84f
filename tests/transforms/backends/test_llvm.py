"""The native backend computes what NumPy computes, and its stages can be read."""

import sys
import threading

import numpy as np
import pytest

from transforms import at, cond, fori_loop, grad, jit, scan, tree, vjp, vmap, while_loop
from transforms.types import type_of

RNG = np.random.default_rng(0)
F32 = np.float32


def real(*shape, dtype=F32):
    return RNG.standard_normal(shape).astype(dtype)


def whole(*shape, dtype=np.int32):
    return RNG.integers(-100, 100, shape).astype(dtype)


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def layer_norm(x, scale, bias):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * scale + bias


def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / 2.0
    mask = np.tril(np.ones(scores.shape[-2:], bool))
    return softmax(np.where(mask, scores, -np.inf)) @ v


def mlp_loss(w1, b1, w2, b2, x, y):
    hidden = np.maximum(x @ w1 + b1, 0)
    return np.mean((hidden @ w2 + b2 - y) ** 2)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3)))


MLP = (real(6, 5), real(5), real(5, 2), real(2), real(7, 6), real(7, 2))
HEADS = tuple(real(2, 3, 5, 4) for _ in range(3))

CASES = {
    "gelu": (gelu, real(33, 7)),
    "gelu float64": (gelu, real(130, dtype=np.float64)),
    "gradient of gelu": (grad(lambda x: np.sum(gelu(x))), real(33, 7)),
    "broadcasting": (lambda x, y, z: x * y - z / (1 + y * y), real(4, 1, 3), real(5, 1), real(3)),
    "transposed read": (lambda x, y: x.T + 2 * y, real(4, 6), real(6, 4)),
    "permuted axes": (lambda x: np.exp(x.transpose(2, 0, 1)) + 1, real(2, 3, 4)),
    "slices with steps": (lambda x: x[1::2, ::-1] * x[::2, 1:][:, ::-1][:, :1], real(6, 5)),
    "index and new axis": (lambda x: x[2, :, None] + x[:, 1], real(6, 5)),
    "reshape of a transpose": (lambda x: np.sin(x.T.reshape(3, 8)), real(4, 6)),
    "reshape of computed": (lambda x: np.sum((x * 2).reshape(2, 12) ** 2, axis=1), real(4, 6)),
    "broadcast result": (lambda x: np.broadcast_to(x * 1, (3, 4)), real(4)),
    "sum of all": (lambda x: np.sum(x * x), real(9, 8, 7)),
    "sum of first axis": (lambda x: np.sum(x, axis=0), real(9, 8)),
    "sum of last axis": (lambda x: np.sum(x, axis=-1), real(9, 80)),
    "sum of outer axes": (lambda x: np.sum(x * 2, axis=(0, 2)), real(3, 4, 5)),
    "sum of a transpose": (lambda x: np.sum(x.T, axis=1), real(30, 40)),
    "sum of a broadcast": (lambda x: np.sum(np.broadcast_to(x, (5, 4)), axis=0), real(4)),
    "sum over no axes": (lambda x: np.sum(x, axis=()), real(4)),
    "sum over an axis of one": (lambda x: np.sum(np.exp(x), axis=1, keepdims=True) + x, real(4, 1)),
    "sums and maxima": (lambda x: np.max(x, 1) + np.min(x, 1) * np.prod(x[:, :4], 1), real(5, 50)),
    "sum of truth values": (lambda x: np.sum(x > 0, axis=0), real(9, 8)),
    "any and all": (lambda x: (np.any(x > 2, axis=1), np.all(x > -3, axis=0)), real(9, 8)),
    "integer sums": (lambda x: (np.sum(x), np.max(x, 0), np.prod(x, 1)), whole(5, 3, dtype=np.int8)),
    "softmax": (softmax, real(6, 40)),
    "softmax of the first axis": (lambda x: softmax(x, 0), real(6, 40)),
    "gradient of softmax": (lambda x, c: vjp(softmax, x)[1](c)[0], real(6, 40), real(6, 40)),
    "layer norm": (layer_norm, real(6, 40), real(40), real(40)),
    "gradient of layer norm": (
        grad(lambda *args: np.sum(np.sin(layer_norm(*args))), argnums=(0, 1, 2)),
        *(real(6, 40), real(40), real(40)),
    ),
    "mlp": (mlp_loss, *MLP),
    "gradient of mlp": (grad(mlp_loss, argnums=(0, 1, 2, 3)), *MLP),
    "per-example gradients": (vmap(grad(mlp_loss), in_axes=(None,) * 4 + (0, 0)), *MLP),
    "attention": (attention, *HEADS),
    "gradient of attention": (grad(lambda *a: np.sum(attention(*a) ** 2), argnums=(0, 1, 2)), *HEADS),
    "products with vectors": (lambda w, v: (w @ v, v @ w.T, v @ v), real(5, 7), real(7)),
    "products of slices": (lambda a, b: a[::2, 1:] @ b.T[:, ::2], real(8, 7), real(9, 6)),
    "products of broadcasts": (lambda a, b: np.broadcast_to(a, (4, 3, 5)) @ b, real(3, 5), real(4, 5, 2)),
    "products of nothing": (lambda a, b: (a @ b, b @ a), real(3, 0), real(0, 3)),
    "products of integers": (lambda a, b: a @ b, whole(3, 4), whole(4, 2)),
    "mixed dtypes": (
        lambda a, b, c, d: a * b + c.astype(F32) * d - (a > b) + b % 7,
        *(real(3, 4), whole(3, 4, dtype=np.int16), whole(4, dtype=np.int64), real(3, 1) > 0),
    ),
    "choices": (lambda x, y: np.where(x > y, np.minimum(x, 1), np.abs(y) ** 0.5), real(4, 5), real(5)),
    "concatenate": (lambda x, y: np.concatenate([x * 2, y.T, x[:1]], axis=0), real(2, 3), real(3, 4)),
    "stack": (lambda x, y: np.stack([x, np.sin(y)], axis=1), real(5), real(5)),
    "pad": (lambda x: np.pad(x * 3, ((1, 2), (0, 1))), real(2, 3)),
    "functional update": (lambda x, y: at(x)[1:3, ::2].set(y * 2) + 1, real(5, 4), real(2, 2)),
    "zero size": (lambda x: (x * 2, np.sum(x, axis=0), np.sum(x, axis=1)), real(0, 3)),
    "zero dimensions": (lambda x, y: (np.sin(x) + y, x, x * 2), F32(0.5), 2.0),
    "numbers": (lambda a, b: (a * 2, b + 1, a / b), 3, 1.5),
    "complex": (lambda x: np.abs(np.fft.fft(x * 2)) + x, real(8, dtype=np.float64)),
    "half": (lambda x: x * 2 + 1, real(9).astype(np.float16)),
    "sorting": (lambda x: np.sort(x * 2, axis=0) - np.argmax(x, axis=0), real(9, 3)),
    "gather and scatter": (grad(lambda x: np.sum(x[np.array([0, 2, 2, -1])] ** 2)), real(4, 3)),
    "arguments and constants": (lambda x, y: (x, y.T, np.ones(3, F32), x), real(3), real(2, 3)),
    "scan": (lambda w, xs: scan(lambda h, x: (w @ h + x, h.sum()), xs[0], xs), real(3, 3), real(9, 3)),
    "gradient of scan": (
        grad(lambda w, xs: np.sum(scan(lambda h, x: (np.tanh(w @ h + x), h), xs[0], xs)[1])),
        *(real(3, 3), real(9, 3)),
    ),
    "loops": (
        lambda x: (fori_loop(0, 5, lambda i, v: v * 0.9 + 1, x), while_loop(lambda v: v[0] < 9, np.exp, x)),
        real(4),
    ),
    "cond": (lambda x: cond(np.sum(x) > 0, np.sin, lambda v: v * 2, x), real(4)),
}  # fmt: skip


def swap(carry, x):
    """The carry is handed on crosswise, or as it is; outputs are inputs, constants, or the same twice."""
    a, b, c = carry
    return (b, a, c), (x, a, a, np.arange(3, dtype=F32), x * 2)


LOOPS = {
    "crosswise": lambda xs, h: scan(swap, (h, 2 * h, h.T), xs),
    "backwards": lambda xs, h: scan(lambda c, x: (c * 0.5 + x, c.sum()), xs[0], xs, reverse=True),
    "one step": lambda xs, h: scan(lambda c, x: (np.sin(c) + x, c), xs[0], xs[:1]),
    "no step": lambda xs, h: scan(lambda c, x: (np.sin(c) + x, c), xs[0], xs[:0]),
    "nested": lambda xs, h: scan(
        lambda c, x: scan(lambda d, y: (d @ h + y, d), c, np.stack([x, c, x])), xs[0] * 1, xs
    ),
    "strided": lambda xs, h: scan(lambda c, x: (np.tanh(h[::-1] @ x.T) + c, c[0]), h.T, xs[::2, ::-1]),
    "with numpy": lambda xs, h: scan(lambda c, x: (np.sort(c + x, axis=0), c.max()), xs[0], xs),
    "integers": lambda xs, h: scan(lambda c, x: ((c[0] + 1, c[1] + (x > 0)), c[0] * 2), (0, xs[0] > 5), xs),
    "gradient": lambda xs, h: grad(
        lambda h: np.sum(scan(lambda c, x: (np.tanh(h @ c + x), c * c), xs[0], xs)[1])
    )(h),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_equal_those_of_python(name):
    xs, h = real(7, 3, 3), real(3, 3)
    expected = LOOPS[name](xs, h)
    compiled = jit(LOOPS[name], backend="llvm")
    same(compiled(xs, h), expected, 2e-5)
    same(compiled(xs, h), expected, 2e-5)


def test_a_loop_is_native():
    def last(xs):
        return scan(lambda c, x: (np.tanh(c @ x), None), xs[0], xs)[0]

    text = jit(last, backend="llvm").lower(real(5, 3, 3)).source()
    assert "repeat 5 times from" in text
    assert "define internal void @step0" in text


def same(got, expected, tolerance):
    got, expected = tree.leaves(got), tree.leaves(expected)
    assert [type_of(x) for x in got] == [type_of(x) for x in expected]
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_equals_numpy(name):
    function, *args = CASES[name]
    # Twice, because results of the first call may be memory of the second.
    compiled = jit(function, backend="llvm")
    first = compiled(*args)
    same(compiled(*args), function(*args), 2e-5)
    same(first, function(*args), 2e-5)


def test_arguments_may_lie_in_memory_as_they_like():
    x = real(6, 8)
    compiled = jit(lambda x: x * 2 + 1, backend="llvm")
    for given in (x[::2, ::-1], np.asfortranarray(x), x.T):
        np.testing.assert_allclose(compiled(given), given * 2 + 1)
    unaligned = np.zeros(4 * 5 + 1, np.uint8)[1:].view(F32)
    np.testing.assert_allclose(compiled(unaligned), unaligned * 2 + 1)


def test_results_are_read_only_and_no_arguments():
    x = real(4)
    out, again = jit(lambda x: (x, x * 2), backend="llvm")(x)
    assert not np.shares_memory(out, x)
    for result in (out, again):
        with pytest.raises(ValueError, match="read-only"):
            result[0] = 1


def test_results_of_earlier_calls_stay():
    compiled = jit(lambda x: x + 1, backend="llvm")
    results = [compiled(np.full(100, i, F32)) for i in range(20)]
    assert [float(x[50]) for x in results] == [i + 1.0 for i in range(20)]


def test_infinity_and_nan():
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e38, -1e38, 1e-45], F32)
    y = x[::-1].copy()

    def f(x, y):
        tests = (np.isnan(x), np.isinf(x), np.isfinite(x), np.signbit(x), x == y, x != y, x < y, x >= y)
        extremes = (
            np.maximum(x, y),
            np.minimum(x, y),
            np.fmax(x, y),
            np.fmin(x, y),
            np.max(x),
            np.min(x[3:]),
        )
        parts = (np.sign(x), np.copysign(x, y), np.rint(x), np.floor(x), np.heaviside(x, 0.5))
        return tests, extremes, parts, (x + y, x * y, x / y, np.sqrt(x), x - x, np.sum(x), np.sum(x[5:] * 10))

    with np.errstate(all="ignore"):
        expected = f(x, y)
    same(jit(f, backend="llvm")(x, y), expected, 0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers(dtype):
    limits = np.iinfo(dtype)
    special = np.array([limits.min, limits.min + 1, limits.max, 0, 1, 2, 7, 63, 64, limits.max // 3], dtype)
    if limits.min < 0:
        special = np.append(special, np.array([-1, -2, -7], dtype))
    x, y = (z.ravel() for z in np.meshgrid(special, special))

    def f(x, y):
        quotients = (x // y, x % y, np.fmod(x, y))
        bits = (x & y, x | y, x ^ y, ~x, x << y, x >> y)
        compared = (x < y, x <= y, x == y, np.maximum(x, y), np.minimum(x, y))
        return quotients, bits, compared, (x + y, x - y, x * y, -x, np.abs(x), np.sign(x), x**2)

    with np.errstate(all="ignore"):
        expected = f(x, y)
    same(jit(f, backend="llvm")(x, y), expected, 0)


def test_floor_division_of_floats():
    values = np.array([0.0, -0.0, 1.0, -1.0, 0.1, -0.3, 7.5, -7.5, 1e20, np.inf, -np.inf, np.nan])
    x, y = (z.ravel() for z in np.meshgrid(values, values))

    def f(x, y):
        return x // y, x % y, np.fmod(x, y)

    with np.errstate(all="ignore"):
        expected = f(x, y)
    got = jit(f, backend="llvm")(x, y)
    same(got, expected, 0)
    for ours, numpys in zip(got, expected, strict=True):
        valid = ~np.isnan(numpys)
        np.testing.assert_array_equal(np.signbit(ours[valid]), np.signbit(numpys[valid]))


@pytest.mark.parametrize(
    "source", ["bool", "int8", "uint8", "int32", "int64", "uint64", "float32", "float64"]
)
def test_casts(source):
    x = np.array([0, 1, 2, 3.9, 100.5, 127], source)
    if x.dtype.kind in "if":
        x = np.append(x, -x)
    targets = "?bhilBHILfd"
    compiled = jit(lambda x: [x.astype(code) for code in targets], backend="llvm")
    # A negative float has no unsigned value that C defines.
    safe = x if x.dtype.kind != "f" else np.abs(x)
    same(compiled(safe), [safe.astype(code) for code in targets], 0)


def test_casts_of_what_is_no_integer():
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 1e19, -2147483648.9, 2147483647.5])
    with np.errstate(invalid="ignore"):
        expected = x.astype(np.int32), x.astype(np.int64)
    got = jit(lambda x: (x.astype(np.int32), x.astype(np.int64)), backend="llvm")(x)
    same(got, expected, 0)


def test_an_index_out_of_range_raises():
    with pytest.raises(IndexError, match="out of bounds"):
        jit(lambda x, i: x[i] * 2, backend="llvm")(real(4), np.array([1, 4]))


def test_threads_share_a_program():
    compiled = jit(lambda x: np.sum(np.exp(x) @ x.T), backend="llvm")
    inputs = [real(40, 40) for _ in range(8)]
    expected = [compiled(x) for x in inputs]
    results = [None] * 8

    def work(index):
        results[index] = [compiled(inputs[index]) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, value in zip(results, expected, strict=True):
        assert got == [value] * 20


def test_source_shows_schedule_and_code():
    text = (
        jit(lambda x, w: np.sum(np.exp(x @ w), axis=0), backend="llvm").lower(real(4, 3), real(3, 2)).source()
    )
    schedule, code = text.split("\n\n", 1)
    assert schedule == (
        "; (b0: float32[4,3], b1: float32[3,2]) ->\n"
        ";   for i0 in 4, i1 in 2: b2[2*i0 + i1] = sum b0[3*i0 + i2] * b1[2*i2 + i1], i2 over 3\n"
        ";   for i0 over 4, i1 in 2:\n"
        ";     v0 = b2[2*i0 + i1]\n"
        ";     v1 = exp v0 (float32)\n"
        ";     b3[i1] add= v1\n"
        ";   return b3"
    )
    assert "define i64 @segment0(ptr %table)" in code


def test_elementwise_work_is_one_kernel():
    def update(parameter, gradient, velocity):
        velocity = 0.9 * velocity + gradient
        return parameter - 0.1 * velocity, velocity, np.sum(velocity * velocity)

    text = jit(update, backend="llvm").lower(*(real(5, 4) for _ in range(3))).source()
    assert text.count("define hidden void @kernel") == 1


def test_equal_kernels_are_one_function():
    text = (
        jit(lambda x, y: (np.exp(x) @ x, np.exp(y) @ y), backend="llvm")
        .lower(real(4, 4), real(4, 4))
        .source()
    )
    assert text.count("define hidden void @kernel") == 2  # an exponential, and a product


def test_without_llvmlite_there_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    for name in [name for name in sys.modules if name.startswith("transforms.backends.llvm")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="backend 'llvm' must have llvmlite, got none that can be imported"):
        jit(lambda x: x + 1, backend="llvm")(real(2))
