import flax.linen
import jax
import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, set_weights, value_and_gradients
from tests.funcdl.nn.laws import normal
from transforms import tree, vjp

KEY = random.key(0)


def bias(key, shape, dtype):
    return random.normal(key, shape, dtype)


def test_dense_general_equals_tensordot():
    x = normal(2, 3, 4, 5)
    layer = nn.dense_general((6, 2), axes=(-1, 1), bias_init=bias)
    params, _ = layer.init(KEY, x)
    assert params["kernel"].shape == (5, 3, 6, 2)
    expected = np.einsum("bijk,kiop->bjop", x, params["kernel"]) + params["bias"]
    np.testing.assert_allclose(layer(params, x), expected, rtol=1e-4, atol=1e-5)


def test_dense_general_and_einsum_equal_flax():
    x = normal(2, 3, 4, 5)
    cases = [
        (
            nn.dense_general((6, 2), axes=(1, -1), bias_init=bias),
            flax.linen.DenseGeneral((6, 2), axis=(1, -1)),
        ),
        (
            nn.einsum("bijk,jkl->bil", (4, 5, 6), bias_shape=(6,), bias_init=bias),
            flax.linen.Einsum((4, 5, 6), "bijk,jkl->bil"),
        ),
    ]
    for layer, theirs in cases:
        params, _ = layer.init(KEY, x)
        y, pullback = vjp(layer, params, x)

        @jax.jit
        def by_flax(params, x, theirs=theirs):
            y, pullback = jax.vjp(lambda params, x: theirs.apply({"params": params}, x), params, x)
            return y, *pullback(jax.numpy.sin(y))

        got, expected = (y, *pullback(np.sin(y))), by_flax(params, x)
        for mine, other in zip(tree.leaves(got), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


def test_dense_general_of_one_axis_is_dense():
    x = normal(2, 3, 4)
    params, _ = nn.dense(5).init(KEY, x)
    general, _ = nn.dense_general((5,)).init(KEY, x)
    np.testing.assert_array_equal(general["kernel"], params["kernel"])
    np.testing.assert_allclose(
        nn.dense_general((5,))(general, x), nn.dense(5)(params, x), rtol=1e-5, atol=1e-6
    )


def test_dense_general_starts_with_the_variance_of_all_inputs():
    kernel = nn.dense_general((50, 50), axes=(-2, -1)).init(KEY, normal(1, 10, 10))[0]["kernel"]
    assert np.std(kernel) == pytest.approx(0.1, rel=0.02)


def test_einsum():
    x = normal(3, 2, 4)
    layer = nn.einsum("bhi,hio->bho", (2, 4, 5), bias_shape=(2, 5), bias_init=bias)
    params, _ = layer.init(KEY, x)
    expected = np.stack([x[:, h] @ params["kernel"][h] for h in range(2)], axis=1) + params["bias"]
    np.testing.assert_allclose(layer(params, x), expected, rtol=1e-5, atol=1e-5)
    assert list(nn.einsum("bhi,hio->bho", (2, 4, 5)).init(KEY, x)[0]) == ["kernel"]


@pytest.mark.parametrize("shape", [(6,), (2, 6)], ids=str)
def test_bilinear_equals_torch(shape):
    first, second = normal(*shape, 3, seed=1), normal(*shape, 4, seed=2)
    layer = nn.bilinear(5, bias_init=bias)
    params, _ = layer.init(KEY, (first, second))
    module = import_torch().nn.Bilinear(3, 4, 5)
    set_weights(module, weight=np.moveaxis(params["kernel"], -1, 0), bias=params["bias"])
    expected = value_and_gradients(module, first, second)
    assert_same(ours(lambda a, b: layer(params, (a, b)), first, second), expected)


def test_misuse():
    x = normal(2, 3, 4)
    with pytest.raises(ValueError, match=r"general: x must have the axes \(3,\), got shape \(2, 3, 4\)"):
        nn.dense_general((2,), axes=(3,)).init(KEY, x)
    params, _ = nn.dense_general((2,), axes=(1,)).init(KEY, x)
    with pytest.raises(
        ValueError, match=r"the axes \(1,\) of x must have the lengths .* x of shape \(2, 4, 3"
    ):
        nn.dense_general((2,), axes=(1,))(params, np.swapaxes(x, 1, 2))
    with pytest.raises(ValueError, match="einsum: equation must be of two operands, got 'i->j'"):
        nn.einsum("i->j", (2,))
    with pytest.raises(TypeError, match="bilinear: x must be a pair of arrays, got a ndarray"):
        nn.bilinear(2).init(KEY, x)
    params, _ = nn.bilinear(2).init(KEY, (x, x))
    with pytest.raises(ValueError, match=r"the last axes of x must have the lengths \(4, 4\), got"):
        nn.bilinear(2)(params, (x, x[..., :3]))
