"""Each operation does the same with vectors, lane by lane, as with single values."""

import ctypes

import numpy as np
import pytest
from scipy import special

from transforms.backends.llvm.casts import cast
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.writer import Writer, memory_type

LANES = 8
COUNT = 64  # elements, a whole number of vectors
DTYPES = {"b": np.bool_, "i": np.int32, "u": np.uint16, "f": np.float32}
BOOL = np.dtype(bool)
COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
TESTS = {"isnan", "isinf", "isfinite", "signbit"}


ARITY = {"where": 3, "cube": 1, "exponent": 1, "stop_gradient": 1}
RESULTS = {**dict.fromkeys(COMPARISONS | TESTS, bool), "bitwise_count": np.uint8, "exponent": np.int32}


def arity(name):
    """Return how many operands an operation takes."""
    function = getattr(np, name, None) or getattr(special, name, None)
    return ARITY.get(name) or function.nin


def element_function(name, lanes, inputs, output, write):
    """Return the text of a loop that applies an operation to one element, or vector, after another."""
    writer = Writer(lanes)
    step = max(lanes, 1)
    values = []
    for i, dtype in enumerate(inputs):
        kind = f"<{lanes} x {memory_type(dtype)}>" if lanes else memory_type(dtype)
        place = writer.emit(f"getelementptr {memory_type(dtype)}, ptr %a{i}, i64 %i")
        loaded = writer.emit(f"load {kind}, ptr {place}, align 1")
        byte = np.dtype(np.uint8)
        values.append(writer.compare(byte, "ne", loaded, "0") if dtype == BOOL else loaded)
    result = writer.operand(output, write(writer, *values))
    if output == BOOL:
        result = writer.convert("zext", BOOL, np.dtype(np.uint8), result)
    kind = f"<{lanes} x {memory_type(output)}>" if lanes else memory_type(output)
    place = writer.emit(f"getelementptr {memory_type(output)}, ptr %out, i64 %i")
    writer.line(f"store {kind} {result}, ptr {place}, align 1")
    arguments = ", ".join(["ptr %out", *(f"ptr %a{i}" for i in range(len(inputs)))])
    lines = [
        f"define void @{name}({arguments}) {{",
        "entry:",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%n, %loop]",
        *writer.lines,
        f"  %n = add i64 %i, {step}",
        f"  %c = icmp ult i64 %n, {COUNT}",
        "  br i1 %c, label %loop, label %end",
        "end:",
        "  ret void",
        "}",
    ]
    return "\n".join(lines), writer.declarations


def operand(dtype, place):
    """Return numbers of all sizes, and special ones."""
    rng = np.random.default_rng(place)
    if dtype == BOOL:
        return rng.integers(0, 2, COUNT).astype(bool)
    if dtype.kind == "f":
        values = rng.normal(size=COUNT) * 10.0 ** rng.integers(-3, 3, COUNT)
        values[:6] = rng.permutation([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, COUNT, dtype, endpoint=True)
    values[:16] = rng.integers(0, 3, 16)
    return values


def operation_cases():
    for name, operation in OPERATIONS.items():
        for kind in operation.kinds:
            dtype = np.dtype(DTYPES[kind])
            inputs = [dtype] * arity(name)
            if name == "where":
                inputs[0] = BOOL
            output = np.dtype(RESULTS.get(name, dtype))
            if name == "power" and kind != "f":
                continue  # the exponent must be known
            write = lambda writer, *x, emit=operation.emit, dtype=dtype: emit(writer, dtype, *x)  # noqa: E731
            yield f"{name}_{dtype}", inputs, output, write


def cast_cases():
    dtypes = [np.dtype(code) for code in "?bhilBHILfd"]
    for source in dtypes:
        for target in dtypes:
            write = lambda writer, x, source=source, target=target: cast(writer, source, target, x)  # noqa: E731
            yield f"cast_{source}_{target}", [source], target, write


@pytest.mark.parametrize("cases", [operation_cases, cast_cases])
def test_vectors_do_what_single_values_do(cases):
    texts, declarations = [], set()
    for name, *case in cases():
        for lanes in (0, LANES):
            text, declared = element_function(f"{name}_{lanes}", lanes, *case)
            texts.append(text)
            declarations |= declared
    code = Code(["\n".join([*texts, *sorted(declarations)])])
    for name, inputs, output, _ in cases():
        operands = [operand(dtype, place) for place, dtype in enumerate(inputs)]
        results = []
        for lanes in (0, LANES):
            out = np.zeros(COUNT, output)
            address = code._engine.get_function_address(f"{name}_{lanes}")
            pointers = [x.ctypes.data for x in (out, *operands)]
            ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers))(address)(*pointers)
            results.append(out)
        np.testing.assert_array_equal(*results, err_msg=name)
        assert np.any(results[0]) or inputs[0].kind != "f" or output == BOOL, name


def test_one_number_in_each_lane():
    text, declarations = element_function(
        "spread",
        LANES,
        [np.dtype(np.float32)],
        np.dtype(np.float32),
        lambda writer, x: writer.spread(
            np.dtype(np.float32), writer.emit(f"extractelement <{LANES} x float> {x}, i64 3")
        ),
    )
    code = Code(["\n".join([text, *declarations])])
    x = np.arange(COUNT, dtype=np.float32)
    out = np.zeros_like(x)
    address = code._engine.get_function_address("spread")
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)(out.ctypes.data, x.ctypes.data)
    np.testing.assert_array_equal(out, np.repeat(x[3::LANES], LANES))
