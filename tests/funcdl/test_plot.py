"""The pictures show what they are given, and bad input is named."""

import sys

import matplotlib.figure
import numpy as np
import pytest
from matplotlib import pyplot

from funcdl import plot

POINTS = np.array([[-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]], np.float32)
CLASSES = np.array([0, 1, 2])


def logits(points):
    """Largest for the class whose point is nearest."""
    return -10 * np.sum((points[:, None] - POINTS) ** 2, axis=-1)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_every_region_has_the_colour_of_its_class():
    ax = plot.decision_boundary(logits, POINTS, CLASSES, resolution=51)
    (image,) = ax.images
    colors = image.get_array()
    left, right, bottom, top = image.get_extent()
    points_colors = ax.collections[-1].get_facecolors()[:, :3]
    for (x, y), point_color in zip(POINTS, points_colors, strict=True):
        column = round((x - left) / (right - left) * 50)
        row = round((y - bottom) / (top - bottom) * 50)
        region = colors[row, column]
        tint = (1 - region) / (1 - point_color)
        np.testing.assert_allclose(tint, tint[0], rtol=1e-4)
        assert 0 < tint[0] < 1


def test_the_boundary_lies_where_two_classes_tie():
    ax = plot.decision_boundary(lambda x: x, POINTS[:2] * [1, -1], CLASSES[:2], resolution=41)
    for lines in ax.collections[:-1]:
        vertices = np.concatenate([path.vertices for path in lines.get_paths()])
        np.testing.assert_allclose(vertices[:, 0], vertices[:, 1], atol=1e-5)


def test_the_classifier_is_asked_in_the_dtype_of_the_points():
    asked = []

    def predict(points):
        asked.append(points.dtype)
        return logits(points)

    plot.decision_boundary(predict, POINTS, CLASSES, resolution=5)
    assert asked == [np.float32]


def test_decision_boundary_draws_on_the_given_axes():
    ax = pyplot.figure().add_subplot()
    assert plot.decision_boundary(logits, POINTS, CLASSES, ax=ax, resolution=5) is ax


@pytest.mark.parametrize(
    ("x", "y", "predict", "text"),
    [
        (POINTS[0], CLASSES, logits, r"x must have shape \[points, 2\], got \(2,\)"),
        (POINTS, CLASSES[:2], logits, r"y must have shape \(3,\), one class for each point, got \(2,\)"),
        (POINTS, CLASSES, lambda x: x[:, 0], r"predict must return logits of shape \[points, classes\]"),
        (POINTS, CLASSES, lambda x: x[:, :1], r"predict must return logits of shape \[points, classes\]"),
    ],
)
def test_decision_boundary_names_a_wrong_shape(x, y, predict, text):
    with pytest.raises(ValueError, match=r"^plot\.decision_boundary: " + text):
        plot.decision_boundary(predict, x, y, resolution=5)


def test_learning_curves_show_the_history():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 2.0], "accuracy": [0.1, 0.5, 0.9]}
    figure = plot.learning_curves(history)
    losses, accuracies = figure.axes
    assert [line.get_label() for line in losses.lines] == ["training", "validation"]
    drawn = [line.get_ydata().tolist() for line in (*losses.lines, *accuracies.lines)]
    assert drawn == list(history.values())
    assert losses.lines[0].get_xdata().tolist() == [1, 2, 3]


def test_learning_curves_draw_on_the_given_figure():
    subfigure = matplotlib.figure.Figure().subfigures()
    assert plot.learning_curves({"loss": [1.0]}, figure=subfigure) is subfigure


def test_learning_curves_refuse_an_empty_history():
    with pytest.raises(ValueError, match=r"^plot\.learning_curves: the history must have an entry, got none"):
        plot.learning_curves({})


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'install it with pip install "funcdl\[plot\]"'):
        plot.learning_curves({"loss": [1.0]})
