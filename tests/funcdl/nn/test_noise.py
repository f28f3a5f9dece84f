import jax
import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.laws import normal

KEY, JAX_KEY = random.key(3), jax.random.PRNGKey(3)
X = normal(4, 5, 5, 3)
LAYERS = {
    "spatial_dropout": nn.spatial_dropout(0.25),
    "alpha_dropout": nn.alpha_dropout(0.25),
    "gaussian_noise": nn.gaussian_noise(0.25),
    "gaussian_dropout": nn.gaussian_dropout(0.25),
}


def train(name, x):
    return LAYERS[name].apply((), (), x, key=KEY, training=True)[0]


def test_spatial_dropout_drops_channels():
    mask = np.asarray(jax.random.bernoulli(JAX_KEY, 0.75, (4, 1, 1, 3)))
    assert 0 < mask.sum() < mask.size
    np.testing.assert_allclose(train("spatial_dropout", X), X * mask / 0.75, rtol=1e-6)


def test_alpha_dropout_drops_to_the_limit():
    x = np.asarray(random.normal(random.key(1), (100_000,)))
    y = train("alpha_dropout", x)
    assert (y.mean(), y.var()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    mask = np.asarray(jax.random.bernoulli(JAX_KEY, 0.75, x.shape))
    dropped = np.unique(y[~mask])
    assert dropped.size == 1
    # The affine map is the one that undoes the mean and the variance which the limit brings in.
    limit = float(nn.selu(np.float64(-100)))
    variance = 0.75 + limit**2 * 0.75 * 0.25
    expected = (np.where(mask, x, limit) - 0.25 * limit) / np.sqrt(variance)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_gaussian_noise_adds():
    noise = np.asarray(jax.random.normal(JAX_KEY, X.shape))
    np.testing.assert_allclose(train("gaussian_noise", X), X + 0.25 * noise, rtol=1e-4, atol=1e-5)


def test_gaussian_dropout_multiplies():
    noise = np.asarray(jax.random.normal(JAX_KEY, X.shape))
    expected = X * (1 + np.sqrt(0.25 / 0.75) * noise)
    np.testing.assert_allclose(train("gaussian_dropout", X), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_happens_when_not_training(name):
    assert LAYERS[name]((), X) is X
    with pytest.raises(ValueError, match=f"{name}: key must be given while training, got None"):
        LAYERS[name].apply((), (), X, training=True)


def test_misuse():
    for make in (nn.spatial_dropout, nn.alpha_dropout, nn.gaussian_dropout):
        with pytest.raises(ValueError, match=r"dropout: rate must be in \[0, 1\), got 1"):
            make(1)
    for stddev in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="gaussian_noise: stddev must be at least 0 and finite, got"):
            nn.gaussian_noise(stddev)
