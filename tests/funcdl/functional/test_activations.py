"""Activation functions against JAX and PyTorch, and at the places where care is needed."""

import functools
from typing import NamedTuple

import jax
import numpy as np
import pytest

from funcdl import functional
from funcdl.functional import activations
from tests.funcdl.functional.oracles import (
    NO_TORCH,
    assert_same,
    by_jax,
    by_torch,
    ours,
    table_by_jax,
    weights_like,
)
from transforms import eval_shape, grad, type_of, vjp, vmap


class Case(NamedTuple):
    """An activation with its options, and what it is called elsewhere.

    Attributes:
        f: ours.
        jax: JAX's, None where it has none.
        torch: PyTorch's, as attributes of torch.nn.functional and arguments, None where it has none.
        kinks: where subgradients are a choice, which JAX and PyTorch do not always make as we do.
    """

    f: object
    jax: object = None
    torch: object = None
    kinks: tuple = ()


def case(f, jax=None, torch=None, kinks=(), **options):
    return Case(functools.partial(f, **options) if options else f, jax, torch, kinks)


CASES = {
    "relu": case(functional.relu, jax.nn.relu, lambda F: F.relu),
    "relu6": case(functional.relu6, jax.nn.relu6, lambda F: F.relu6),
    "leaky_relu": case(functional.leaky_relu, None, lambda F: F.leaky_relu),
    "leaky_relu, slope": case(
        functional.leaky_relu,
        functools.partial(jax.nn.leaky_relu, negative_slope=0.3),
        lambda F: functools.partial(F.leaky_relu, negative_slope=0.3),
        kinks=(0,),
        negative_slope=0.3,
    ),
    "elu": case(functional.elu, jax.nn.elu, lambda F: F.elu),
    "elu, alpha": case(
        functional.elu,
        functools.partial(jax.nn.elu, alpha=0.7),
        lambda F: functools.partial(F.elu, alpha=0.7),
        alpha=0.7,
    ),
    "selu": case(functional.selu, jax.nn.selu, lambda F: F.selu),
    "celu": case(functional.celu, jax.nn.celu, lambda F: F.celu),
    "celu, alpha": case(
        functional.celu,
        functools.partial(jax.nn.celu, alpha=0.7),
        alpha=0.7,
    ),
    "sigmoid": case(functional.sigmoid, jax.nn.sigmoid, lambda F: F.sigmoid),
    "log_sigmoid": case(functional.log_sigmoid, jax.nn.log_sigmoid, lambda F: F.logsigmoid),
    "tanh": case(functional.tanh, jax.nn.tanh, lambda F: F.tanh),
    "softsign": case(functional.softsign, jax.nn.soft_sign, lambda F: F.softsign),
    "softplus": case(functional.softplus, jax.nn.softplus),
    "squareplus": case(functional.squareplus, jax.nn.squareplus),
    "squareplus, b": case(functional.squareplus, functools.partial(jax.nn.squareplus, b=0.5), b=0.5),
    "gelu": case(functional.gelu, functools.partial(jax.nn.gelu, approximate=False), lambda F: F.gelu),
    "gelu, approximate": case(
        functional.gelu,
        functools.partial(jax.nn.gelu, approximate=True),
        lambda F: functools.partial(F.gelu, approximate="tanh"),
        approximate=True,
    ),
    "silu": case(functional.silu, jax.nn.silu, lambda F: F.silu),
    "mish": case(functional.mish, jax.nn.mish, lambda F: F.mish),
    "hard_tanh": case(functional.hard_tanh, jax.nn.hard_tanh, lambda F: F.hardtanh, kinks=(-1, 1)),
    "hard_sigmoid": case(functional.hard_sigmoid, jax.nn.hard_sigmoid),
    "hard_silu": case(functional.hard_silu, jax.nn.hard_silu, lambda F: F.hardswish, kinks=(-3, 3)),
    "hard_shrink": case(functional.hard_shrink, None, lambda F: F.hardshrink),
    "hard_shrink, cutoff": case(
        functional.hard_shrink, None, lambda F: functools.partial(F.hardshrink, lambd=2.0), cutoff=2.0
    ),
    "soft_shrink": case(functional.soft_shrink, None, lambda F: F.softshrink),
    "soft_shrink, cutoff": case(
        functional.soft_shrink, None, lambda F: functools.partial(F.softshrink, lambd=2.0), cutoff=2.0
    ),
    "tanh_shrink": case(functional.tanh_shrink, None, lambda F: F.tanhshrink),
    "threshold": case(
        functional.threshold,
        None,
        lambda F: functools.partial(F.threshold, threshold=1.5, value=-2.0),
        cutoff=1.5,
        value=-2.0,
    ),
}
# Holds every kink of the table, and zero; the magnitudes beyond would overflow a careless exponential.
GRID = np.concatenate([np.linspace(-8, 8, 65), [-1000, -90, 90, 1000]])
BETWEEN_KINKS = np.linspace(-5.05, 5.05, 12)
IN_JAX = {name: entry.jax for name, entry in CASES.items() if entry.jax}
IN_TORCH = [name for name, entry in CASES.items() if entry.torch]

every_case = pytest.mark.parametrize("name", CASES)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def test_every_activation_is_in_the_table():
    covered = {name.split(",")[0] for name in CASES} | {"glu", "prelu"}
    assert covered == {name for name in dir(activations) if callable(getattr(activations, name))}


@functools.cache
def jax_results(dtype):
    return table_by_jax(IN_JAX, GRID.astype(dtype))


@pytest.mark.parametrize("name", IN_JAX)
@every_dtype
def test_equals_jax(name, dtype):
    smooth = ~np.isin(GRID, CASES[name].kinks)
    got = ours(CASES[name].f, GRID.astype(dtype))
    expected = jax_results(dtype)[name]
    assert_same([v[smooth] for v in got], [v[smooth] for v in expected], dtype)


@pytest.mark.parametrize("name", IN_TORCH)
@every_dtype
def test_equals_torch(name, dtype):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    f, _, theirs, kinks = CASES[name]
    x = GRID[~np.isin(GRID, kinks)].astype(dtype)
    assert_same(ours(f, x), by_torch(theirs(torch.nn.functional), x), dtype)


@every_case
@every_dtype
def test_keeps_dtype_and_shape(name, dtype):
    f = CASES[name].f
    for shape in [(), (0,), (2, 3)]:
        y = f(np.ones(shape, dtype))
        assert (y.shape, y.dtype) == (shape, dtype)


@every_case
def test_types_and_batches(name):
    f, x = CASES[name].f, GRID.astype(np.float32)
    y = f(x)
    assert eval_shape(f, type_of(x)) == type_of(y)
    np.testing.assert_allclose(vmap(f)(x), y, rtol=1e-6)
    np.testing.assert_allclose(vmap(grad(f))(x), grad(lambda x: np.sum(f(x)))(x), rtol=1e-6)


@every_case
def test_nan_stays_nan(name):
    with np.errstate(invalid="ignore"):  # np.logaddexp warns of NaN
        assert np.isnan(CASES[name].f(np.array([np.nan]))).all()


@every_case
@every_dtype
def test_derivatives_are_finite(name, dtype):
    f = CASES[name].f
    for order in (grad(lambda x: np.sum(f(x))), grad(lambda x: np.sum(grad(lambda x: np.sum(f(x)))(x)))):
        assert np.isfinite(order(GRID.astype(dtype))).all()


@functools.cache
def jax_second_derivatives():
    derivatives = {name: jax.vmap(jax.grad(f)) for name, f in IN_JAX.items()}
    return {name: second for name, (_, second) in table_by_jax(derivatives, BETWEEN_KINKS).items()}


@pytest.mark.parametrize("name", IN_JAX)
def test_second_derivative_equals_jax(name):
    f = CASES[name].f
    weights = weights_like(BETWEEN_KINKS)
    second = grad(lambda x: np.sum(weights * grad(lambda x: np.sum(f(x)))(x)))(BETWEEN_KINKS)
    np.testing.assert_allclose(second, jax_second_derivatives()[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "kink", "derivative"),
    [
        ("relu", 0, 0),
        ("relu6", 0, 0),
        ("relu6", 6, 0),
        ("leaky_relu, slope", 0, 0.3),
        ("elu, alpha", 0, 0.7),
        ("celu, alpha", 0, 1),
        ("softsign", 0, 1),
        ("hard_tanh", -1, 0),
        ("hard_tanh", 1, 0),
        ("hard_sigmoid", -3, 0),
        ("hard_sigmoid", 3, 0),
        ("hard_silu", -3, 0),
        ("hard_silu", 3, 1),
        ("hard_shrink", 0.5, 0),
        ("soft_shrink", -0.5, 0),
        ("threshold", 1.5, 0),
    ],
)
def test_derivative_at_a_kink(name, kink, derivative):
    assert grad(CASES[name].f)(float(kink)) == pytest.approx(derivative)


def test_gelu_keeps_its_precision_in_the_lower_tail():
    x = np.float32(-6)
    with jax.enable_x64(True):
        expected = float(jax.nn.gelu(np.float64(x), approximate=False))
    assert functional.gelu(x) == pytest.approx(expected, rel=1e-5)


@every_dtype
def test_prelu_equals_torch(dtype):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    x = np.linspace(-2, 2, 12, dtype=dtype).reshape(4, 3)
    slope = np.array([0.1, 0.2, 0.3], dtype)
    value, pullback = vjp(functional.prelu, x, slope)
    x_torch, slope_torch = (torch.tensor(v, requires_grad=True) for v in (x, slope))
    expected = torch.nn.functional.prelu(x_torch, slope_torch)
    expected.backward(torch.tensor(x))
    got = (value, *pullback(x))
    wanted = (expected.detach().numpy(), x_torch.grad.numpy(), slope_torch.grad.numpy())
    assert_same(got, wanted, dtype, names=("value", "gradient of x", "gradient of slope"))


@every_dtype
@pytest.mark.parametrize("axis", [0, -1])
def test_glu_equals_jax(axis, dtype):
    x = np.linspace(-3, 3, 24, dtype=dtype).reshape(4, 6)
    assert_same(ours(lambda x: functional.glu(x, axis), x), by_jax(lambda x: jax.nn.glu(x, axis), x), dtype)


def test_glu_refuses_an_odd_length():
    with pytest.raises(
        ValueError, match=r"glu: x must have an even length along axis -1, got shape \(4, 3\)"
    ):
        functional.glu(np.ones((4, 3)))
