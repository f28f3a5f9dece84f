import jax
import jax.scipy.ndimage
import numpy as np
import pytest
from scipy import ndimage

from funcdl import augment, random
from transforms import check_grads, vmap

SHAPES = [(9, 7, 3), (6, 6, 1), (1, 5, 2), (4, 1, 1)]
KEYS = random.split(random.key(11), 300)


def image_of(shape, dtype=np.float64):
    return np.random.default_rng(3).normal(size=shape).astype(dtype)


def numbered(height, width):
    """An image whose pixels are all different, and none is zero."""
    return np.arange(1.0, height * width + 1).reshape(height, width, 1)


def sampled_by_jax(image, rows, columns, fill):
    sample = jax.scipy.ndimage.map_coordinates
    with jax.enable_x64(True):
        channels = [
            sample(image[..., c], [rows, columns], 1, "constant", fill) for c in range(image.shape[2])
        ]
        return np.stack(channels, axis=-1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fill", [0.0, -2.5])
def test_bilinear_is_that_of_jax_and_scipy(shape, fill):
    image = image_of(shape)
    rows, columns = np.random.default_rng(1).uniform(-2, 10, (2, 50))
    result = augment.bilinear(image, rows, columns, fill=fill)
    np.testing.assert_allclose(result, sampled_by_jax(image, rows, columns, fill), atol=1e-6)
    by_scipy = [
        ndimage.map_coordinates(channel, [rows, columns], order=1, mode="grid-constant", cval=fill)
        for channel in np.moveaxis(image, 2, 0)
    ]
    np.testing.assert_allclose(result, np.stack(by_scipy, axis=-1), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", [(0, 0), (2, -1), (0.25, 1.5), (-3.75, 100.0)])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_shift_is_that_of_scipy(shape, offset, fill):
    image = image_of(shape)
    expected = ndimage.shift(image, (*offset, 0), order=1, mode="grid-constant", cval=fill)
    np.testing.assert_allclose(augment.shift(image, offset, fill=fill), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("angle", [0.0, 30.0, -75.0, 90.0, 181.0])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_rotate_is_that_of_scipy(shape, angle, fill):
    image = image_of(shape)
    options = {"reshape": False, "order": 1, "mode": "grid-constant", "cval": fill}
    expected = ndimage.rotate(image, angle, axes=(1, 0), **options)
    np.testing.assert_allclose(augment.rotate(image, angle, fill=fill), expected, atol=1e-9)


def test_rotate_by_a_right_angle_is_that_of_numpy():
    np.testing.assert_allclose(augment.rotate(numbered(5, 5), 90.0), np.rot90(numbered(5, 5)), atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(3, 4), (20, 11)])
def test_resize_is_that_of_jax(shape, size):
    image = image_of(shape, np.float32)
    expected = jax.image.resize(image, (*size, shape[2]), "linear", antialias=False)
    np.testing.assert_allclose(augment.resize(image, size), expected, atol=1e-5)


def test_derivatives_by_angle_and_offset():
    image = image_of((6, 5, 2))
    check_grads(lambda angle: augment.rotate(image, angle), (17.3,), order=1)
    check_grads(lambda offset: augment.shift(image, offset), (np.array([0.3, -1.2]),), order=1)


@pytest.mark.parametrize("axis", [0, 1])
def test_half_of_the_images_are_flipped(axis):
    image = numbered(3, 4)
    results = vmap(lambda key: augment.random_flip(key, image, axis=axis))(KEYS)
    flipped = np.all(results == np.flip(image, axis), axis=(1, 2, 3))
    same = np.all(results == image, axis=(1, 2, 3))
    assert np.all(flipped ^ same)
    assert 0.4 < flipped.mean() < 0.6


@pytest.mark.parametrize("padding", [0, 2])
def test_a_crop_is_any_of_the_parts_with_the_same_probability(padding):
    image = numbered(5, 4)
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    parts = np.lib.stride_tricks.sliding_window_view(padded[..., 0], (3, 2)).reshape(-1, 6)
    results = vmap(lambda key: augment.random_crop(key, image, (3, 2), padding=padding))(KEYS)
    found = np.all(results.reshape(-1, 1, 6) == parts, axis=-1)
    assert np.all(found.any(axis=1))
    if padding == 0:
        counts = found.sum(axis=0)
        assert counts.shape == (9,)
        assert counts.min() > 10


def test_a_random_shift_is_any_of_those_by_whole_pixels():
    image = numbered(4, 3)
    shifts = {
        ndimage.shift(image, (down, right, 0), order=0, cval=-1).tobytes()
        for down in range(-2, 3)
        for right in range(-1, 2)
    }
    results = vmap(lambda key: augment.random_shift(key, image, (2, 1), fill=-1.0))(KEYS)
    assert {result.tobytes() for result in results} == shifts


def test_a_random_rotation_stays_below_its_limit():
    height, width = 41, 41
    image = np.zeros((height, width, 1))
    image[20, 21:] = 1.0  # a line from the centre to the right
    columns, rows = np.meshgrid(np.arange(width) - 20, 20 - np.arange(height))
    results = vmap(lambda key: augment.random_rotation(key, image, 30.0))(KEYS)[..., 0]
    x, y = np.sum(results * columns, axis=(1, 2)), np.sum(results * rows, axis=(1, 2))
    angles = np.degrees(np.arctan2(y, x))
    assert np.abs(angles).max() < 30.5
    assert np.abs(angles).max() > 28
    assert abs(angles.mean()) < 3


def test_a_resized_crop_has_the_area_and_aspect_that_are_asked_for():
    down, right = np.meshgrid(np.arange(80.0), np.arange(60.0), indexing="ij")
    image = np.stack([down, right], axis=-1)
    options = {"area": (0.1, 0.25), "aspect": (0.5, 1.5)}
    results = vmap(lambda key: augment.random_resized_crop(key, image, (8, 8), **options))(KEYS)
    # Coordinates in the image at places 1/16 and 15/16 of the part.
    height = (results[:, 7, 0, 0] - results[:, 0, 0, 0]) * 8 / 7
    width = (results[:, 0, 7, 1] - results[:, 0, 0, 1]) * 8 / 7
    area, aspect = height * width / 4800, width / height
    for values, (low, high) in ((area, options["area"]), (aspect, options["aspect"])):
        assert low - 1e-3 < values.min() < low + 0.05 * high
        assert high - 0.05 * high < values.max() < high + 1e-3
    top, left = results[:, 0, 0, 0] + 0.5 - height / 16, results[:, 0, 0, 1] + 0.5 - width / 16
    assert top.min() > -1e-3
    assert left.min() > -1e-3
    assert (top + height).max() < 80 + 1e-3
    assert (left + width).max() < 60 + 1e-3


def test_a_resized_crop_of_everything_is_a_resized_image():
    image = image_of((8, 8, 3), np.float32)
    whole = augment.random_resized_crop(KEYS[0], image, 5, area=(1.0, 1.0), aspect=(1.0, 1.0))
    np.testing.assert_allclose(whole, augment.resize(image, 5), atol=1e-5)
