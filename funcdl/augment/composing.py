"""Augmentations one after the other, and of whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from funcdl import random
from transforms import vmap
from transforms.types import Array

Augmentation: TypeAlias = Callable[[Array, Array], Array]


def sequence(*augmentations: Augmentation) -> Augmentation:
    """Return the augmentation that applies others one after the other, each with a key of its own.

    Args:
        augmentations: functions ``(key, image) -> image``; options are bound by ``functools.partial`` or
            a lambda.

    >>> import numpy as np
    >>> from funcdl import augment
    >>> move = sequence(augment.random_flip, lambda key, image: augment.random_crop(key, image, 24))
    >>> move(random.key(0), np.ones((28, 28, 1))).shape
    (24, 24, 1)
    """

    def augmentation(key: Array, image: Array) -> Array:
        for number, each in enumerate(augmentations):
            image = each(random.fold_in(key, number), image)
        return image

    return augmentation


def batched(augmentation: Augmentation) -> Augmentation:
    """Return the function that applies an augmentation to each image of a batch, with a key for each.

    Args:
        augmentation: a function ``(key, image) -> image``.

    Returns:
        A function of a key and of images, shape (examples, height, width, channels).

    >>> import numpy as np
    >>> from funcdl import augment
    >>> batched(augment.random_flip)(random.key(0), np.ones((5, 28, 28, 1))).shape
    (5, 28, 28, 1)
    """

    def of_batch(key: Array, images: Array) -> Array:
        return vmap(augmentation)(random.split(key, len(images)), images)

    return of_batch
