import numpy as np
import pytest
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from funcdl import metrics

rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(50, 6)).astype(np.float32)
LABELS = rng.integers(0, 6, 50)


def test_accuracy_equals_scikit_learn():
    got = metrics.accuracy(LOGITS, LABELS)
    assert (got.shape, got.dtype) == ((50,), np.float32)
    assert got.mean() == pytest.approx(accuracy_score(LABELS, LOGITS.argmax(-1)))


def test_accuracy_of_soft_labels_looks_at_the_largest():
    soft = np.eye(6)[LABELS] * 0.7 + 0.05
    np.testing.assert_array_equal(metrics.accuracy(LOGITS, soft), metrics.accuracy(LOGITS, LABELS))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_equals_scikit_learn(k):
    got = metrics.top_k_accuracy(LOGITS, LABELS, k)
    assert (got.shape, got.dtype) == ((50,), np.float32)
    assert got.mean() == pytest.approx(top_k_accuracy_score(LABELS, LOGITS, k=k))


def test_top_k_with_all_classes_is_right():
    np.testing.assert_array_equal(metrics.top_k_accuracy(LOGITS, LABELS, 6), 1)


def test_top_k_gives_ties_the_better_rank():
    np.testing.assert_array_equal(metrics.top_k_accuracy(np.zeros((2, 3)), np.array([0, 2]), 1), [1, 1])


def test_top_k_of_nan_is_wrong():
    logits = np.full((2, 3), np.nan)
    logits[1, 0] = 5.0
    np.testing.assert_array_equal(metrics.top_k_accuracy(logits, np.array([0, 0]), 2), [0, 0])


def test_sequences():
    logits, labels = LOGITS.reshape(10, 5, 6), LABELS.reshape(10, 5)
    assert metrics.accuracy(logits, labels).shape == (10, 5)
    assert metrics.top_k_accuracy(logits, labels, 2).shape == (10, 5)


@pytest.mark.parametrize("metric", [metrics.accuracy, lambda x, y: metrics.top_k_accuracy(x, y, 2)])
def test_labels_that_do_not_fit(metric):
    with pytest.raises(ValueError, match=r"labels must have shape \(8,\), .* got \(8, 1\); drop the axis"):
        metric(np.zeros((8, 10)), np.zeros((8, 1), int))
    with pytest.raises(ValueError, match=r"labels must be in \[0, 9\], got 10 at index \(0,\)"):
        metric(np.zeros((8, 10)), np.full(8, 10))


@pytest.mark.parametrize("k", [0, 7])
def test_k_out_of_range(k):
    with pytest.raises(
        ValueError, match=rf"top_k_accuracy: k must be in \[1, 6\], the number of classes, got {k}"
    ):
        metrics.top_k_accuracy(LOGITS, LABELS, k)
