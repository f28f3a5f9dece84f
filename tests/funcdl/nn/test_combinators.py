import jax
import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.test_layer import counter
from transforms import ArrayType, eval_shape, grad, tree, type_of, vmap

KEY = random.key(0)
X = np.linspace(-1, 1, 8 * 4, dtype=np.float32).reshape(8, 4)


def test_serial_applies_one_after_the_other():
    model = nn.serial(nn.dense(5), nn.tanh, nn.dense(3))
    params, state = model.init(KEY, X)
    first, nothing, second = params
    assert (nothing, state) == ((), ())
    expected = np.tanh(X @ first["kernel"] + first["bias"]) @ second["kernel"] + second["bias"]
    np.testing.assert_allclose(model(params, X), expected, rtol=1e-6)


def test_paths_of_params():
    params, _ = nn.serial(nn.relu, nn.serial(nn.dense(2), nn.relu), nn.dense(1)).init(KEY, X)
    assert tree.paths(params) == ["1/0/bias", "1/0/kernel", "2/bias", "2/kernel"]


def test_init_takes_a_type_for_the_batch():
    model = nn.serial(nn.flatten, nn.dense(5), nn.relu, nn.dense(3))
    x = np.zeros((8, 2, 2), np.float32)
    by_array, by_type = model.init(KEY, x)[0], model.init(KEY, ArrayType(x.shape, x.dtype))[0]
    tree.map(np.testing.assert_array_equal, by_array, by_type)


def test_layers_start_from_keys_of_their_own():
    model = nn.serial(nn.dense(4, use_bias=False), nn.dense(4, use_bias=False))
    first, second = tree.leaves(model.init(KEY, X)[0])
    assert not np.array_equal(first, second)
    keys = jax.random.split(jax.random.PRNGKey(0), 2)
    for key, kernel in zip(keys, (first, second), strict=True):
        expected = jax.nn.initializers.lecun_normal()(jax.random.split(key)[0], (4, 4))
        np.testing.assert_allclose(kernel, expected, rtol=1e-5)


def test_layers_draw_from_keys_of_their_own():
    model = nn.serial(nn.dropout(0.5), nn.dropout(0.5))
    y, _ = model.apply(((), ()), (), np.ones((100, 100)), key=KEY, training=True)
    assert set(np.unique(y)) == {0.0, 4.0}
    assert y.mean() == pytest.approx(1, abs=0.1)


def test_state_goes_through():
    model = nn.serial(nn.relu, counter(), nn.serial(counter()))
    params, state = model.init(KEY, X)
    assert tree.paths(state) == ["1/count", "2/0/count"]
    _, state = model.apply(params, state, X, training=True)
    _, state = model.apply(params, state, X)
    assert tree.leaves(state) == [1, 1]


def test_types_and_ensembles():
    model = nn.serial(nn.dense(5), nn.dropout(0.5), nn.relu, nn.drop_connect(nn.dense(3), 0.5), nn.prelu())
    keys = random.split(KEY, 3)

    def train(key):
        params, state = model.init(key, X)
        return model.apply(params, state, X, key=key, training=True)[0]

    def slope(key):
        return grad(lambda params: np.sum(model(params, X)))(model.init(key, X)[0])

    outs, grads = vmap(train)(keys), vmap(slope)(keys)
    assert eval_shape(train, KEY) == type_of(train(KEY))
    for index, key in enumerate(keys):
        np.testing.assert_allclose(outs[index], train(key), rtol=1e-5, atol=1e-6)
        alone = tree.leaves(slope(key))
        for mine, batched in zip(alone, tree.leaves(grads), strict=True):
            np.testing.assert_allclose(batched[index], mine, rtol=1e-5, atol=1e-5)


def test_serial_of_nothing_is_the_identity():
    model = nn.serial()
    assert model.init(KEY, X) == ((), ())
    assert model((), X) is X


def test_an_error_while_initializing_has_the_path():
    text = r"^serial/1 \(serial\)/0 \(reshape\): x must have 7 elements per example, got shape \(8, 5\)$"
    with pytest.raises(ValueError, match=text):
        nn.serial(nn.dense(5), nn.serial(nn.reshape((7,)), nn.relu)).init(KEY, X)


def test_params_of_another_model_are_refused():
    model = nn.serial(nn.dense(5), nn.relu)
    text = r"serial: params must be a tuple of 2 entries, one for each layer, got a (dict|tuple) of length 1"
    for params in ({"kernel": X}, ({"kernel": X},)):
        with pytest.raises(ValueError, match=text):
            model(params, X)


def test_state_of_another_model_is_refused():
    with pytest.raises(
        ValueError, match=r"serial: state must be a tuple of 2 entries, .* got a tuple of length 0"
    ):
        nn.serial(counter(), nn.relu).apply(((), ()), (), X)
