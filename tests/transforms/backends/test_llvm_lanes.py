"""Each operation does the same with vectors, lane by lane, as with single values."""

import numpy as np
import pytest
from scipy import special

from tests.transforms.backends.elements import Loop, compiled
from transforms.backends.llvm.casts import cast
from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.writer import BOOL

LANES = 8
COUNT = 64  # elements, a whole number of vectors
DTYPES = {"b": np.bool_, "i": np.int32, "u": np.uint16, "f": np.float32}
BOOLEAN = "equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit"
RESULTS = {**dict.fromkeys(BOOLEAN.split(), bool), "bitwise_count": np.uint8, "exponent": np.int32}
ARITY = {"where": 3, "cube": 1, "exponent": 1, "stop_gradient": 1}


def arity(name):
    """Return how many operands an operation takes."""
    function = getattr(np, name, None) or getattr(special, name, None)
    return ARITY.get(name) or function.nin


def operation_cases():
    for name, operation in OPERATIONS.items():
        for kind in operation.kinds:
            if name == "power" and kind != "f":
                continue  # of integers the exponent must be known
            dtype = np.dtype(DTYPES[kind])
            inputs = [dtype] * arity(name)
            if name == "where":
                inputs[0] = BOOL
            output = np.dtype(RESULTS.get(name, dtype))
            write = lambda writer, *x, emit=operation.emit, dtype=dtype: emit(writer, dtype, *x)  # noqa: E731
            yield f"{name}_{dtype}", inputs, output, write


def cast_cases():
    dtypes = [np.dtype(code) for code in "?bhilBHILfd"]
    for source in dtypes:
        for target in dtypes:
            write = lambda writer, x, source=source, target=target: cast(writer, source, target, x)  # noqa: E731
            yield f"cast_{source}_{target}", [source], target, write


def operand(dtype, place):
    """Return numbers of all sizes, and special ones."""
    rng = np.random.default_rng(place)
    if dtype == BOOL:
        return rng.integers(0, 2, COUNT).astype(bool)
    if dtype.kind == "f":
        values = rng.normal(size=COUNT) * 10.0 ** rng.integers(-3, 3, COUNT)
        values[:7] = rng.permutation([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 1e30])
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, COUNT, dtype, endpoint=True)
    values[:16] = rng.integers(0, 3, 16)
    return values


@pytest.mark.parametrize("cases", [operation_cases, cast_cases])
def test_vectors_do_what_single_values_do(cases):
    run = compiled([Loop(f"{name}_{n}", n, *case) for name, *case in cases() for n in (0, LANES)])
    for name, inputs, output, _ in cases():
        operands = [operand(dtype, place) for place, dtype in enumerate(inputs)]
        single, vectors = (run(f"{name}_{n}", *operands) for n in (0, LANES))
        np.testing.assert_array_equal(single, vectors, err_msg=name)
        assert np.any(single) or inputs[0].kind != "f" or output == BOOL, name


def test_one_number_in_each_lane():
    float32 = np.dtype(np.float32)

    def write(writer, x):
        return writer.spread(float32, writer.emit(f"extractelement <{LANES} x float> {x}, i64 3"))

    run = compiled([Loop("spread", LANES, [float32], float32, write)])
    x = np.arange(COUNT, dtype=np.float32)
    np.testing.assert_array_equal(run("spread", x), np.repeat(x[3::LANES], LANES))
