import numpy as np
import pytest

from funcdl import functional, nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, value_and_gradients
from tests.funcdl.nn.laws import normal

KEY = random.key(0)
IMAGES = normal(2, 6, 5, 4)


def bias(key, shape, dtype):
    return random.normal(key, shape, dtype)


def test_conv_adds_a_bias():
    layer = nn.conv(6, (3, 2), strides=(2, 1), padding=1, dilation=(1, 2), groups=2, bias_init=bias)
    params, _ = layer.init(KEY, IMAGES)
    assert (params["kernel"].shape, params["bias"].shape) == ((3, 2, 2, 6), (6,))
    y = functional.conv(IMAGES, params["kernel"], strides=(2, 1), padding=1, dilation=(1, 2), groups=2)
    np.testing.assert_allclose(layer(params, IMAGES), y + params["bias"], rtol=1e-6)


def test_padding_keeps_lengths_unless_told():
    assert nn.conv(6, (3, 2)).init(KEY, IMAGES)[0]["kernel"].shape == (3, 2, 4, 6)
    layer = nn.conv(6, (3, 2), use_bias=False)
    params, _ = layer.init(KEY, IMAGES)
    assert list(params) == ["kernel"]
    np.testing.assert_array_equal(
        layer(params, IMAGES), functional.conv(IMAGES, params["kernel"], padding="SAME")
    )


def test_conv_transpose_adds_a_bias():
    layer = nn.conv_transpose(3, (3, 2), strides=2, padding="VALID", dilation=2, bias_init=bias)
    params, _ = layer.init(KEY, IMAGES)
    y = functional.conv_transpose(IMAGES, params["kernel"], strides=2, padding="VALID", dilation=2)
    np.testing.assert_allclose(layer(params, IMAGES), y + params["bias"], rtol=1e-6)


def test_depthwise_convolves_each_channel_by_itself():
    layer = nn.depthwise_conv((3, 3), multiplier=2, bias_init=bias)
    params, _ = layer.init(KEY, IMAGES)
    kernel = params["kernel"]
    assert kernel.shape == (3, 3, 1, 8)
    alone = [
        functional.conv(IMAGES[..., c : c + 1], kernel[..., 2 * c : 2 * c + 2], padding="SAME")
        for c in range(4)
    ]
    expected = np.concatenate(alone, axis=-1) + params["bias"]
    np.testing.assert_allclose(layer(params, IMAGES), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [(3,), (3, 2), (2, 1, 2)], ids=str)
def test_depthwise_and_separable_equal_torch(window):
    torch = import_torch()
    x = normal(2, *(5, 4, 3)[: len(window)], 4)
    layer = nn.separable_conv(3, window, multiplier=2, padding="VALID", bias_init=bias)
    params, _ = layer.init(KEY, x)
    convolve = [torch.conv1d, torch.conv2d, torch.conv3d][len(window) - 1]

    def theirs(x, depthwise, pointwise, add):
        y = convolve(x.movedim(-1, 1), depthwise.movedim((-1, -2), (0, 1)), groups=4)
        return convolve(y, pointwise.movedim((-1, -2), (0, 1)), add).movedim(1, -1)

    def mine(x, depthwise, pointwise, add):
        return layer({"depthwise": {"kernel": depthwise}, "pointwise": {"kernel": pointwise, "bias": add}}, x)

    pointwise = params["pointwise"]
    arrays = (x, params["depthwise"]["kernel"], pointwise["kernel"], pointwise["bias"])
    assert_same(ours(mine, *arrays), value_and_gradients(theirs, *arrays))


def test_separable_is_depthwise_and_then_pointwise():
    layer = nn.separable_conv(3, (3, 3), multiplier=2, strides=2, bias_init=bias)
    params, _ = layer.init(KEY, IMAGES)
    assert params["depthwise"]["kernel"].shape == (3, 3, 1, 8)
    middle = nn.depthwise_conv((3, 3), multiplier=2, strides=2, use_bias=False)(params["depthwise"], IMAGES)
    expected = middle @ params["pointwise"]["kernel"][0, 0] + params["pointwise"]["bias"]
    np.testing.assert_allclose(layer(params, IMAGES), expected, rtol=1e-5, atol=1e-5)


def test_integer_images_are_cast():
    x = np.ones((1, 4, 4, 3), np.uint8)
    layer = nn.conv(2, (3, 3))
    params, _ = layer.init(KEY, x)
    assert layer(params, x).dtype == params["kernel"].dtype == np.float32


def test_spatial_axes_must_be_those_of_the_window():
    text = (
        r"conv: x must have 2 spatial axes, as many as the window \(3, 3\), between the batch and the "
        r"channels, got shape \(2, 6, 4\)"
    )
    with pytest.raises(ValueError, match=text):
        nn.conv(3, (3, 3)).init(KEY, normal(2, 6, 4))


def test_misuse():
    with pytest.raises(TypeError, match="conv: window must be a tuple of positive integers, got 3"):
        nn.conv(3, 3)
    with pytest.raises(ValueError, match="conv: each entry of window must be a positive integer, got 0"):
        nn.conv(3, (3, 0))
    with pytest.raises(ValueError, match=r"conv: window must be a tuple of positive integers, got an empty"):
        nn.conv(3, ())
    with pytest.raises(ValueError, match="conv: features must be a multiple of 2 groups, got 3"):
        nn.conv(3, (3, 3), groups=2)
    with pytest.raises(ValueError, match="conv: the channels of x must divide into 3 groups, got 4"):
        nn.conv(3, (3, 3), groups=3).init(KEY, IMAGES)
