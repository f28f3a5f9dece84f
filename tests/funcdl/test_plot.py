"""The pictures show what they are given, and bad input is named."""

import sys

import matplotlib.figure
import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix

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


def test_a_confusion_matrix_shows_shares_and_counts():
    counts = confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0])
    ax = plot.confusion_matrix(counts, names=["a", "b", "c"])
    shown = np.array([int(text.get_text()) for text in ax.texts]).reshape(3, 3)
    np.testing.assert_array_equal(shown, counts)
    for text in ax.texts:
        column, row = text.get_position()
        assert int(text.get_text()) == counts[row, column]
    shades = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(
        (1 - shades) / (1 - shades[1, 1]), (counts / counts.sum(1)[:, None])[..., None] * [1, 1, 1]
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


def test_a_confusion_matrix_of_many_classes_has_no_numbers():
    counts = np.zeros((30, 30), int)
    counts[:15] = np.eye(30, dtype=int)[:15]
    ax = plot.confusion_matrix(counts)
    assert not ax.texts
    np.testing.assert_array_equal(np.asarray(ax.images[0].get_array())[20], np.ones((30, 3)))


def test_attention_has_a_panel_for_each_head():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 2))
    figure = plot.attention(weights, queries=["x", "y"], keys=["a", "b", "c", "d"])
    panels = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in panels] == ["head 0", "head 1", "head 2"]
    for ax, head in zip(panels, weights, strict=True):
        shades = 1 - np.asarray(ax.images[0].get_array())
        np.testing.assert_allclose(shades / shades[0, 0], (head / head[0, 0])[..., None] * [1, 1, 1])
        assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c", "d"]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]
    (alone,) = plot.attention(weights[0]).axes
    assert (alone.get_title(loc="left"), len(alone.get_xticks())) == ("", 0)


@pytest.mark.parametrize(("channels", "panels"), [(1, 6), (3, 6), (4, 24)])
def test_filters_share_a_scale(channels, panels):
    kernel = np.random.default_rng(0).normal(size=(3, 2, channels, 6))
    figure = plot.filters(kernel)
    images = [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]
    assert len(images) == panels
    scaled = kernel / np.abs(kernel).max()
    for index, image in enumerate(images):
        if channels == 3:
            np.testing.assert_allclose(image, (1 + scaled[..., index]) / 2)
        else:
            np.testing.assert_allclose(image, scaled[:, :, index % channels, index // channels])
    if channels != 3:
        assert {ax.images[0].get_clim() for ax in figure.axes if ax.images} == {(-1, 1)}


def test_filters_of_zeros_are_drawn():
    (ax,) = plot.filters(np.zeros((2, 2, 1, 1))).axes
    np.testing.assert_array_equal(ax.images[0].get_array(), np.zeros((2, 2)))


def test_embeddings_are_principal_components():
    vectors = np.random.default_rng(0).normal(size=(20, 5)) * [1, 5, 2, 1, 3]
    classes = np.arange(20) % 9
    ax = plot.embeddings(vectors, classes, names=list("abcdefghi"))
    expected = PCA(2).fit_transform(vectors)
    colors = {}
    for group, drawn in enumerate(ax.collections):
        points = np.asarray(drawn.get_offsets())
        np.testing.assert_allclose(np.abs(points), np.abs(expected[classes == group]), rtol=1e-6)
        colors[group] = (*drawn.get_facecolors()[0], len(drawn.get_paths()[0].vertices))
    assert len(set(colors.values())) == 9
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list("abcdefghi")


def test_embeddings_in_the_plane_stay_where_they_are():
    vectors = np.array([[1.0, 2.0], [3.0, 4.0]])
    ax = plot.embeddings(vectors, texts=["one", "two"])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), vectors)
    assert [(text.get_text(), text.xy) for text in ax.texts] == [("one", (1, 2)), ("two", (3, 4))]
    (point,) = plot.embeddings(np.ones((1, 3))).collections[0].get_offsets()
    np.testing.assert_array_equal(point, [0, 0])


def test_pictures_are_drawn_where_they_are_told():
    ax = pyplot.figure().add_subplot()
    assert plot.confusion_matrix(np.eye(2, dtype=int), ax=ax) is ax
    assert plot.embeddings(POINTS, ax=ax) is ax
    for draw, x in ((plot.attention, np.eye(2)), (plot.filters, np.ones((2, 2, 1, 1)))):
        subfigure = matplotlib.figure.Figure().subfigures()
        assert draw(x, figure=subfigure) is subfigure


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: plot.confusion_matrix(np.ones((2, 3), int)),
            r"confusion_matrix: counts must have the shape \[classes, classes\], got \(2, 3\)",
        ),
        (
            lambda: plot.confusion_matrix(np.eye(2, dtype=int), names=["a"]),
            "confusion_matrix: names must be 2, one for each, got 1",
        ),
        (lambda: plot.attention(np.ones(3)), r"attention: weights must have the shape .*, got \(3,\)"),
        (lambda: plot.attention(np.eye(2), keys=["a"]), "attention: keys must be 2, one for each, got 1"),
        (lambda: plot.filters(np.ones((3, 3))), r"filters: kernel must have the shape .*, got \(3, 3\)"),
        (
            lambda: plot.embeddings(np.ones((3, 1))),
            r"embeddings: vectors must have the shape .*, got \(3, 1\)",
        ),
        (
            lambda: plot.embeddings(POINTS, np.array([0.0, 1.0, 2.0])),
            r"embeddings: classes must hold integers of shape \(3,\), .*, got float64 of shape \(3,\)",
        ),
        (
            lambda: plot.embeddings(POINTS, CLASSES, names=["a", "b"]),
            "embeddings: names must be 3, one for each class, got 2",
        ),
        (
            lambda: plot.embeddings(POINTS, texts=["a"]),
            "embeddings: texts must be 3, one for each point, got 1",
        ),
    ],
)
def test_misuse(call, text):
    with pytest.raises(ValueError, match=rf"^plot\.{text}"):
        call()


class Absent:
    """A finder that finds matplotlib missing, as Python does where it is not installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name=name)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    text = r'plot.learning_curves: matplotlib must be installed, .*; run pip install "funcdl\[plot\]"'
    with pytest.raises(ImportError, match=text):
        plot.learning_curves({"loss": [1.0]})
