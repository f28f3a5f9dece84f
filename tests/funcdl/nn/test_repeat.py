import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.laws import normal
from transforms import grad, tree

KEY = random.key(0)
X = normal(3, 4)
BLOCK = nn.residual(nn.serial(nn.dense(6), nn.tanh, nn.dense(4)))


def unstacked(params, times):
    return tuple(tree.map(lambda leaf, i=i: leaf[i], params) for i in range(times))


def test_equals_serial():
    deep, flat = nn.repeat(BLOCK, 4), nn.serial(*[BLOCK] * 4)
    params, _ = deep.init(KEY, X)
    np.testing.assert_allclose(deep(params, X), flat(unstacked(params, 4), X), rtol=1e-5, atol=1e-5)
    slopes = grad(lambda params: np.sum(np.square(deep(params, X))))(params)
    expected = grad(lambda params: np.sum(np.square(flat(params, X))))(unstacked(params, 4))
    for mine, other in zip(unstacked(slopes, 4), expected, strict=True):
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), mine, other)


def test_starts_as_serial():
    params, _ = nn.repeat(BLOCK, 3).init(KEY, X)
    expected, _ = nn.serial(*[BLOCK] * 3).init(KEY, X)
    tree.map(np.testing.assert_array_equal, unstacked(params, 3), expected)


def test_state_and_keys_are_those_of_each_step():
    block = nn.serial(nn.batch_norm(momentum=0.5), nn.dropout(0.5))
    deep, flat = nn.repeat(block, 3), nn.serial(block, block, block)
    params, state = deep.init(KEY, X)
    y, after = deep.apply(params, state, X, key=KEY, training=True)
    separate = unstacked(params, 3), unstacked(state, 3)
    expected, expected_state = flat.apply(*separate, X, key=KEY, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    for mine, other in zip(unstacked(after, 3), expected_state, strict=True):
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), mine, other)


def test_a_layer_without_params_can_be_repeated():
    np.testing.assert_allclose(nn.repeat(np.sin, 3)((), X), np.sin(np.sin(np.sin(X))), rtol=1e-5)


def test_misuse():
    params, _ = nn.repeat(nn.dense(3), 2).init(KEY, X)
    text = r"^serial/0 \(repeat\)/layer \(dense\): scan: the carry must keep its type float32\[3,4\], got"
    with pytest.raises(TypeError, match=text):
        nn.serial(nn.repeat(nn.dense(3), 2))((params,), X)
    with pytest.raises(ValueError, match="repeat: times must be a positive integer, got 0"):
        nn.repeat(nn.dense(4), 0)
