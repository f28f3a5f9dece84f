"""Random programs give on the native backend what they give eagerly."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms import jit
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


MAKERS = [unary, binary, weak, reduction, view, cast, choose, joined]


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
