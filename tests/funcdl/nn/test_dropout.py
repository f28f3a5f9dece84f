import jax
import numpy as np
import pytest

from funcdl import initializers, nn, random
from transforms import tree, vjp

KEY = random.key(3)
X = np.linspace(1, 2, 20 * 30, dtype=np.float32).reshape(20, 30)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_scales_what_it_keeps(dtype):
    x = X.astype(dtype)
    mask = np.asarray(jax.random.bernoulli(jax.random.PRNGKey(3), 0.75, x.shape))
    y, pullback = vjp(lambda x: nn.dropout(0.25).apply((), (), x, key=KEY, training=True)[0], x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, mask * x / 0.75, rtol=1e-6)
    np.testing.assert_allclose(pullback(x)[0], mask * x / 0.75, rtol=1e-6)


def test_dropout_keeps_the_mean():
    y, _ = nn.dropout(0.9).apply((), (), np.ones(100_000), key=KEY, training=True)
    assert y.mean() == pytest.approx(1, abs=0.03)


def test_dropout_of_nothing_is_the_identity():
    y, _ = nn.dropout(0).apply((), (), X, key=KEY, training=True)
    np.testing.assert_array_equal(y, X)


def test_dropout_does_nothing_when_not_training():
    layer = nn.dropout(0.5)
    assert layer.init(KEY, X) == ((), ())
    assert layer((), X) is X
    assert layer.apply((), (), X, key=KEY)[0] is X


@pytest.mark.parametrize("rate", [0.0, 0.5])
@pytest.mark.parametrize("name", ["dropout", "drop_connect"])
def test_training_without_a_key_is_refused(name, rate):
    layer = nn.dropout(rate) if name == "dropout" else nn.drop_connect(nn.dense(3), rate)
    params, state = layer.init(KEY, X)
    text = f"{name}: key must be given while training, got None; pass apply a key made by random.split"
    with pytest.raises(ValueError, match=f"^{text}"):
        layer.apply(params, state, X, training=True)
    with pytest.raises(ValueError, match=rf"^serial/0 \({name}\): key must be given while training"):
        nn.serial(layer).apply((params,), state, X, training=True)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, np.nan])
@pytest.mark.parametrize("make", [nn.dropout, lambda rate: nn.drop_connect(nn.dense(3), rate)])
def test_rates_out_of_range(make, rate):
    with pytest.raises(ValueError, match=rf"drop\w+: rate must be in \[0, 1\), got {rate}"):
        make(rate)


def test_a_rate_that_is_no_number():
    with pytest.raises(TypeError, match=r"dropout: rate must be a number in \[0, 1\), got array"):
        nn.dropout(X)


def test_a_rate_of_numpy_does_not_promote():
    y, _ = nn.dropout(np.float64(0.5)).apply((), (), X, key=KEY, training=True)
    assert y.dtype == np.float32


def test_drop_connect_masks_kernels_and_scales_what_it_keeps():
    layer = nn.drop_connect(nn.dense(50, bias_init=initializers.ones), 0.25)
    params, state = layer.init(KEY, X)
    y, _ = layer.apply(params, state, np.eye(30, dtype=np.float32), key=KEY, training=True)
    weights = y - params["bias"]
    kept = weights != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.05)
    np.testing.assert_allclose(weights[kept], params["kernel"][kept] / 0.75, rtol=1e-5, atol=1e-6)


def test_drop_connect_does_nothing_when_not_training():
    layer, inner = nn.drop_connect(nn.dense(3), 0.5), nn.dense(3)
    params, _ = layer.init(KEY, X)
    tree.map(np.testing.assert_array_equal, params, inner.init(KEY, X)[0])
    np.testing.assert_array_equal(layer(params, X), inner(params, X))


def test_drop_connect_reaches_into_models():
    inner = nn.serial(nn.dense(4, use_bias=False), nn.dropout(0.0), nn.dense(4, use_bias=False))
    layer = nn.drop_connect(inner, 0.5)
    params, state = layer.init(KEY, X)
    assert tree.paths(params) == ["0/kernel", "2/kernel"]
    ones = tree.map(np.ones_like, params)
    y, _ = layer.apply(ones, state, np.eye(30, dtype=np.float32), key=KEY, training=True)
    assert len(np.unique(y)) > 2


def test_drop_connect_without_a_kernel_is_refused():
    with pytest.raises(
        ValueError, match=r"drop_connect: the layer must have a kernel, got relu with parameters \[\]"
    ):
        nn.drop_connect(nn.relu, 0.5).init(KEY, X)
