"""Points in the plane that are drawn, not downloaded: pure functions of a random key."""

from __future__ import annotations

import math

import numpy as np

from funcdl import random
from transforms.errors import message
from transforms.types import Array


def spiral(
    key: Array, *, points_per_class: int = 100, classes: int = 3, noise: float = 0.2
) -> tuple[Array, Array]:
    """Return points on the arms of a spiral, one arm per class.

    Point i of class j lies at the radius ``r = i / (points_per_class - 1)`` and the angle
    ``t = 4 * (j + r) + noise * normal``: ``x = (r * sin(t), r * cos(t))``.

    Args:
        key: random key, uint32, shape (2,).
        points_per_class: at least 1.
        classes: from 1 to 11; the twelfth arm would lie on the first.
        noise: standard deviation of the angles, at least 0.

    Returns:
        The points, float32 of shape (classes * points_per_class, 2), and their classes, int64 of shape
        (classes * points_per_class,), class by class.

    Raises:
        ValueError: an argument is out of range.

    Source: Karpathy, "CS231n: Putting it together: Minimal Neural Network Case Study", Stanford, 2015.

    >>> x, y = spiral(random.key(0))
    >>> x.shape, x.dtype, np.bincount(y)
    ((300, 2), dtype('float32'), array([100, 100, 100]))
    """
    _check_count("spiral", "points_per_class", points_per_class)
    noise = _checked_noise("spiral", noise)
    if not 1 <= classes <= 11:
        raise ValueError(message("spiral", "classes", "be from 1 to 11", classes))
    radius = np.linspace(0.0, 1.0, points_per_class, dtype=np.float32)
    arm = np.arange(classes, dtype=np.float32)[:, np.newaxis]
    angle = 4.0 * (arm + radius) + noise * random.normal(key, (classes, points_per_class))
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    labels = np.repeat(np.arange(classes, dtype=np.int64), points_per_class)
    return np.reshape(points, (-1, 2)), labels


def moons(key: Array, *, points_per_class: int = 100, noise: float = 0.1) -> tuple[Array, Array]:
    """Return points on two half circles that reach into each other.

    With an angle ``t`` from 0 to pi, class 0 is ``(cos(t), sin(t))`` and class 1 is
    ``(1 - cos(t), 0.5 - sin(t))``; normal noise is added to both coordinates.

    Args:
        key: random key, uint32, shape (2,).
        points_per_class: at least 1.
        noise: standard deviation of the noise, at least 0.

    Returns:
        The points, float32 of shape (2 * points_per_class, 2), and their classes, int64 of shape
        (2 * points_per_class,), class by class. Without noise, scikit-learn's ``make_moons``.

    Raises:
        ValueError: an argument is out of range.

    >>> x, y = moons(random.key(0), points_per_class=50)
    >>> x.shape, np.bincount(y)
    ((100, 2), array([50, 50]))
    """
    _check_count("moons", "points_per_class", points_per_class)
    noise = _checked_noise("moons", noise)
    angle = np.linspace(0.0, math.pi, points_per_class, dtype=np.float32)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], axis=-1)
    points = np.concatenate([upper, lower])
    labels = np.repeat(np.arange(2, dtype=np.int64), points_per_class)
    return points + noise * random.normal(key, points.shape), labels


def sine(key: Array, *, points: int = 100, noise: float = 0.1) -> tuple[Array, Array]:
    """Return noisy values of the sine at random places, for regression.

    ``y = sin(x) + noise * normal``, with ``x`` uniform in [-pi, pi).

    Args:
        key: random key, uint32, shape (2,).
        points: at least 1.
        noise: standard deviation of the noise, at least 0.

    Returns:
        The places and the values, both float32 of shape (points, 1).

    Raises:
        ValueError: an argument is out of range.

    >>> x, y = sine(random.key(0), noise=0.0)
    >>> x.shape, bool(np.all(y == np.sin(x)))
    ((100, 1), True)
    """
    _check_count("sine", "points", points)
    noise = _checked_noise("sine", noise)
    place_key, noise_key = random.split(key)
    x = random.uniform(place_key, (points, 1), minval=-math.pi, maxval=math.pi)
    return x, np.sin(x) + noise * random.normal(noise_key, (points, 1))


def _check_count(where: str, what: str, value: int) -> None:
    if value < 1:
        raise ValueError(message(where, what, "be at least 1", value))


def _checked_noise(where: str, noise: float) -> float:
    if not noise >= 0.0:
        raise ValueError(message(where, "noise", "be at least 0", noise))
    return float(noise)  # an np.float64 would promote the float32 points
