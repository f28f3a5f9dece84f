import functools

import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.laws import normal
from transforms import tree

KEY = random.key(0)
X, Z = normal(3, 4, seed=1), normal(3, 5, seed=2)


def test_parallel_gives_each_layer_its_input():
    model = nn.parallel(nn.dense(2), nn.serial(nn.dense(3), nn.relu))
    params, _ = model.init(KEY, (X, Z))
    assert tree.paths(params) == ["0/bias", "0/kernel", "1/0/bias", "1/0/kernel"]
    first, second = model(params, (X, Z))
    np.testing.assert_allclose(first, X @ params[0]["kernel"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, np.maximum(Z @ params[1][0]["kernel"], 0), rtol=1e-5, atol=1e-6)


def test_branches_are_joined_by_the_next_layer():
    join = functools.partial(np.concatenate, axis=-1)
    model = nn.serial(nn.branch(nn.dense(2), np.tanh), join)
    params, _ = model.init(KEY, X)
    expected = np.concatenate([X @ params[0][0]["kernel"], np.tanh(X)], axis=-1)
    np.testing.assert_allclose(model(params, X), expected, rtol=1e-5, atol=1e-6)


def test_residual_adds_the_input_or_a_shortcut():
    model = nn.residual(nn.dense(4))
    params, _ = model.init(KEY, X)
    assert tree.paths(params) == ["layer/bias", "layer/kernel"]
    np.testing.assert_allclose(model(params, X), X @ params["layer"]["kernel"] + X, rtol=1e-5, atol=1e-6)
    model = nn.residual(nn.dense(2), nn.dense(2, use_bias=False))
    params, _ = model.init(KEY, X)
    expected = X @ params["layer"]["kernel"] + X @ params["shortcut"]["kernel"]
    np.testing.assert_allclose(model(params, X), expected, rtol=1e-5, atol=1e-6)


def test_shared_has_one_set_of_parameters():
    model = nn.shared(nn.dense(2))
    params, _ = model.init(KEY, (X, 2 * X))
    first, second = model(params, (X, 2 * X))
    np.testing.assert_allclose(second, 2 * first, rtol=1e-5, atol=1e-6)


def test_state_goes_through():
    norm = nn.batch_norm(momentum=0.5)
    params, state = nn.branch(norm, nn.relu, norm).init(KEY, X)
    _, state = nn.branch(norm, nn.relu, norm).apply(params, state, X, training=True)
    np.testing.assert_allclose(state[0]["mean"], X.mean(0) / 2, rtol=1e-5)
    assert state[1] == ()
    params, state = nn.shared(norm).init(KEY, (X, X))
    _, state = nn.shared(norm).apply(params, state, (X, X), training=True)
    np.testing.assert_allclose(state["mean"], X.mean(0) * 0.75, rtol=1e-5)


def test_applications_draw_from_keys_of_their_own():
    x = np.ones((1, 100), np.float32)
    for model, given in (
        (nn.branch(nn.dropout(0.5), nn.dropout(0.5)), x),
        (nn.shared(nn.dropout(0.5)), (x, x)),
    ):
        params, state = model.init(KEY, given)
        (first, second), _ = model.apply(params, state, given, key=KEY, training=True)
        assert not np.array_equal(first, second)


def test_misuse():
    with pytest.raises(TypeError, match="parallel: the input must be a tuple of arrays, got a ndarray"):
        nn.parallel(nn.relu).init(KEY, X)
    with pytest.raises(
        ValueError, match="parallel: the input must have 2 entries, one for each layer, got 1"
    ):
        nn.parallel(nn.relu, nn.relu).init(KEY, (X,))
    with pytest.raises(ValueError, match="shared: the input must have one entry or more, got 0"):
        nn.shared(nn.relu).init(KEY, ())
    with pytest.raises(TypeError, match="branch/1: each part must be a layer or a function"):
        nn.branch(nn.relu, 3)
    params, _ = nn.residual(nn.dense(2)).init(KEY, X)
    with pytest.raises(
        ValueError, match=r"residual: what the layer gives must have the shape of the shortcut, "
    ):
        nn.residual(nn.dense(2))(params, X)
    params, _ = nn.residual(nn.dense(4)).init(KEY, X)
    with pytest.raises(ValueError, match=r"^serial/0 \(residual\)/layer \(dense\): the last axis of x must"):
        nn.serial(nn.residual(nn.dense(4)))((params,), Z)


def test_lambda_has_a_name():
    with pytest.raises(ValueError, match=r"^serial/0 \(heads\): "):
        nn.serial(nn.lambda_(lambda x: x.reshape(3, 3), name="heads"))(((),), X)
    assert nn.lambda_(np.tanh).name == "tanh"
    with pytest.raises(
        TypeError, match="lambda_: function must be a function of an array, got the layer dense"
    ):
        nn.lambda_(nn.dense(3))
