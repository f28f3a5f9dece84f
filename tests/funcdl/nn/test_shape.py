import numpy as np
import pytest

from funcdl import nn, random

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3), (2,), (0, 3, 4)], ids=str)
def test_flatten_joins_all_axes_but_the_first(shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    expected = [np.ravel(example) for example in x]
    np.testing.assert_array_equal(nn.flatten(x), np.reshape(expected, (shape[0], int(np.prod(shape[1:])))))


def test_reshape_keeps_the_order():
    np.testing.assert_array_equal(nn.reshape((4, 3))((), X), [example.reshape(4, 3) for example in X])


def test_reshape_undoes_flatten():
    model = nn.serial(nn.flatten, nn.reshape((3, 4)))
    params, _ = model.init(random.key(0), X)
    np.testing.assert_array_equal(model(params, X), X)


def test_reshape_to_another_size_is_refused():
    with pytest.raises(
        ValueError, match=r"reshape: x must have 10 elements per example, got shape \(2, 3, 4\)"
    ):
        nn.reshape((2, 5))((), X)


def test_lengths_must_be_positive():
    with pytest.raises(ValueError, match=r"reshape: each length of shape must be a positive integer, got -1"):
        nn.reshape((2, -1))
