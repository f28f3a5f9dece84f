"""Metrics gathered over several batches against scikit-learn on all examples at once."""

import functools

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from funcdl import losses, metrics
from transforms import jit, tree

rng = np.random.default_rng(0)
EXAMPLES, CLASSES = 60, 4
LABELS = rng.integers(0, CLASSES, EXAMPLES)
GUESSES = np.where(rng.random(EXAMPLES) < 0.6, LABELS, rng.integers(0, CLASSES, EXAMPLES))
VALUES = rng.normal(size=EXAMPLES).astype(np.float32) + 100
NEAR = VALUES + rng.normal(size=EXAMPLES).astype(np.float32) / 2
LOGITS = rng.normal(size=(EXAMPLES, CLASSES)).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
BITS = rng.integers(0, 2, EXAMPLES)
SCORES = np.clip(rng.integers(0, 50, EXAMPLES) / 100 + 0.4 * BITS, 0, 1) + 0.001


def of_classes(name, **options):
    return functools.partial(getattr(sklearn_metrics, name), LABELS, GUESSES, **options)


# name: (metric, predictions, targets, scikit-learn's value)
CASES = {
    "confusion matrix": (metrics.confusion_matrix(CLASSES), GUESSES, LABELS, of_classes("confusion_matrix")),
    "precision": (metrics.precision(CLASSES), GUESSES, LABELS, of_classes("precision_score", average=None)),
    "recall": (metrics.recall(CLASSES), GUESSES, LABELS, of_classes("recall_score", average=None)),
    "recall, macro": (
        metrics.recall(CLASSES, average="macro"),
        GUESSES,
        LABELS,
        of_classes("recall_score", average="macro"),
    ),
    "f2, micro": (
        metrics.f_beta(CLASSES, beta=2.0, average="micro"),
        GUESSES,
        LABELS,
        of_classes("fbeta_score", beta=2.0, average="micro"),
    ),
    "f1/2": (
        metrics.f_beta(CLASSES, beta=0.5),
        GUESSES,
        LABELS,
        of_classes("fbeta_score", beta=0.5, average=None),
    ),
    "iou": (metrics.iou(CLASSES), GUESSES, LABELS, of_classes("jaccard_score", average=None)),
    "rmse": (metrics.rmse(), NEAR, VALUES, lambda: sklearn_metrics.root_mean_squared_error(VALUES, NEAR)),
    "r2": (metrics.r2(), NEAR, VALUES, lambda: sklearn_metrics.r2_score(VALUES, NEAR)),
    "perplexity": (
        metrics.perplexity(),
        LOGITS,
        LABELS,
        lambda: np.exp(sklearn_metrics.log_loss(LABELS, PROBABILITIES, labels=range(CLASSES))),
    ),
    "accuracy": (
        metrics.mean(metrics.accuracy),
        LOGITS,
        LABELS,
        lambda: sklearn_metrics.accuracy_score(LABELS, LOGITS.argmax(-1)),
    ),
    "mean of a loss": (
        metrics.mean(losses.mae),
        NEAR,
        VALUES,
        lambda: sklearn_metrics.mean_absolute_error(VALUES, NEAR),
    ),
    "auc": (metrics.auc(bins=100), SCORES, BITS, lambda: sklearn_metrics.roc_auc_score(BITS, SCORES)),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_scikit_learn(name):
    metric, predictions, targets, expected = CASES[name]
    state = metric.init()
    for batch in (slice(0, 25), slice(25, 30)):
        state = metric.update(state, predictions[batch], targets[batch])
    other = metric.update(metric.init(), predictions[30:], targets[30:])
    for merged in (metric.merge(state, other), metric.merge(other, state)):
        np.testing.assert_allclose(metric.result(merged), expected(), rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_updates_are_pure_and_compile(name):
    metric, predictions, targets, _ = CASES[name]
    start = metric.init()
    eager = metric.update(start, predictions, targets)
    compiled = jit(metric.update, backend="numpy")(start, predictions, targets)
    for leaf, other, zero in zip(*map(tree.leaves, (eager, compiled, start)), strict=True):
        assert leaf.dtype == other.dtype == zero.dtype
        np.testing.assert_allclose(leaf, other, rtol=1e-6)
        np.testing.assert_array_equal(zero, 0)


def test_classes_that_did_not_occur_are_not_a_number():
    metric = metrics.precision(3)
    state = metric.update(metric.init(), np.array([0, 1]), np.array([0, 1]))
    np.testing.assert_array_equal(metric.result(state), [1, 1, np.nan])
    np.testing.assert_array_equal(metrics.auc().result(metrics.auc().init()), np.nan)


def test_auc_counts_ties_half():
    metric = metrics.auc()
    state = metric.update(metric.init(), np.array([0.5, 0.5]), np.array([0, 1]))
    assert float(metric.result(state)) == 0.5


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: metrics.recall(3).update(metrics.recall(3).init(), LOGITS, LABELS),
            TypeError,
            "metrics.recall: predictions must have an integer dtype, got float32; take the class",
        ),
        (
            lambda: metrics.iou(3).update(metrics.iou(3).init(), GUESSES, LABELS),
            ValueError,
            r"metrics.iou: predictions must be in \[0, 2\], got 3",
        ),
        (lambda: metrics.f_beta(3, beta=0), ValueError, "metrics.f_beta: beta must be positive, got 0"),
        (
            lambda: metrics.iou(3, average="mean"),
            ValueError,
            "metrics.iou: average must be 'macro', 'micro' or None, got 'mean'",
        ),
        (lambda: metrics.confusion_matrix(0), ValueError, "classes must be at least 1, got 0"),
        (lambda: metrics.auc(bins=1), ValueError, "metrics.auc: bins must be at least 2, got 1"),
        (
            lambda: metrics.auc().update(metrics.auc().init(), np.array([1.5]), np.array([1])),
            ValueError,
            r"metrics.auc: scores must be in \[0, 1\], got 1.5",
        ),
    ],
)
def test_misuse(call, error, text):
    with pytest.raises(error, match=text):
        call()
