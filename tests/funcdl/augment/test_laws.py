"""Every augmentation is a pure function of its key, and runs under every transform."""

import functools

import numpy as np
import pytest

from funcdl import augment, random
from transforms import check_grads, grad, jit, vmap

KEYS = random.split(random.key(5), 6)
IMAGES = np.random.default_rng(0).uniform(0.05, 0.95, (6, 9, 7, 3)).astype(np.float32)
JITTER = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.2}

AUGMENTATIONS = {
    "random_flip": augment.random_flip,
    "random_flip, upside down": functools.partial(augment.random_flip, axis=0),
    "random_crop": functools.partial(augment.random_crop, size=(5, 4)),
    "random_crop, padded": functools.partial(augment.random_crop, size=(9, 7), padding=3),
    "random_resized_crop": functools.partial(augment.random_resized_crop, size=(6, 5)),
    "random_shift": functools.partial(augment.random_shift, limit=3, fill=0.5),
    "random_rotation": functools.partial(augment.random_rotation, limit=40.0),
    "color_jitter": functools.partial(augment.color_jitter, **JITTER),
    "cutout": functools.partial(augment.cutout, size=4, fill=0.5),
    "sequence": augment.sequence(augment.random_flip, functools.partial(augment.random_crop, size=5)),
}
each = pytest.mark.parametrize("name", AUGMENTATIONS)


def looped(augmentation):
    return np.stack([augmentation(key, image) for key, image in zip(KEYS, IMAGES, strict=True)])


@each
def test_the_result_follows_from_the_key_alone(name):
    augmentation = AUGMENTATIONS[name]
    results = looped(augmentation)
    np.testing.assert_array_equal(results, looped(augmentation))
    one_image = vmap(augmentation, in_axes=(0, None))(random.split(random.key(1), 32), IMAGES[0])
    assert len(np.unique(one_image.reshape(32, -1), axis=0)) > 1
    assert results.dtype == one_image.dtype == np.float32


@each
def test_a_batch_is_a_loop(name):
    augmentation = AUGMENTATIONS[name]
    np.testing.assert_allclose(vmap(augmentation)(KEYS, IMAGES), looped(augmentation), atol=1e-6)


@each
def test_batched_splits_the_key(name):
    augmentation = AUGMENTATIONS[name]
    batch = augment.batched(augmentation)(random.key(5), IMAGES)
    np.testing.assert_allclose(batch, looped(augmentation), atol=1e-6)


@each
def test_compiled_as_eager(name):
    augmentation = AUGMENTATIONS[name]
    np.testing.assert_allclose(
        jit(augmentation)(KEYS[0], IMAGES[0]), augmentation(KEYS[0], IMAGES[0]), atol=1e-6
    )
    np.testing.assert_allclose(jit(vmap(augmentation))(KEYS, IMAGES), looped(augmentation), atol=1e-6)


@each
def test_derivatives_by_the_image(name):
    augmentation = AUGMENTATIONS[name]
    image = IMAGES[0].astype(np.float64)
    check_grads(lambda image: augmentation(KEYS[0], image), (image,), order=1)


@each
def test_gradients_of_a_batch_are_those_of_its_images(name):
    augmentation = AUGMENTATIONS[name]

    def energy(key, image):
        return np.sum(augmentation(key, image) ** 2)

    batch = grad(lambda images: np.sum(vmap(energy)(KEYS, images)))(IMAGES)
    single = np.stack([grad(energy, argnums=1)(*pair) for pair in zip(KEYS, IMAGES, strict=True)])
    np.testing.assert_allclose(batch, single, atol=1e-5)


MIXINGS = {"mixup": augment.mixup, "cutmix": augment.cutmix}


@pytest.mark.parametrize("name", MIXINGS)
def test_mixings_compiled_as_eager(name):
    y = np.eye(6, dtype=np.float32)
    eager = MIXINGS[name](KEYS[0], IMAGES, y)
    compiled = jit(MIXINGS[name])(KEYS[0], IMAGES, y)
    for first, second in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
        assert first.dtype == second.dtype == np.float32
    stacked = vmap(MIXINGS[name], in_axes=(0, None, None))(KEYS, IMAGES, y)
    np.testing.assert_allclose(stacked[0][0], eager[0], atol=1e-6)
    np.testing.assert_allclose(stacked[1][0], eager[1], atol=1e-6)


WRONG = {
    "an image of bytes": (
        lambda: augment.random_flip(KEYS[0], np.zeros((4, 4, 3), np.uint8)),
        TypeError,
        "augment.random_flip: the image must be floating, got dtype uint8; "
        "divide it, for instance by np.float32(255)",
    ),
    "a batch": (
        lambda: augment.rotate(np.zeros((2, 4, 4, 3)), 10.0),
        ValueError,
        "augment.rotate: the image must have the shape (height, width, channels), got shape (2, 4, 4, 3); "
        "map over images with augment.batched or vmap",
    ),
    "no channels": (
        lambda: augment.cutout(KEYS[0], np.zeros((4, 4)), 2),
        ValueError,
        "augment.cutout: the image must have the shape (height, width, channels), got shape (4, 4); "
        "add an axis",
    ),
    "a hue without colours": (
        lambda: augment.adjust_hue(np.zeros((4, 4, 1)), 0.1),
        ValueError,
        "augment.adjust_hue: the image must have 3 channels, got 1",
    ),
    "a part that is too large": (
        lambda: augment.random_crop(KEYS[0], np.zeros((4, 4, 1)), 7, padding=1),
        ValueError,
        "augment.random_crop: size must be at most the height and width of the padded image, (6, 6), "
        "got (7, 7)",
    ),
    "a size of nothing": (
        lambda: augment.resize(np.zeros((4, 4, 1)), (0, 3)),
        ValueError,
        "augment.resize: size must be an integer of at least 1, or two of them: height and width, got (0, 3)",
    ),
    "probability": (
        lambda: augment.random_flip(KEYS[0], np.zeros((4, 4, 1)), probability=1.5),
        ValueError,
        "augment.random_flip: probability must be in [0, 1], got 1.5",
    ),
    "axis": (
        lambda: augment.random_flip(KEYS[0], np.zeros((4, 4, 1)), axis=2),
        ValueError,
        "augment.random_flip: axis must be 0 or 1, got 2",
    ),
    "negative angle": (
        lambda: augment.random_rotation(KEYS[0], np.zeros((4, 4, 1)), -1.0),
        ValueError,
        "augment.random_rotation: limit must be at least 0, got -1.0",
    ),
    "negative brightness": (
        lambda: augment.color_jitter(KEYS[0], np.zeros((4, 4, 3)), brightness=-0.1),
        ValueError,
        "augment.color_jitter: brightness must be at least 0, got -0.1",
    ),
    "hue": (
        lambda: augment.color_jitter(KEYS[0], np.zeros((4, 4, 3)), hue=0.6),
        ValueError,
        "augment.color_jitter: hue must be in [0, 0.5], got 0.6",
    ),
    "area": (
        lambda: augment.random_resized_crop(KEYS[0], np.zeros((4, 4, 3)), 2, area=(0.0, 1.0)),
        ValueError,
        "augment.random_resized_crop: area must be two ascending numbers in (0, 1], got (0.0, 1.0)",
    ),
    "aspect": (
        lambda: augment.random_resized_crop(KEYS[0], np.zeros((4, 4, 3)), 2, aspect=(2.0, 1.0)),
        ValueError,
        "augment.random_resized_crop: aspect must be two ascending positive numbers, got (2.0, 1.0)",
    ),
    "labels as numbers": (
        lambda: augment.mixup(KEYS[0], np.zeros((4, 3)), np.arange(4)),
        TypeError,
        "augment.mixup: y must be floating, got dtype int64; "
        "make labels probabilities with functional.one_hot",
    ),
    "different lengths": (
        lambda: augment.mixup(KEYS[0], np.zeros((4, 3)), np.eye(3)),
        ValueError,
        "augment.mixup: x and y must have the same length, got shapes (4, 3) and (3, 3)",
    ),
    "alpha": (
        lambda: augment.cutmix(KEYS[0], np.zeros((4, 3, 3, 1)), np.eye(4), alpha=0.0),
        ValueError,
        "augment.cutmix: alpha must be positive, got 0.0",
    ),
    "no images": (
        lambda: augment.cutmix(KEYS[0], np.zeros((4, 3)), np.eye(4)),
        ValueError,
        "augment.cutmix: images must have the shape (examples, height, width, channels), got shape (4, 3)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case):
    make, error, text = WRONG[case]
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == text
