"""Master parameters and loss scaling, against optax, PyTorch's GradScaler and exact arithmetic."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest

from funcdl import optim
from transforms import jit, scan, tree, type_of

HALVES = [ml_dtypes.bfloat16, np.float16]


def gradients(n=20, shape=(3,)):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def run(optimizer, params, grads):
    state = optimizer.init(params)
    for grad in grads:
        updates, state = optimizer.update(grad, state, params)
        params = optim.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_copy_goes_as_optax_goes_in_float32(name, dtype):
    grads = gradients().astype(dtype)
    start = np.ones(3, np.float32).astype(dtype)
    params, state = run(optim.master_params(getattr(optim, name)(0.01)), start, grads)
    optimizer = getattr(optax, name)(0.01) if name != "adamw" else optax.adamw(0.01, weight_decay=0.0)
    if name == "adamw":
        params, state = run(optim.master_params(optim.adamw(0.01, weight_decay=0.0)), start, grads)
    expected = jnp.ones(3)
    optax_state = optimizer.init(expected)
    for grad in grads.astype(np.float32):
        updates, optax_state = optimizer.update(jnp.asarray(grad), optax_state, expected)
        expected = optax.apply_updates(expected, updates)
    np.testing.assert_allclose(state.params, expected, rtol=1e-6)
    assert params.dtype == dtype
    # The parameters are the copy, rounded.
    np.testing.assert_array_equal(params, state.params.astype(dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_small_updates_add_up(dtype):
    grads = np.full((100, 1), 2.0**-12, np.float32)
    start = np.ones(1, dtype)
    lost, _ = run(optim.sgd(1.0), start, grads.astype(dtype))
    kept, _ = run(optim.master_params(optim.sgd(1.0)), start, grads.astype(dtype))
    assert lost[0] == 1
    assert kept[0] == np.float32(1 - 100 * 2.0**-12).astype(dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("make", [optim.master_params, optim.dynamic_loss_scale])
def test_the_state_keeps_its_types_so_that_it_can_be_scanned(make, dtype):
    optimizer = make(optim.adam(0.1))
    start = np.ones(3, dtype)

    def step(carry, grad):
        params, state = carry
        updates, state = optimizer.update(grad, state, params)
        return (optim.apply_updates(params, updates), state), 0

    grads = gradients().astype(dtype)
    (params, state), _ = jit(lambda grads: scan(step, (start, optimizer.init(start)), grads))(grads)
    expected, expected_state = run(optimizer, start, grads)
    np.testing.assert_array_equal(params, expected)
    assert tree.map(type_of, state) == tree.map(type_of, expected_state)


def test_the_scale_goes_as_that_of_torch():
    torch = pytest.importorskip("torch", reason="its GradScaler is the oracle")
    parameter = torch.nn.Parameter(torch.ones(2))
    sgd = torch.optim.SGD([parameter], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    optimizer = optim.dynamic_loss_scale(optim.sgd(0.1), initial=8.0, growth_interval=2)
    params = np.ones(2, np.float32)
    state = optimizer.init(params)
    for factor in [1.0, 2.0, np.inf, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0, np.inf, 1.0]:
        scale = float(state.scale)
        assert scale == scaler.get_scale()
        scaler.scale((parameter * float(factor)).sum()).backward()
        scaler.step(sgd)
        scaler.update()
        sgd.zero_grad()
        with np.errstate(invalid="ignore"):
            grads = np.full(2, np.float32(factor) * np.float32(scale))
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        np.testing.assert_allclose(params, parameter.detach().numpy(), rtol=1e-6)
    assert state.scale == scaler.get_scale()


def test_the_scale_stays_between_one_and_the_largest_float32():
    optimizer = optim.dynamic_loss_scale(optim.sgd(0.1), initial=1.0, growth_interval=1, factor=2.0**100)
    state = optimizer.init(np.ones(1, np.float32))
    _, state = optimizer.update(np.float32([np.inf]), state)
    assert state.scale == 1
    for _ in range(3):
        _, state = optimizer.update(np.float32([1.0]), state)
    assert np.isfinite(state.scale)


def test_a_refused_gradient_leaves_the_inner_state():
    optimizer = optim.dynamic_loss_scale(optim.adam(0.1))
    state = optimizer.init(np.ones(2, np.float32))
    updates, after = optimizer.update(np.float32([np.nan, 1.0]), state)
    np.testing.assert_array_equal(updates, [0, 0])
    assert optim.find_state(after, optim.ScaleByAdamState).count == 0


def test_a_static_scale_keeps_small_gradients():
    # In float16 the gradient itself is 0; scaled by 2**10 it is not.
    tiny = np.float32(2.0**-26)
    assert np.float16(tiny) == 0
    optimizer = optim.static_loss_scale(optim.sgd(1.0), 2.0**10)
    state = optimizer.init(np.float16([1.0]))
    assert optim.scale_loss(tiny, state) == 2.0**-16
    updates, state = optimizer.update(np.float16([2.0**-16]), state)
    np.testing.assert_array_equal(updates, -np.float32([tiny]))
    assert state.scale == 2.0**10


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optim.static_loss_scale(optim.sgd(1.0), 0.0), r"static_loss_scale: the scale must be in"),
        (lambda: optim.dynamic_loss_scale(optim.sgd(1.0), initial=0.5), r"initial scale must be at least 1"),
        (lambda: optim.dynamic_loss_scale(optim.sgd(1.0), factor=1.0), r"the factor must be above 1, got 1"),
        (
            lambda: optim.dynamic_loss_scale(optim.sgd(1.0), growth_interval=0),
            r"growth_interval must be at least 1, got 0",
        ),
        (
            lambda: optim.master_params(optim.sgd(1.0)).update(np.ones(1), None),
            r"master_params.update: params must be given for the way to their copy",
        ),
    ],
)
def test_what_is_wrong_is_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()
