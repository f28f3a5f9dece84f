"""Examples mixed with others of their batch, and their labels with them."""

from __future__ import annotations

import math

import numpy as np

from funcdl import random
from funcdl.augment.erasing import in_box
from transforms import at, type_of, vmap
from transforms.errors import message
from transforms.types import Array


def mixup(key: Array, x: Array, y: Array, *, alpha: float = 0.2) -> tuple[Array, Array]:
    """Replace every example by a mean of it and another one, and its label by the same mean.

    ``share * x + (1 - share) * x[order]`` with a random order, and a share from the distribution
    Beta(alpha, alpha) for each example.

    Args:
        key: random key.
        x: floating, shape (examples, ...).
        y: labels as probabilities, such as ``functional.one_hot`` gives, floating, shape (examples, ...).
        alpha: positive; the smaller it is, the closer one of the two comes to a share of 1.

    Returns:
        Arrays like ``x`` and ``y``.

    Raises:
        TypeError: an array is not floating.
        ValueError: the arrays differ in length, or alpha is not positive.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", 2017,
    arXiv:1710.09412, which draws one share for the whole batch.

    >>> x, y = mixup(random.key(0), np.ones((4, 2), np.float32), np.eye(4, dtype=np.float32))
    >>> x.shape, y.sum(axis=-1)
    ((4, 2), array([1., 1., 1., 1.], dtype=float32))
    """
    _check_batch("augment.mixup", x, y, alpha)
    share_key, order_key = random.split(key)
    share = _symmetric_beta(share_key, alpha, len(x), type_of(x).dtype)
    order = random.permutation(order_key, len(x))
    return _mean(x, order, share), _mean(y, order, share)


def cutmix(key: Array, images: Array, y: Array, *, alpha: float = 1.0) -> tuple[Array, Array]:
    """Replace a rectangle of every image by that of another image, and as much of its label.

    The rectangle has the image's proportions and the share ``1 - r`` of its area, with ``r`` from the
    distribution Beta(alpha, alpha), and its centre anywhere in the image; what lies outside is cut off.
    The labels are mixed by the area that was in fact replaced.

    Args:
        key: random key.
        images: floating, shape (examples, height, width, channels).
        y: labels as probabilities, such as ``functional.one_hot`` gives, floating, shape (examples, ...).
        alpha: positive; 1 makes all shares equally likely.

    Returns:
        Arrays like ``images`` and ``y``.

    Raises:
        TypeError: an array is not floating.
        ValueError: the arrays differ in length, the images have not four axes, or alpha is not positive.

    Source: Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable
    features", 2019, arXiv:1905.04899, which draws one rectangle for the whole batch.

    >>> x, y = cutmix(random.key(0), np.ones((4, 8, 8, 3), np.float32), np.eye(4, dtype=np.float32))
    >>> x.shape, y.sum(axis=-1)
    ((4, 8, 8, 3), array([1., 1., 1., 1.], dtype=float32))
    """
    where = "augment.cutmix"
    if len(np.shape(images)) != 4:
        rule = "have the shape (examples, height, width, channels)"
        raise ValueError(message(where, "images", rule, f"shape {np.shape(images)}"))
    _check_batch(where, images, y, alpha)
    count, height, width, _ = images.shape
    dtype = type_of(images).dtype
    share_key, row_key, column_key, order_key = random.split(key, 4)
    side = np.sqrt(1 - _symmetric_beta(share_key, alpha, count, dtype))
    extent = np.stack([np.floor(height * side), np.floor(width * side)], axis=-1)
    rows, columns = (
        random.randint(row_key, (count,), 0, height),
        random.randint(column_key, (count,), 0, width),
    )
    first = np.stack([rows, columns], axis=-1) - np.floor(extent / 2)
    replaced = vmap(lambda low, high: in_box(low, high, height, width))(first, first + extent)
    order = random.permutation(order_key, count)
    mixed = np.where(replaced[..., np.newaxis], at(images)[order].get(), images)
    kept = 1 - np.mean(replaced.astype(dtype), axis=(1, 2))
    return mixed, _mean(y, order, kept)


def _check_batch(where: str, x: Array, y: Array, alpha: float) -> None:
    for name, array in (("x", x), ("y", y)):
        found = type_of(array)
        if found.dtype.kind != "f":
            remedy = "make labels probabilities with functional.one_hot" if name == "y" else ""
            raise TypeError(message(where, name, "be floating", f"dtype {found.dtype}", remedy))
    if type_of(x).shape[:1] != type_of(y).shape[:1]:
        got = f"shapes {type_of(x).shape} and {type_of(y).shape}"
        raise ValueError(message(where, "x and y", "have the same length", got))
    if not alpha > 0:
        raise ValueError(message(where, "alpha", "be positive", alpha))


def _mean(values: Array, order: Array, share: Array) -> Array:
    share = share.reshape((-1,) + (1,) * (values.ndim - 1)).astype(type_of(values).dtype)
    return share * values + (1 - share) * at(values)[order].get()


def _symmetric_beta(key: Array, alpha: float, count: int, dtype: np.dtype) -> Array:
    """Draw from Beta(alpha, alpha) without rejection.

    With t from Student's distribution of ``2 * alpha`` degrees of freedom, ``(1 + t / sqrt(2 * alpha +
    t ** 2)) / 2`` has this distribution, and t is the length of a vector, from its quantile function, times
    the cosine of an angle.

    Source: Bailey, "Polar generation of random variates with the t-distribution", 1994; Devroye, "Random
    variate generation in one line of code", 1996.
    """
    length_key, angle_key = random.split(key)
    tiny = float(np.finfo(dtype).tiny)
    closeness = random.uniform(length_key, (count,), dtype, tiny, 1.0) ** (1 / alpha)
    cosine = np.cos(random.uniform(angle_key, (count,), dtype, 0.0, 2 * math.pi))
    away = (1 - closeness) * cosine**2
    return (1 + np.sign(cosine) * np.sqrt(away / (closeness + away + tiny))) / 2
