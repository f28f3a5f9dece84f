import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, value_and_gradients
from tests.funcdl.nn.laws import normal

KEY = random.key(0)
X = normal(5, 4)


def test_spectral_norm_equals_torch():
    torch = import_torch()
    layer = nn.spectral_norm(nn.dense(3))
    params, state = layer.init(KEY, X)
    kernel = params["kernel"]
    vectors = state["vectors"]["kernel"]
    module = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 3, bias=False))
    norm = module.parametrizations.weight[0]
    norm._u.copy_(torch.tensor(np.array(vectors["output"])))
    norm._v.copy_(torch.tensor(np.array(vectors["input"])))

    def by_torch(x, weight):
        with torch.no_grad():
            # The module's own parameter takes part in no product: its parametrization is applied by hand.
            module.parametrizations.weight.original.copy_(weight.T)
        return x @ norm(weight.T).T

    for training in (False, True):
        module.train(training)
        expected = value_and_gradients(by_torch, X, kernel)

        def apply(x, kernel, training=training):
            return layer.apply({**params, "kernel": kernel}, state, x, training=training)[0]

        assert_same(ours(apply, X, kernel), expected)
    _, after = layer.apply(params, state, X, training=True)
    np.testing.assert_allclose(after["vectors"]["kernel"]["output"], norm._u, rtol=1e-4)


def test_spectral_norm_finds_the_largest_singular_value():
    layer = nn.spectral_norm(nn.conv(3, (2, 2), use_bias=False), iterations=50)
    x = normal(1, 4, 4, 2)
    params, state = layer.init(KEY, x)
    y, _ = layer.apply(params, state, x, training=True)
    sigma = np.linalg.svd(params["kernel"].reshape(-1, 3), compute_uv=False)[0]
    expected = nn.conv(3, (2, 2), use_bias=False)({"kernel": params["kernel"] / sigma}, x)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_weight_norm_equals_torch():
    torch = import_torch()
    layer = nn.weight_norm(nn.dense(3, use_bias=False))
    params, _ = layer.init(KEY, X)
    scale = normal(3, seed=3)
    module = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3, bias=False))
    norm = module.parametrizations.weight[0]
    kernel = params["layer"]["kernel"]
    expected = value_and_gradients(lambda x, k, g: x @ norm(g[:, None], k.T).T, X, kernel, scale)
    got = ours(lambda x, k, g: layer({"layer": {"kernel": k}, "scale": {"kernel": g}}, x), X, kernel, scale)
    assert_same(got, expected)


def test_weight_norm_starts_as_the_layer():
    inner = nn.serial(nn.dense(3), nn.tanh, nn.dense(2))
    layer = nn.weight_norm(inner)
    params, _ = layer.init(KEY, X)
    assert list(params["scale"]) == ["0/kernel", "2/kernel"]
    np.testing.assert_allclose(layer(params, X), inner(params["layer"], X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrap", [nn.spectral_norm, nn.weight_norm])
def test_a_layer_without_a_kernel_is_refused(wrap):
    text = rf"{wrap.__name__}: the layer must have a kernel, got relu with parameters \[\]"
    with pytest.raises(ValueError, match=text):
        wrap(nn.relu).init(KEY, X)
