"""The XLA backend gives NumPy's values and types, on device arrays."""

import importlib
import pathlib
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import transforms.control.collectives
import transforms.primitives.special  # noqa: F401 (declares what is otherwise declared when first used)
from funcdl import random
from tests.transforms.laws import Case, parametrize, same
from transforms import (
    ArrayType,
    at,
    checkpoint,
    cond,
    custom_vjp,
    fori_loop,
    grad,
    hessian,
    jacrev,
    jit,
    jvp,
    scan,
    switch,
    tree,
    vjp,
    vmap,
    while_loop,
)
from transforms.backends.xla import HOST_CALLBACKS, LOWERINGS
from transforms.control.callbacks import effect_callback, pure_callback
from transforms.primitive import PRIMITIVES
from transforms.primitives.convolution import conv
from transforms.primitives.windows import reduce_window

ROOT = pathlib.Path(__file__).parents[3]
X = np.array([0.3, 0.7, 1.2])
MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.5, 0.3], [0.1, 0.3, 3.0]])


def on_xla(f, *args, **options):
    """Run a function on the backend; returns NumPy arrays, and checks that they were device arrays."""
    out = jit(f, backend="xla", **options)(*args)
    assert all(isinstance(leaf, jax.Array) for leaf in tree.leaves(out))
    return tree.map(np.asarray, out)


def check(f, *args, tolerance=1e-12):
    same(on_xla(f, *args), tree.map(np.asarray, f(*args)), tolerance)


def test_every_primitive_is_lowered_or_says_why_not():
    lowered, called_back = LOWERINGS.keys(), HOST_CALLBACKS.keys()
    assert lowered & called_back == set()
    assert PRIMITIVES.keys() - lowered - called_back == set()
    assert (lowered | called_back) - PRIMITIVES.keys() == set()
    assert all(HOST_CALLBACKS.values())


# --- values and types: a few of each family; `pytest -m slow` runs the tables of all families

CASES = [
    Case("arithmetic", lambda xp, x, y: (x + y, x - y, x * y, x / y, -x, abs(x), xp.sign(x)), (X - 0.5, X)),
    Case(
        "quotients of floats",
        lambda xp, x, y: (x // y, x % y, xp.fmod(x, y)),
        (np.array([7.0, -7.0, 7.0, -7.0, 1.0, 0.0]), np.array([2.0, 2.0, -2.0, -2.0, np.inf, 3.0])),
    ),
    Case(
        "quotients of integers",
        lambda xp, x, y: (x // y, x % y, xp.fmod(x, y)),
        (np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])),
    ),
    Case(
        "promotion of int32 with float32",
        lambda xp, i, x: (i + x, i * x),
        (np.int32([1, 2]), np.float32([1, 2])),
    ),
    Case("promotion of uint8 with int8", lambda xp, x, y: x + y, (np.uint8([200]), np.int8([-3]))),
    Case(
        "Python numbers are weak",
        lambda xp, x, i: (x * 2.0, x + 1, i * 2, i * 2.0),
        (np.float32(X), np.int8([3])),
    ),
    Case("a comparison with a large integer", lambda xp, x: x < 1000, (np.uint8([3, 255]),)),
    Case("division of integers", lambda xp, x: (x / 2, xp.sqrt(x), xp.mean(x)), (np.arange(4),)),
    Case(
        "floats apart",
        lambda xp, x: (*xp.frexp(x), xp.ldexp(x, 3), xp.spacing(x)),
        (np.array([1e-300, 3.0, -5e200]),),
    ),
    Case(
        "rounding", lambda xp, x: (xp.round(x, 1), xp.floor(x), xp.rint(x)), (np.array([0.25, -1.35, 2.5]),)
    ),
    Case(
        "rounding of integers", lambda xp, x: (xp.round(x, -2), xp.floor(x)), (np.array([12345, 2**60 + 1]),)
    ),
    Case("bits", lambda xp, x: (x << 3, x >> 1, ~x, x ^ 5, xp.bitwise_count(x)), (np.array([5, -6, 255]),)),
    Case("powers", lambda xp, x: (x**2, x**0.5, x**-1, x**2.3, 2.0**x, x**x), (X,)),
    Case("exponentials", lambda xp, x: (xp.exp(x), xp.log1p(x), xp.logaddexp(x, 2.0), xp.tanh(x)), (X,)),
    Case("complex", lambda xp, z: (z * z, abs(z), z.real, z.conj(), xp.exp(z)), (X + 1j * X[::-1],)),
    Case(
        "casts",
        lambda xp, x: (x.astype(np.float32), x.astype(int), x.astype(bool)),
        (np.array([-1.7, 0.0, 2.9]),),
    ),
    Case("choices", lambda xp, x: (xp.where(x > 0.5, x, 0), xp.maximum(x, 0.7), xp.clip(x, 0.4, 1)), (X,)),
    Case(
        "sums of small integers",
        lambda xp, x: (xp.sum(x), xp.prod(x), xp.cumsum(x)),
        (np.full(200, 3, np.int8),),
    ),
    Case(
        "reductions", lambda xp, x: (x.max(0), x.min(1), x.argmax(1), xp.any(x > 2), x.sum((0, 1))), (MATRIX,)
    ),
    Case(
        "reductions with NaN",
        lambda xp, x: (x.max(), x.argmin(), xp.nanmax(x)),
        (np.array([1.0, np.nan, 2.0]),),
    ),
    Case("running results", lambda xp, x: (xp.cumprod(x, 1), np.maximum.accumulate(x, 0)), (MATRIX,)),
    Case(
        "shapes",
        lambda xp, x: (x.T.reshape(9), x[::-1, 1:], x[None, ..., -1], xp.broadcast_to(x, (2, 3, 3))),
        (MATRIX,),
    ),
    Case(
        "index arrays",
        lambda xp, x, i: (x[i], x[:, i], x[i, :2], x[i, 0], x[-i]),
        (MATRIX, np.array([2, 0, 2])),
    ),
    Case("joining", lambda xp, x, i: xp.concatenate([x, i]), (X, np.arange(2, dtype=np.int32))),
    Case("sorting", lambda xp, x: (xp.sort(x), xp.argsort(x, stable=True), xp.searchsorted(x, 0.7)), (X,)),
    Case("products", lambda xp, a, x: (a @ x, a @ a, x @ x, xp.einsum("ij,kj->ik", a, a)), (MATRIX, X)),
    Case("matrices", lambda xp, a: (xp.linalg.inv(a), xp.linalg.det(a), *xp.linalg.slogdet(a)), (MATRIX,)),
    Case("solutions", lambda xp, a, b: xp.linalg.solve(a, b), (np.stack([MATRIX, MATRIX.T + 1]), X)),
    Case(
        "decompositions",
        lambda xp, a: (xp.linalg.cholesky(a), *xp.linalg.eigh(a), *xp.linalg.svd(a)),
        (MATRIX,),
    ),
    Case(
        "decompositions by NumPy",
        lambda xp, a: (xp.linalg.eig(a)[0] + 0j, xp.linalg.eig(a)[1] + 0j),
        (MATRIX,),
    ),
    Case("transforms", lambda xp, x: (xp.fft.fftn(x), xp.fft.rfft(x), xp.fft.irfft(x, 5)), (MATRIX,)),
    Case("special functions", lambda xp, x: (special.erf(x), special.gammaln(x), special.expit(x)), (X,)),
    Case("special functions by SciPy", lambda xp, x: (special.jv(1.5, x), *special.airy(x)), (X,)),
    Case("special functions of complex numbers", lambda xp, z: special.erf(z), (X + 1j,)),
]


@parametrize(CASES)
def test_values_and_types(case):
    check(lambda *args: case.function(np, *args), *case.args)


def all_cases():
    folders = ("primitives", "compositions")
    for path in sorted(
        path for folder in folders for path in (ROOT / "tests/transforms" / folder).glob("test_*.py")
    ):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, list) and value and isinstance(value[0], Case):
                yield from (pytest.param(case, id=f"{path.stem}-{case.name}") for case in value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_tables_of_all_families():
    failed = []
    for parameter in all_cases():
        (case,) = parameter.values
        try:
            check(lambda *args, case=case: case.function(np, *args), *case.args, tolerance=1e-11)
        except AssertionError as error:
            failed.append(f"{parameter.id}: {error}")
    assert failed == []


def test_the_last_update_of_a_place_wins():
    places = np.array([1, 0, 1, 1])
    check(lambda x, i, v: at(x)[i].set(v), X, places, np.array([1.0, 2.0, 3.0, 4.0]))
    check(lambda x, i, v: at(x)[:, i].set(v), MATRIX, places, np.arange(12.0).reshape(3, 4))


def test_other_updates():
    places = np.array([1, 0, -1, 1])
    for update in ("add", "multiply", "min", "max"):
        check(lambda x, i, update=update: getattr(at(x)[i], update)(0.5), X, places)


def test_divisions_of_integers_by_zero_are_those_of_numpy():
    x, zero = np.array([5, -5, 0]), np.zeros(3, int)
    for quotient in on_xla(lambda x, y: (x // y, x % y, np.fmod(x, y)), x, zero):
        assert np.array_equal(quotient, [0, 0, 0])


def test_out_of_range_gives_nan():
    assert np.isnan(on_xla(lambda x, i: x[i], X, np.array([7])))


def test_convolutions_and_windows():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 7, 6, 4)), rng.standard_normal((3, 2, 2, 6))

    def convolved(x, kernel):
        return conv(x, kernel, strides=(2, 1), padding="SAME", dilation=(1, 2), groups=2)

    def pooled(x):
        return tuple(
            reduce_window(x, kind, (1, 3, 2, 1), strides=(1, 2, 1, 1), padding="SAME")
            for kind in ("max", "min", "sum")
        )

    def pullbacks(x, kernel):
        out, pull = vjp(convolved, x, kernel)
        outs, pull_pooled = vjp(pooled, np.round(x))
        _, tangents = jvp(pooled, (np.round(x),), (x,))
        return out, pull(np.cos(out)), outs, pull_pooled(tuple(np.cos(y) for y in outs)), tangents

    check(pullbacks, x, kernel)


# --- control flow and derivatives


def grow(x, factor):
    """Multiply until a sum is reached: a loop whose number of steps depends on the values."""
    return while_loop(
        lambda state: np.sum(state[0]) < 100,
        lambda state: (state[0] * factor + np.sin(state[0]) ** 2, state[1] + 1),
        (x, 0),
    )


def running(x):
    return scan(lambda carry, entry: (carry * np.sin(entry) + 1, carry + entry), 0.5, x)


@custom_vjp
def doubled_slope(x):
    return np.sin(x)


doubled_slope.defvjp(lambda x: (np.sin(x), x), lambda x, cotangent: (cotangent * 2 * np.cos(x),))

recomputed = checkpoint(lambda x: np.sin(np.sin(x) * x))

PROGRAMS = {
    "while": lambda x: grow(x, 1.3),
    "vmap of while": lambda x: vmap(lambda x: grow(x, 1.3))(x),
    "jvp of while": lambda x: jvp(lambda x: grow(x, 1.3)[0], (x,), (np.ones_like(x),)),
    "grad of while": lambda x: grad(lambda x, a: np.sum(grow(x, a)[0] ** 2), argnums=(0, 1))(x, 1.3),
    "grad of while without steps": lambda x: grad(lambda x: np.sum(grow(x + 100, 1.3)[0] ** 2))(x),
    "grad of scan over while": lambda x: grad(
        lambda x: np.sum(scan(lambda c, t: (grow(c, 1.3 + t)[0] / 50, t), x, np.arange(2.0))[0])
    )(x),
    "hessian of while": hessian(lambda x: np.sum(np.sin(grow(x, 1.3)[0]))),
    "reverse over reverse of while": jacrev(jacrev(lambda x: np.sum(np.sin(grow(x, 1.3)[0])))),
    "vmap of hessian of while": lambda x: vmap(hessian(lambda x: np.sin(grow(x[None], 1.3)[0][0])))(x),
    "scan": running,
    "reversed scan": lambda x: scan(lambda c, t: (c * t + 1, (c, t)), 0.5, x, reverse=True),
    "hessian of scan": hessian(lambda x: np.sum(running(x)[1])),
    "loop to a value": lambda x: fori_loop(0, (x[0] * 10).astype(int), lambda i, v: v + i, x),
    "cond": lambda x: cond(x[0] > 0.5, np.sin, np.cos, x),
    "grad of switch": lambda x: grad(lambda x: np.sum(switch(1, [np.sin, np.exp, np.cos], x)))(x),
    "vmap of switch": lambda x: vmap(lambda x, i: switch(i, [np.sin, np.exp], x))(x, np.array([0, 1, 5])),
    "grad of checkpoint": grad(lambda x: np.sum(recomputed(x))),
    "grad of a custom rule": grad(lambda x: np.sum(doubled_slope(x))),
    "jit in jit": lambda x: jit(np.cos, backend="xla")(jit(np.sin)(x)),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_programs(program):
    check(program, X)


def test_reverse_mode_of_a_long_while_loop():
    def long(x):
        return while_loop(
            lambda s: s[1] < 300, lambda s: (s[0] * 0.999 + 0.01 * np.sin(s[0]), s[1] + 1), (x, 0)
        )[0]

    check(grad(lambda x: np.sum(long(x) ** 2)), X)


def test_transforms_of_a_jitted_function():
    def f(x):
        return np.sum(np.sin(x) ** 2) + np.sum(grow(x, 1.3)[0])

    compiled = jit(f, backend="xla")
    same(grad(compiled)(X), grad(f)(X))
    same(vmap(compiled)(MATRIX), vmap(f)(MATRIX))
    expected = hessian(f)(X)
    for second in (
        hessian(compiled),
        jacrev(jacrev(compiled)),
        jacrev(jit(grad(compiled), backend="xla")),
    ):
        same(second(X), expected, 1e-9)
    same(jit(grad(compiled), backend="numpy")(X), grad(f)(X))
    out, pullback = vjp(compiled, jnp.asarray(X, np.float32))
    assert type(out) is np.ndarray
    assert pullback(np.float32(1))[0].dtype == np.float32


def test_random_bits_are_identical():
    key = random.key(3)

    def draw(key):
        return (
            random.bits(key, (7,)),
            random.split(key, 3),
            random.uniform(key, (5,)),
            random.permutation(key, 9),
        )

    for got, expected in zip(on_xla(draw, key), draw(key), strict=True):
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)
    same(on_xla(lambda key: random.normal(key, (9,)), key), random.normal(key, (9,)), 1e-6)


# --- arrays on devices


def test_dtypes_are_kept_and_the_users_setting_too():
    assert not jax.config.jax_enable_x64
    step = jit(lambda x, n: (x * 2, n + 1), backend="xla")
    x, n = X, 3
    for _ in range(3):
        x, n = step(x, n)
    assert (x.dtype, n.dtype) == (np.float64, np.int64)
    assert np.array_equal(x, X * 8)
    assert jnp.asarray(X).dtype == np.float32


def test_device_arrays_go_anywhere():
    x = jit(lambda x: x + 1, backend="xla")(X)
    with jax.transfer_guard("disallow"):
        jit(lambda x: x * x, backend="xla")(x)
    same(grad(lambda x: np.sum(x**3))(x), 3 * (X + 1) ** 2)
    same(vmap(np.sin)(x), np.sin(X + 1))
    same(jit(lambda x: x * 2, backend="numpy")(x), (X + 1) * 2)
    same(tree.map(np.asarray, scan(lambda c, t: (c + t, c), 0.0, x)[0]), np.sum(X + 1))


def test_donated_arguments_are_consumed():
    add = jit(lambda params, x: {"w": params["w"] + x}, backend="xla", donate_argnums=0)
    w, x = (jax.device_put(np.full(4, value, np.float32)) for value in (1.0, 2.0))
    out = add({"w": w}, x)
    assert np.array_equal(out["w"], np.full(4, 3.0))
    assert w.is_deleted()
    assert not x.is_deleted()


def test_static_arguments_and_methods():
    class Scale:
        factor = 3.0

        @jit(backend="xla", static_argnums=1)
        def apply(self, times, x):
            return x * self.factor * times

    assert np.array_equal(Scale().apply(2, X), X * 3.0 * 2)


def test_constants_and_numbers_are_outputs():
    same(on_xla(lambda x: (x, 2.0, True, np.arange(2)), X), (X, np.array(2.0), np.array(True), np.arange(2)))


def test_the_source_is_stablehlo():
    assert "stablehlo.sine" in jit(np.sin, backend="xla").lower(X).source()


def test_host_callbacks_keep_float64_in_threads():
    results = []
    compiled = jit(lambda x: special.jv(1.5, x), backend="xla")
    threads = [threading.Thread(target=lambda: results.append(np.asarray(compiled(X)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, special.jv(1.5, X)) for result in results)
    assert len(results) == 3


def test_callbacks_are_called_in_order():
    seen = []

    def step(total, x):
        effect_callback(seen.append, (x,), {})
        return total + x, pure_callback(np.cumsum, ArrayType((2,), "float64"), np.stack([total, x]))

    total, sums = on_xla(lambda x: scan(step, 0.0, x), X)
    np.testing.assert_allclose(total, np.sum(X))
    np.testing.assert_allclose(sums[:, 1], np.cumsum(X))
    assert [float(x) for x in seen] == list(X)


def test_shardings_need_this_backend():
    with pytest.raises(
        ValueError,
        match=r"jit: in_shardings and out_shardings must go with backend='xla', got backend='numpy'",
    ):
        jit(np.sin, backend="numpy", in_shardings=object())


def test_a_tuple_of_shardings_fits_the_arguments():
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with pytest.raises(
        ValueError, match="in_shardings must have an entry for each of 1 traced positional arguments, got 2"
    ):
        jit(np.sin, backend="xla", in_shardings=(sharding, sharding))(X)
    out = jit(
        lambda p, x: p["w"] * x, backend="xla", in_shardings=({"w": sharding}, None), out_shardings=sharding
    )
    assert out({"w": X}, X).sharding == sharding


def test_without_jax_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['jax'] = None; import transforms; transforms.jit(abs, backend='xla')(1.0)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stderr.strip().splitlines()[-1] == (
        "ImportError: jit: jax must be installed for backend='xla', got no such module; "
        'run pip install "funcdl[xla]"'
    )
