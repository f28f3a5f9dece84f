"""Random programs give on the native backend what they give eagerly."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms import at, cond, conv, grad, jit, reduce_window, scan, while_loop
from transforms.types import type_of

DTYPES = ["bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "float32", "float64"]
SHAPES = [(), (1,), (3,), (4,), (1, 3), (4, 1), (4, 3), (2, 4, 3), (0,), (0, 3), (4, 0)]
UNARY = [np.negative, np.abs, np.square, np.tanh, np.floor, np.isfinite, np.logical_not, np.exp]
BINARY = [
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.less, np.equal, np.logical_and, np.hypot,
    np.floor_divide, np.remainder, np.bitwise_xor, np.arctan2, np.greater_equal, np.copysign,
]  # fmt: skip
REDUCTIONS = [np.sum, np.max, np.min, np.any, np.all]


def unary(draw, x):
    function = draw(st.sampled_from(UNARY))
    return lambda v: function(v[x])


def binary(draw, x, y):
    function = draw(st.sampled_from(BINARY))
    return lambda v: function(v[x], v[y])


def weak(draw, x):
    function = draw(st.sampled_from(BINARY[:8]))
    number = draw(st.sampled_from([0, 1, 3, 0.5, -2.0, True]))
    return lambda v: function(v[x], number)


def reduction(draw, x):
    function = draw(st.sampled_from(REDUCTIONS))
    keepdims = draw(st.booleans())
    chosen = draw(st.lists(st.booleans(), min_size=9, max_size=9))

    def apply(v):
        axes = tuple(axis for axis in range(v[x].ndim) if chosen[axis])
        return function(v[x], axis=axes, keepdims=keepdims)

    return apply


def view(draw, x):
    views = [
        lambda a: a.T,
        lambda a: a.reshape(-1) if a.size else a,
        lambda a: a[..., None],
        lambda a: a[::-1] if a.ndim else a,
        lambda a: a[1:] if a.ndim else a,
        lambda a: a[..., ::2] if a.ndim else a,
        lambda a: np.broadcast_to(a, (2, *a.shape)) if a.ndim < 3 else a,
        lambda a: a.reshape(a.shape[::-1]),
    ]
    chosen = draw(st.sampled_from(views))
    return lambda v: chosen(v[x])


def cast(draw, x):
    # Floats that are no integers of a dtype convert as the compiler of NumPy likes.
    dtype = draw(st.sampled_from(["float32", "float64"]))
    return lambda v: v[x].astype(dtype)


def choose(draw, x, y, z):
    return lambda v: np.where(v[x] != 0, v[y], v[z])


def joined(draw, x, y):
    return lambda v: np.concatenate([v[x].reshape(-1), v[y].reshape(-1)])


def running(draw, x):
    function = draw(st.sampled_from([np.cumsum, np.cumprod, np.maximum.accumulate, np.minimum.accumulate]))
    axis, reverse = draw(st.integers(0, 2)), draw(st.booleans())

    def apply(v):
        a = v[x][::-1] if reverse and v[x].ndim else v[x]
        return function(a, axis=axis % a.ndim) if a.ndim else a

    return apply


def position(draw, x):
    function = draw(st.sampled_from([np.argmax, np.argmin]))
    axis, keepdims = draw(st.integers(0, 2)), draw(st.booleans())
    return lambda v: function(v[x], axis=axis % v[x].ndim, keepdims=keepdims) if v[x].ndim else v[x]


def ordered(draw, x):
    axis = draw(st.integers(0, 2))
    return lambda v: np.sort(v[x], axis=axis % v[x].ndim) if v[x].ndim else v[x]


def taken(draw, x):
    indices = np.array(draw(st.lists(st.integers(-3, 2), max_size=4)), int)
    axis = draw(st.integers(0, 2))
    return lambda v: np.take(v[x], indices, axis=axis % v[x].ndim) if min(v[x].shape, default=0) > 2 else v[x]


def scattered(draw, x, y):
    name = draw(st.sampled_from(["add", "min", "max", "set"]))
    indices = np.array(draw(st.lists(st.integers(-3, 2), min_size=1, max_size=4)), int)

    def apply(v):
        a, b = v[x], v[y]
        if not a.ndim or a.shape[0] < 3 or b.ndim >= a.ndim:
            return a
        return getattr(at(a)[indices], name)(b.astype(a.dtype))

    return apply


MAKERS = [
    unary, binary, weak, reduction, view, cast, choose, joined, running, position, ordered, taken, scattered
]  # fmt: skip


@st.composite
def programs(draw):
    """Return arguments, and operations each of which takes the values so far."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    arguments = []
    for _ in range(draw(st.integers(1, 3))):
        dtype, shape = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(SHAPES))
        arguments.append(np.asarray(rng.integers(-4, 5, shape) * 0.75).astype("int8").astype(dtype))
    operations = []
    for count in range(draw(st.integers(1, 9))):
        maker = draw(st.sampled_from(MAKERS))
        arity = maker.__code__.co_argcount - 1
        last = len(arguments) + count - 1
        operands = [draw(st.integers(max(0, last - 3), last)) for _ in range(arity)]
        operations.append(maker(draw, *operands))
    return arguments, operations


def run(operations, arguments):
    values = list(arguments)
    for operation in operations:
        try:
            out = operation(values)
        except (TypeError, ValueError):
            # Shapes that do not fit, or a dtype that the function does not take; so it is when traced.
            out = values[-1]
        values.append(out if out.size <= 500 else values[-1])
    return values[len(arguments) :]


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck), derandomize=True)
@given(programs())
def test_equals_eager(program):
    arguments, operations = program
    with np.errstate(all="ignore"):
        expected = run(operations, arguments)
        got = jit(lambda *args: run(operations, args), backend="llvm")(*arguments)
    assert [type_of(x) for x in got] == [type_of(x) for x in expected]
    for ours, numpys in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-4, atol=1e-4)


# --- products, windows and loops, whose sizes meet the borders of tiles and vectors

LENGTHS = st.sampled_from([1, 2, 5, 6, 7, 15, 16, 17, 31, 33, 64, 65])
FEW = st.integers(1, 3)


def assert_close(got, expected, tolerance=2e-5):
    """Compare at a tolerance relative to the largest element."""
    assert type_of(got) == type_of(expected)
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def normal(draw, shape, dtype):
    return np.random.default_rng(draw(st.integers(0, 1000))).standard_normal(shape).astype(dtype)


@st.composite
def products(draw):
    """Return two operands that may be transposed or stacked, and what follows their product."""
    rows, inner, columns = draw(LENGTHS), draw(LENGTHS), draw(LENGTHS)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    operands = []
    for shape in ((rows, inner), (inner, columns)):
        stack = draw(st.sampled_from([(), (), (3,), (2, 1)]))
        turned = draw(st.booleans())
        operands.append((normal(draw, (*stack, *(shape[::-1] if turned else shape)), dtype), turned))
    follow = draw(
        st.sampled_from(
            [
                lambda y: y,
                lambda y: np.maximum(y, 0) + y[..., :1],
                lambda y: np.sum(y, axis=0),
                lambda y: np.swapaxes(y, -1, -2) @ y,
                lambda y: np.exp(y - np.max(y, axis=-1, keepdims=True)),
            ]
        )
    )
    return operands, follow


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), derandomize=True)
@given(products())
def test_products(program):
    (left, right), follow = program

    def f(x, y):
        return follow(
            (np.swapaxes(x, -1, -2) if left[1] else x) @ (np.swapaxes(y, -1, -2) if right[1] else y)
        )

    args = left[0], right[0]
    assert_close(jit(f, backend="llvm")(*args), f(*args))


@st.composite
def convolutions(draw):
    """Return an image, a kernel and options; some are what Winograd's way is for."""
    if draw(st.booleans()):
        side = 4 * draw(st.integers(1, 3))
        channels, features = draw(st.sampled_from([24, 32, 33])), draw(st.sampled_from([24, 40]))
        shapes = (draw(FEW), side, side + 4 * draw(st.integers(0, 1)), channels), (3, 3, channels, features)
        return normal(draw, shapes[0], "float32"), normal(draw, shapes[1], "float32"), {"padding": "SAME"}
    groups = draw(st.sampled_from([1, 1, 2, 4]))
    channels, features = groups * draw(st.sampled_from([1, 3, 8])), groups * draw(st.sampled_from([1, 5, 16]))
    window = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    options = {
        "strides": (draw(FEW), draw(FEW)),
        "dilation": (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        "groups": groups,
        "padding": draw(st.sampled_from(["SAME", "VALID"])),
    }
    x = normal(draw, (draw(FEW), draw(st.integers(5, 9)), draw(st.integers(7, 12)), channels), "float32")
    return x, normal(draw, (*window, channels // groups, features), "float32"), options


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True)
@given(convolutions())
def test_convolutions_and_their_gradients(program):
    x, kernel, options = program
    weights = np.random.default_rng(0).standard_normal(conv(x, kernel, **options).shape).astype("float32")

    def loss(x, kernel):
        return np.sum(conv(x, kernel, **options) * weights)

    for f in (lambda x, kernel: (conv(x, kernel, **options),), grad(loss, argnums=(0, 1))):
        expected = f(x, kernel)
        got = jit(f, backend="llvm")(x, kernel)
        for ours, eager in zip(got, expected, strict=True):
            assert_close(ours, eager)


@st.composite
def pools(draw):
    """Return an image with ties, and windows that may overlap."""
    shape = (draw(FEW), draw(st.integers(4, 9)), draw(st.integers(4, 9)), draw(st.sampled_from([1, 3, 17])))
    x = np.round(normal(draw, shape, "float32"), 1)
    window = (1, draw(FEW), draw(FEW), 1)
    strides = (1, draw(FEW), draw(FEW), 1)
    return (
        x,
        draw(st.sampled_from(["max", "min", "sum"])),
        window,
        strides,
        draw(st.sampled_from(["SAME", "VALID"])),
    )


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True)
@given(pools())
def test_pools_and_their_gradients(program):
    x, kind, window, strides, padding = program

    def pool(x):
        return reduce_window(x, kind, window, strides=strides, padding=padding)

    pulled = grad(lambda x: np.sum(np.sin(pool(x))))
    for f in (pool, pulled):
        assert_close(jit(f, backend="llvm")(x), f(x))


@st.composite
def loops(draw):
    """Return a recurrent loop, whose step branches or loops itself, and its arguments."""
    length, batch, width = draw(st.integers(1, 5)), draw(FEW), draw(st.sampled_from([1, 3, 16, 17]))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    reverse, inner = draw(st.booleans()), draw(st.integers(0, 3))

    def step(w, h, x):
        h = np.tanh(h @ w + x)
        if inner == 1:
            h = cond(h[0, 0] > 0, lambda h: h * h, lambda h: np.sin(h) - 1, h)
        elif inner == 2:
            h, _ = while_loop(lambda c: c[1] < 3, lambda c: (c[0] @ w, c[1] + 1), (h, np.int32(0)))
        return h, (h if inner != 3 else np.argmax(h, axis=1))

    def f(w, h, xs):
        return scan(lambda h, x: step(w, h, x), h, xs, reverse=reverse)

    shapes = (width, width), (batch, width), (length, batch, width)
    return f, [normal(draw, shape, dtype) * 0.5 for shape in shapes]


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True)
@given(loops())
def test_loops(program):
    f, args = program
    expected, got = f(*args), jit(f, backend="llvm")(*args)
    for ours, eager in zip(got, expected, strict=True):
        assert_close(ours, eager)
