import numpy as np
import pytest
from sklearn.datasets import make_moons

from funcdl import random
from funcdl.datasets import moons, sine, spiral

KEY = random.key(3)

DATASETS = {
    "spiral": spiral,
    "moons": moons,
    "sine": sine,
}


def spiral_of_the_course(points_per_class, classes):
    """The loop of the CS231n notes, without its noise."""
    x = np.zeros((points_per_class * classes, 2))
    y = np.zeros(points_per_class * classes, dtype=np.uint8)
    for j in range(classes):
        rows = range(points_per_class * j, points_per_class * (j + 1))
        r = np.linspace(0.0, 1, points_per_class)
        t = np.linspace(j * 4, (j + 1) * 4, points_per_class)
        x[rows] = np.c_[r * np.sin(t), r * np.cos(t)]
        y[rows] = j
    return x, y


@pytest.mark.parametrize(("points_per_class", "classes"), [(100, 3), (1, 1), (7, 11)])
def test_the_spiral_without_noise_is_that_of_the_course(points_per_class, classes):
    x, y = spiral(KEY, points_per_class=points_per_class, classes=classes, noise=0.0)
    expected_x, expected_y = spiral_of_the_course(points_per_class, classes)
    np.testing.assert_allclose(x, expected_x, atol=1e-5)
    np.testing.assert_array_equal(y, expected_y)


def test_the_noise_of_the_spiral_is_in_the_angle():
    x, y = spiral(KEY, points_per_class=2000, noise=0.2)
    radius = np.tile(np.linspace(0.0, 1.0, 2000), 3)
    np.testing.assert_allclose(np.hypot(x[:, 0], x[:, 1]), radius, atol=1e-6)
    outside = radius > 0.0
    noise = np.arctan2(x[:, 0], x[:, 1]) - 4.0 * (y + radius)
    noise = np.angle(np.exp(1j * noise[outside]))
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.2) < 0.01


def test_moons_without_noise_are_those_of_scikit_learn():
    x, y = moons(KEY, points_per_class=50, noise=0.0)
    expected_x, expected_y = make_moons(100, shuffle=False)
    np.testing.assert_allclose(x, expected_x, atol=1e-6)
    np.testing.assert_array_equal(y, expected_y)


def test_the_noise_of_moons_is_in_both_coordinates():
    noisy, _ = moons(KEY, points_per_class=2000, noise=0.3)
    exact, _ = moons(KEY, points_per_class=2000, noise=0.0)
    np.testing.assert_allclose(np.std(noisy - exact, axis=0), 0.3, rtol=0.05)


def test_sine():
    x, y = sine(KEY, points=2000, noise=0.2)
    assert x.shape == y.shape == (2000, 1)
    assert x.min() >= -np.pi
    assert x.max() < np.pi
    assert abs(x.mean()) < 0.1
    residual = y - np.sin(x)
    assert abs(residual.mean()) < 0.02
    assert abs(residual.std() - 0.2) < 0.02


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("noise", [0.5, np.float64(0.5), 1])
def test_points_are_float32_and_follow_from_the_key(name, noise):
    x, y = DATASETS[name](KEY, noise=noise)
    assert x.dtype == np.float32
    assert y.dtype == (np.float32 if name == "sine" else np.int64)
    again, y_again = DATASETS[name](KEY, noise=noise)
    np.testing.assert_array_equal(x, again)
    np.testing.assert_array_equal(y, y_again)
    other, _ = DATASETS[name](random.key(4), noise=noise)
    assert not np.array_equal(x, other)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: spiral(KEY, points_per_class=0), "spiral: points_per_class must be at least 1, got 0"),
        (lambda: spiral(KEY, classes=0), "spiral: classes must be from 1 to 11, got 0"),
        (lambda: spiral(KEY, classes=12), "spiral: classes must be from 1 to 11, got 12"),
        (lambda: spiral(KEY, noise=-0.1), "spiral: noise must be at least 0, got -0.1"),
        (lambda: moons(KEY, points_per_class=-1), "moons: points_per_class must be at least 1, got -1"),
        (lambda: moons(KEY, noise=float("nan")), "moons: noise must be at least 0, got nan"),
        (lambda: sine(KEY, points=0), "sine: points must be at least 1, got 0"),
        (lambda: sine(KEY, noise=-1.0), "sine: noise must be at least 0, got -1.0"),
    ],
)
def test_arguments_out_of_range(make, text):
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text
