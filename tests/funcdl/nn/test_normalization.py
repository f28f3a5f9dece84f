import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, set_weights, value_and_gradients
from tests.funcdl.nn.laws import normal
from transforms import jit

KEY = random.key(0)
SCALE, BIAS = normal(4, seed=1), normal(4, seed=2)


def torch_norm(name, channels=4):
    nn_ = import_torch().nn
    return {
        "layer_norm": lambda: nn_.LayerNorm(channels),
        "rms_norm": lambda: nn_.RMSNorm(channels, eps=1e-6),
        "group_norm": lambda: nn_.GroupNorm(2, channels),
        "instance_norm": lambda: nn_.InstanceNorm2d(channels, affine=True),
    }[name]()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("layer_norm", (3, 4)),
        ("layer_norm", (2, 3, 4)),
        ("rms_norm", (3, 4)),
        ("group_norm", (2, 3, 5, 4)),
        ("instance_norm", (2, 3, 5, 4)),
    ],
    ids=str,
)
def test_equals_torch(name, shape):
    module = torch_norm(name)
    params = {"scale": SCALE} if name == "rms_norm" else {"scale": SCALE, "bias": BIAS}
    set_weights(module, weight=SCALE, **({} if name == "rms_norm" else {"bias": BIAS}))
    layer = nn.group_norm(2) if name == "group_norm" else getattr(nn, name)()
    x = normal(*shape) * 3 + 1
    axis = 1 if name in ("group_norm", "instance_norm") else -1
    expected = value_and_gradients(lambda x: module(x.movedim(-1, axis)).movedim(axis, -1), x)
    assert_same(ours(lambda x: layer(params, x), x), expected)


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 5, 4)], ids=str)
def test_batch_norm_equals_torch(shape):
    torch = import_torch()
    module = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(4, momentum=0.25)
    set_weights(module, weight=SCALE, bias=BIAS)
    layer = nn.batch_norm(momentum=0.75)
    x, params = normal(*shape) * 3 + 1, {"scale": SCALE, "bias": BIAS}
    _, state = layer.init(KEY, x)
    expected = value_and_gradients(lambda x: module(x.movedim(-1, 1)).movedim(1, -1), x)
    got = ours(lambda x: layer.apply(params, state, x, training=True)[0], x)
    assert_same(got, expected)

    _, state = layer.apply(params, state, x, training=True)
    np.testing.assert_allclose(state["mean"], module.running_mean, rtol=1e-5)
    count = x.size // 4
    unbiased = 0.75 + (state["variance"] - 0.75) * count / (count - 1)
    np.testing.assert_allclose(unbiased, module.running_var, rtol=1e-5)

    set_weights(module, running_var=state["variance"])
    module.eval()
    expected = value_and_gradients(lambda x: module(x.movedim(-1, 1)).movedim(1, -1), x)
    assert_same(ours(lambda x: layer.apply(params, state, x)[0], x), expected)


def test_batch_norm_averages_converge_under_jit():
    layer = nn.batch_norm(momentum=0.5)
    x = normal(100, 4) * 3 + 1
    params, state = layer.init(KEY, x)
    step = jit(lambda state: layer.apply(params, state, x, training=True)[1])
    for _ in range(30):
        state = step(state)
    np.testing.assert_allclose(state["mean"], x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(state["variance"], x.var(0), rtol=1e-5)


def test_layers_without_scale_and_bias_have_no_params():
    x = normal(3, 4)
    for layer in (nn.layer_norm(use_scale=False, use_bias=False), nn.rms_norm(use_scale=False)):
        assert layer.init(KEY, x) == ((), ())
        np.testing.assert_allclose(np.mean(np.square(layer((), x)), -1), np.ones(3), rtol=1e-3)
    assert list(nn.layer_norm(use_scale=False).init(KEY, x)[0]) == ["bias"]


def test_unit_norm_of_zeros_has_a_derivative():
    torch = import_torch()
    x = np.concatenate([normal(3, 4), np.zeros((1, 4), np.float32)])
    got = ours(lambda x: nn.unit_norm()((), x), x)
    assert_same(got, value_and_gradients(lambda x: torch.nn.functional.normalize(x, dim=-1), x))


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_integers_are_cast(dtype):
    x = np.arange(8).astype(dtype).reshape(2, 4)
    for layer in (nn.layer_norm(), nn.batch_norm()):
        params, state = layer.init(KEY, x)
        assert layer.apply(params, state, x, training=True)[0].dtype == np.float32


def test_misuse():
    x = normal(3, 4)
    with pytest.raises(ValueError, match=r"layer_norm: x must have the shape \(batch, ..., features\), got"):
        nn.layer_norm().init(KEY, np.ones(3, np.float32))
    with pytest.raises(ValueError, match="group_norm: groups must be a positive integer, got 0"):
        nn.group_norm(0)
    params, _ = nn.group_norm(3).init(KEY, x)
    with pytest.raises(ValueError, match=r"groups must divide the channels of x, of shape \(3, 4\), got 3"):
        nn.group_norm(3)(params, x)
    with pytest.raises(ValueError, match=r"batch_norm: momentum must be in \[0, 1\), got 1"):
        nn.batch_norm(momentum=1)
    params, _ = nn.layer_norm().init(KEY, x)
    text = r"layer_norm: the last axis of x must have length 4, .*, got x of shape \(3, 1\)"
    with pytest.raises(ValueError, match=text):
        nn.layer_norm()(params, x[:, :1])
