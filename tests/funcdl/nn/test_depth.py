import jax
import numpy as np
import pytest

from funcdl import nn, random
from transforms import tree, vjp

KEY = random.key(3)
X = np.linspace(1, 2, 40 * 6, dtype=np.float32).reshape(40, 2, 3)


def test_stochastic_depth_leaves_out_whole_examples():
    mask = np.asarray(jax.random.bernoulli(jax.random.PRNGKey(3), 0.75, (40, 1, 1)))
    assert 0 < mask.sum() < 40
    y, pullback = vjp(lambda x: nn.stochastic_depth(0.25).apply((), (), x, key=KEY, training=True)[0], X)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, mask * X / 0.75, rtol=1e-6)
    np.testing.assert_allclose(pullback(X)[0], mask * X / 0.75, rtol=1e-6)


def test_stochastic_depth_does_nothing_when_not_training():
    layer = nn.stochastic_depth(0.5)
    assert layer.init(KEY, X) == ((), ())
    assert layer((), X) is X


def test_a_residual_branch_is_left_out():
    layer = nn.residual(nn.serial(nn.dense(3), nn.stochastic_depth(0.5)))
    params, state = layer.init(KEY, X)
    y, _ = layer.apply(params, state, X, key=KEY, training=True)
    left_out = np.all(y == X, axis=(1, 2))
    assert 0 < left_out.sum() < 40
    whole = X + 2 * (X @ params["layer"][0]["kernel"] + params["layer"][0]["bias"])
    np.testing.assert_allclose(y[~left_out], whole[~left_out], rtol=1e-5)


def test_misuse_of_stochastic_depth():
    with pytest.raises(ValueError, match=r"^stochastic_depth: rate must be in \[0, 1\), got 1.0"):
        nn.stochastic_depth(1.0)
    with pytest.raises(ValueError, match=r"^stochastic_depth: key must be given while training, got None"):
        nn.stochastic_depth(0.5).apply((), (), X, training=True)


def test_layer_scale_begins_with_next_to_nothing_and_learns():
    layer = nn.layer_scale()
    params, _ = layer.init(KEY, X)
    assert tree.map(np.shape, params) == {"scale": (3,)}
    np.testing.assert_allclose(params["scale"], 1e-5)
    y, pullback = vjp(layer, params, X)
    np.testing.assert_allclose(y, 1e-5 * X, rtol=1e-6)
    np.testing.assert_allclose(pullback(np.ones_like(X))[0]["scale"], X.sum((0, 1)), rtol=1e-5)


def test_layer_scale_of_other_features_is_refused():
    layer = nn.layer_scale()
    with pytest.raises(ValueError, match=r"^layer_scale: the last axis of x must have length 3"):
        layer(layer.init(KEY, X)[0], X[..., :2])
