import colorsys

import numpy as np
import pytest

from funcdl import augment, random
from transforms import vmap

GENERATOR = np.random.default_rng(2)
IMAGE = GENERATOR.uniform(size=(6, 5, 3))
PURE = np.array([[[a, b, c] for a in (0.0, 0.5, 1.0) for b in (0.0, 0.5, 1.0)] for c in (0.0, 0.5, 1.0)])
KEYS = random.split(random.key(2), 200)


def brightness_of(pixel):
    red, green, blue = pixel
    return 0.299 * red + 0.587 * green + 0.114 * blue


def between(base, value, factor):
    """The blend of two values by which PyTorch's image transforms are defined."""
    return min(max(factor * value + (1 - factor) * base, 0.0), 1.0)


def each_pixel(function, image):
    return np.array([[function(pixel) for pixel in row] for row in image])


@pytest.mark.parametrize("image", [IMAGE, PURE], ids=["random", "pure"])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
def test_blends(image, factor):
    mean = np.mean([[brightness_of(pixel) for pixel in row] for row in image])
    np.testing.assert_allclose(
        augment.adjust_brightness(image, factor),
        each_pixel(lambda pixel: [between(0.0, value, factor) for value in pixel], image),
    )
    np.testing.assert_allclose(
        augment.adjust_contrast(image, factor),
        each_pixel(lambda pixel: [between(mean, value, factor) for value in pixel], image),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        augment.adjust_saturation(image, factor),
        each_pixel(lambda pixel: [between(brightness_of(pixel), v, factor) for v in pixel], image),
        atol=1e-12,
    )


@pytest.mark.parametrize("image", [IMAGE, PURE], ids=["random", "pure"])
@pytest.mark.parametrize("turn", [0.0, 0.1, -0.3, 0.5, 1.0])
def test_hue_is_that_of_colorsys(image, turn):
    def turned(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + turn) % 1.0, saturation, value)

    np.testing.assert_allclose(augment.adjust_hue(image, turn), each_pixel(turned, image), atol=1e-12)


def test_grayscale():
    np.testing.assert_allclose(augment.grayscale(IMAGE)[..., 0], each_pixel(brightness_of, IMAGE))
    one_channel = IMAGE[..., :1]
    np.testing.assert_array_equal(augment.grayscale(one_channel), one_channel)


def test_contrast_of_one_channel():
    image = IMAGE[..., :1]
    expected = np.clip(image.mean() + 0.3 * (image - image.mean()), 0, 1)
    np.testing.assert_allclose(augment.adjust_contrast(image, 0.3), expected)


def test_the_factors_are_uniform():
    gray = np.full((1, 1, 3), 0.25, np.float32)
    results = vmap(lambda key: augment.color_jitter(key, gray, brightness=0.8))(KEYS)
    factors = results[:, 0, 0, 0] / 0.25
    assert 0.2 <= factors.min() < 0.25
    assert 1.75 < factors.max() <= 1.8
    assert abs(factors.mean() - 1.0) < 0.1


def test_each_adjustment_is_left_out_at_zero():
    image = IMAGE.astype(np.float32)
    np.testing.assert_array_equal(augment.color_jitter(KEYS[0], image), image)
    turned = augment.color_jitter(KEYS[0], image, hue=0.2)
    np.testing.assert_allclose(turned.max(axis=-1), image.max(axis=-1), atol=1e-6)
    assert not np.allclose(turned, image)
    gray = augment.color_jitter(KEYS[0], image[..., :1], brightness=0.5, contrast=0.5)
    assert gray.shape == (6, 5, 1)


def test_the_adjustments_come_one_after_the_other():
    image = IMAGE.astype(np.float32)
    keys = random.split(KEYS[1], 4)
    factor = [random.uniform(key, (), np.float32, 0.5, 1.5) for key in keys[:3]]
    expected = augment.adjust_brightness(image, factor[0])
    expected = augment.adjust_contrast(expected, factor[1])
    expected = augment.adjust_saturation(expected, factor[2])
    expected = augment.adjust_hue(expected, random.uniform(keys[3], (), np.float32, -0.1, 0.1))
    options = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.1}
    np.testing.assert_allclose(augment.color_jitter(KEYS[1], image, **options), expected, atol=1e-6)
