"""The functions of mathematics are within 4 units in the last place of the truth and of NumPy, everywhere.

The truth is for float32 what NumPy or SciPy computes in float64, or in long double, for float64 what is
computed in long double.
"""

import functools
import platform
import re

import numpy as np
import pytest
from scipy import special

from tests.transforms.backends.elements import Loop, compiled, optimized
from transforms import jit
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.mathematics import FUNCTIONS
from transforms.backends.llvm.translation import translated
from transforms.backends.llvm.writer import Writer

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.skipif(
        np.finfo(np.longdouble).nmant < 63, reason="the truth for float64 needs a longer long double"
    ),
]

# --- the truth in long double, for what NumPy has not


def erf(x):
    """Sum the Taylor series, for ``|x|`` up to 1."""
    term = x * (2 / np.sqrt(PI))
    out = term.copy()
    for k in range(1, 30):
        term = -term * x * x / k
        out += term / (2 * k + 1)
    return out


def erfc(x):
    """Evaluate the continued fraction, for ``x`` from 1 on, and sums elsewhere."""
    far = np.maximum(np.abs(x), 1)
    fraction = np.zeros_like(far)
    for k in range(400, 0, -1):
        fraction = k / np.longdouble(2) / (far + fraction)
    tail = np.exp(-far * far) / ((far + fraction) * np.sqrt(PI))
    tail = np.where(x < 0, 2 - tail, tail)
    return np.where(np.abs(x) < 1, 1 - erf(np.clip(x, -1, 1)), np.where(np.isnan(x), x, tail))


def erf_everywhere(x):
    inside = np.abs(x) < 1
    return np.where(inside, erf(np.where(inside, x, 0)), np.sign(x) * (1 - erfc(np.abs(x))))


def erfcinv(y):
    """Improve SciPy's result, which for the smallest numbers is infinite, by steps of Newton's method."""
    out = special.erfcinv(np.float64(y)).astype(np.longdouble)
    out = np.where(np.isinf(out) & (y > 0) & (y < 1), np.longdouble(27.2), out)
    finite = np.isfinite(out)
    x = np.where(finite, out, 1)
    for _ in range(8):
        x = x + (erfc(x) - y) / (2 / np.sqrt(PI) * np.exp(-x * x))
    return np.where(finite, x, out)


def erfinv(y):
    out = special.erfinv(np.float64(y)).astype(np.longdouble)
    finite = np.isfinite(out)
    x = np.where(finite, np.abs(out), 1)
    inside, size = x < 0.4, np.abs(y)
    for _ in range(2):
        error = np.where(inside, erf(np.where(inside, x, 0)) - size, (1 - size) - erfc(x))
        x = x - error / (2 / np.sqrt(PI) * np.exp(-x * x))
    return np.where(finite, np.copysign(x, y), out)


def ndtri(p):
    return -np.sqrt(np.longdouble(2)) * np.where(p < 0.5, erfcinv(2 * p), -erfcinv(2 * (1 - p)))


PI = 4 * np.arctan(np.longdouble(1))
TRUTH = {
    "erf": erf_everywhere,
    "erfc": erfc,
    "erfinv": erfinv,
    "erfcinv": erfcinv,
    "ndtr": lambda x: erfc(-x / np.sqrt(np.longdouble(2))) / 2,
    "ndtri": ndtri,
    "exp10": lambda x: np.power(np.longdouble(10), x),
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "log_expit": lambda x: -np.logaddexp(0, -x),
    "logit": lambda x: np.where(np.abs(x - 0.5) < 0.2, 2 * np.arctanh(2 * x - 1), np.log(x) - np.log1p(-x)),
    "entr": lambda x: np.where(x == 0, 0, np.where(x < 0, -np.inf, -x * np.log(x))),
    "xlogy": lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y)),
    "xlog1py": lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * np.log1p(y)),
    "rel_entr": lambda x, y: np.where(
        (x > 0) & (y > 0),
        x * np.where(np.abs(x - y) < y / 2, np.log1p((x - y) / y), np.log(x / y)),
        np.where((x == 0) & (y >= 0), 0, np.where(np.isnan(x) | np.isnan(y), np.nan, np.inf)),
    ),
    "huber": lambda d, x: np.where(
        d < 0, np.inf, np.where(np.abs(x) <= d, x * x / 2, d * (np.abs(x) - d / 2))
    ),
}
# What SciPy computes less accurately, in some places by far.
FAR_FROM_TRUTH = {"expit", "erfc", "ndtr", "erfcinv", "ndtri", "exp10", "rel_entr"}
SLOW_TRUTH = {"erf", "erfc", "ndtr", "erfinv", "erfcinv", "ndtri"}
BINARY = ["arctan2", "hypot", "power", "xlogy", "xlog1py", "rel_entr", "huber", "logaddexp", "logaddexp2"]
EXACT = ["nextafter", "spacing", "ldexp", "exponent", "fmod"]
UNARY = [name for name in FUNCTIONS if name not in (*BINARY, *EXACT)]

# --- the functions, compiled, and arguments


def function(name):
    return getattr(np, name, None) or getattr(special, name)


def loops(*dtypes):
    """Return a loop for each function and dtype."""
    for name, emit in FUNCTIONS.items():
        for dtype in dtypes:
            count = 2 if name in (*BINARY, "nextafter", "ldexp", "fmod") else 1
            output = np.dtype(np.int32) if name == "exponent" else dtype
            write = lambda writer, *x, emit=emit, dtype=dtype: emit(writer, dtype, *x)  # noqa: E731
            yield Loop(f"{name}_{dtype}", 0, [dtype] * count, output, write)


@functools.cache
def program():
    """Compile all functions, for both dtypes, into one module."""
    return compiled(list(loops(*DTYPES)))


def call(name, *operands):
    return program()(f"{name}_{operands[0].dtype}", *operands)


def bends(dtype):
    """Return numbers at which functions begin, end, or change how they are computed."""
    limits = np.finfo(dtype)
    small = [limits.tiny, limits.smallest_subnormal, limits.tiny / 2, limits.eps, 0.0]
    ends = [87.4, 88.72, 88.8, 89.4, 103.9, 104.0, 708.5, 709.7, 709.8, 710.4, 745.1, 745.2, 10.1, 26.5, 38.4]
    ordinary = [0.3, 0.5, 0.65, 1.0, 1.2, 2.0, 3.0, 3.92, 1e5, 1e9, 1e22, limits.max, np.inf]
    turns = np.arange(1, 40) * (np.pi / 4)
    values = np.concatenate([small, ends, ordinary, turns]).astype(dtype)
    neighbours = [np.nextafter(values, dtype.type(end)) for end in (0, np.inf)]
    values = np.concatenate([values, *neighbours])
    return np.concatenate([values, -values, [np.nan]]).astype(dtype)


def dense(dtype, seed=0, count=30_000):
    """Return floats of random bits, so of all exponents, and dense ones of ordinary sizes and near 1."""
    rng = np.random.default_rng(seed)
    unsigned = f"u{dtype.itemsize}"
    bits = rng.integers(0, np.iinfo(unsigned).max, count, unsigned, endpoint=True).view(dtype)
    scales = (1e-30, 1e-5, 0.1, 1.0, 3.0, 10.0, 100.0, 800.0)
    near = [rng.uniform(-scale, scale, count // 8) for scale in scales]
    ones = [1.0 + rng.uniform(-scale, scale, count // 8) for scale in (1e-6, 1e-2)]
    return np.concatenate([bits, *(x.astype(dtype) for x in (*near, *ones))])


def arguments(name, dtype):
    if name not in BINARY:
        fewer = 8 if name in SLOW_TRUTH else 1
        return (np.concatenate([dense(dtype)[::fewer], bends(dtype)]),)
    special_values = bends(dtype)[::3]
    pairs = np.meshgrid(special_values, special_values)
    x, y = dense(dtype, 1, 15_000), dense(dtype, 2, 15_000)
    y = np.random.default_rng(3).permutation(y)
    moderate = np.random.default_rng(4).uniform(-5, 5, (2, 15_000)).astype(dtype)
    return tuple(np.concatenate([a, b.ravel(), c]) for a, b, c in zip((x, y), pairs, moderate, strict=True))


def units(got, truth, dtype, scale):
    """Return the largest distance from the truth in units in its last place, or in that of a larger scale."""
    rounded = np.maximum(np.abs(truth), scale).astype(dtype)
    finite = np.isfinite(rounded) & np.isfinite(got)
    unit = np.spacing(rounded[finite]).astype(np.longdouble)
    return np.max(np.abs(got[finite].astype(np.longdouble) - truth[finite]) / unit)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_within_four_units(name, dtype):
    operands = arguments(name, dtype)
    wide = np.longdouble if dtype == np.float64 or name in TRUTH else np.float64
    truth = TRUTH.get(name, function(name))(*(x.astype(wide) for x in operands))
    expected = function(name)(*operands)
    got = call(name, *operands)
    # The logarithm of a sum near 1 is a difference of numbers of the size of the operands.
    scale = np.max(np.abs(operands), axis=0) if name.startswith("logaddexp") else 0.0
    scale = np.where(np.isfinite(scale), scale, 0.0)
    rounded = truth.astype(dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(got[np.isinf(rounded)], rounded[np.isinf(rounded)])
    assert not np.any(np.isinf(got) & np.isfinite(rounded))
    assert units(got, truth, dtype, scale) <= 4
    if name not in FAR_FROM_TRUTH:
        assert units(got, expected.astype(np.longdouble), dtype, scale) <= 4
    zero = (expected == 0) & (rounded == 0)
    if name not in ("erfinv", "erfcinv", "xlogy", "xlog1py", "entr", "rel_entr", "huber", "ndtri"):
        np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))


# --- what must be exact


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exponentials_far_below_all_numbers_are_zero(dtype):
    least = np.log(np.finfo(dtype).smallest_subnormal) - 1
    x = np.concatenate([np.linspace(3 * least, least, 100_001), [np.finfo(dtype).min, -np.inf]]).astype(dtype)
    result = call("exp", x)
    assert not result.any()
    assert not np.signbit(result).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exact_results(dtype):
    def at(name, *x):
        return call(name, *(np.full(1, value, dtype) for value in x))[0]

    limits = np.finfo(dtype)
    exponents = np.arange(limits.minexp - limits.nmant, limits.maxexp)
    powers = np.ldexp(dtype.type(1), exponents)
    np.testing.assert_array_equal(call("log2", powers), exponents)
    np.testing.assert_array_equal(call("exp2", exponents.astype(dtype)), powers)
    np.testing.assert_array_equal(call("power", np.full_like(powers, 2), exponents.astype(dtype)), powers)
    wholes = np.arange(-20.0, 20.0, dtype=dtype)
    np.testing.assert_array_equal(call("cbrt", wholes**3), wholes)
    for name, x, expected in (
        ("exp", 0, 1), ("expm1", 0, 0), ("log", 1, 0), ("log10", 1, 0), ("log10", 1000, 3), ("expit", 0, 0.5),
        ("erfc", 0, 1), ("ndtr", 0, 0.5), ("tanh", 40, 1), ("tanh", -np.inf, -1), ("erf", 7, 1),
    ):  # fmt: skip
        assert at(name, x) == expected, name
    assert at("arctan2", 0, -1) == dtype.type(np.pi)
    assert at("hypot", 3, -4) == 5
    assert at("hypot", np.nan, np.inf) == np.inf
    odd = "expm1 log1p sin tan tanh sinh arcsin arctan arcsinh arctanh erf cbrt"
    for name in odd.split():
        zeros = call(name, np.array([0.0, -0.0], dtype))
        np.testing.assert_array_equal(zeros, 0, err_msg=name)
        np.testing.assert_array_equal(np.signbit(zeros), [False, True], err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_functions_of_bits_are_exact(dtype):
    x = np.concatenate([dense(dtype), bends(dtype)])
    y = np.random.default_rng(5).permutation(x)
    for name in ("nextafter", "fmod"):
        np.testing.assert_array_equal(call(name, x, y), function(name)(x, y), err_msg=name)
    np.testing.assert_array_equal(call("spacing", x), np.spacing(x))
    np.testing.assert_array_equal(call("exponent", x)[np.isfinite(x)], np.frexp(x)[1][np.isfinite(x)])
    exponent = np.random.default_rng(6).integers(-2200, 2200, x.size)
    normal = np.abs(np.ldexp(x, exponent)) >= np.finfo(dtype).tiny
    got = call("ldexp", x, exponent.astype(dtype))
    np.testing.assert_array_equal(got[normal], np.ldexp(x, exponent)[normal])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the vectors are those of x86-64")
@pytest.mark.parametrize(("cpu", "bits"), [("haswell", 256), ("znver4", 512)])
def test_loops_are_vectorized(cpu, bits):
    for dtype in DTYPES:
        # What is computed in float64 for float32 has vectors of half as many lanes.
        lanes = {bits // 8 // dtype.itemsize, bits // 16 // dtype.itemsize}
        vectors = "|".join(f"<{n} x (float|double)>" for n in lanes)
        for name, text in optimized(list(loops(dtype)), cpu).items():
            assert re.search(f" = (f|tail call|select|call).*({vectors})", text), name
            assert not re.search(r"call (float|double) @[a-z]+f?\(", text), name


# --- through jit: no call of NumPy is left, and derivatives as well are inline

OTHERS = [np.spacing, np.degrees, np.radians, np.rint, np.sign, np.square, np.sinc]
INLINE = [*map(function, UNARY), *OTHERS]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nothing_is_left_to_numpy(dtype):
    x = np.linspace(0.1, 0.9, 7, dtype=dtype)
    n = np.arange(7)

    def all_of_them(x, n):
        both = [function(name)(x, 0.5 * x) for name in BINARY]
        others = [np.nextafter(x, 2 * x), np.fmod(x, 0.3), np.remainder(x, -0.3), x // 0.3, np.ldexp(x, n)]
        return [*(f(x) for f in INLINE), *both, *others, *np.frexp(x), n**5, np.bitwise_count(n)]

    jitted = jit(all_of_them, backend="llvm")
    assert " numpy " not in jitted.lower(x, n).source().split("\n\n")[0]
    for got, expected in zip(jitted(x, n), all_of_them(x, n), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=40 * np.finfo(dtype).eps, atol=0)


def test_powers_that_are_simpler_functions():
    x = np.linspace(0.1, 4, 50)
    for exponent in (-1, 0.5, 1, 2, 3, 2.5, 0):
        got = jit(lambda x, exponent=exponent: x**exponent, backend="llvm")(x)
        np.testing.assert_allclose(got, x**exponent, rtol=1e-15)


def test_powers_of_integers():
    for x in (np.arange(-9, 9), np.arange(9, dtype=np.uint8)):
        for exponent in (0, 1, 2, 3, 4, 7, 10):
            got = jit(lambda x, exponent=exponent: x**exponent, backend="llvm")(x)
            assert got.dtype == (x**exponent).dtype
            np.testing.assert_array_equal(got, x**exponent)
    with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
        jit(lambda x: x**-2, backend="llvm")(np.arange(3))


def test_modules_share_functions_of_their_own():
    """The sine is a function of its own in each module; the modules of a program are linked together."""
    text = """define void @segment{number}(ptr %x) {{
      %v = load double, ptr %x
      {line}
      store double {name}, ptr %x
      ret void
    }}"""
    modules = []
    for number in range(2):
        writer = Writer()
        name = FUNCTIONS["sin"](writer, DTYPES[1], "%v")
        body = text.format(number=number, line=writer.lines[0], name=name)
        modules.append("\n".join([body, *sorted(writer.declarations)]))
    code = Code(translated(modules))
    x = np.array(0.5)
    for number in range(2):
        code.segment(number)(x.ctypes.data)
    np.testing.assert_allclose(x, np.sin(np.sin(0.5)), rtol=1e-15)
