"""Hinge losses: no more is asked of a score once it is on the right side by a margin."""

from __future__ import annotations

import numpy as np

from funcdl.functional import relu
from funcdl.losses.targets import as_real, check_class_indices, check_same_shape, mean_per_example
from transforms.errors import message
from transforms.types import Array


def hinge(scores: Array, targets: Array) -> Array:
    """Hinge loss of two classes: ``mean(max(0, 1 - targets * scores))``, over all axes but the first.

    Args:
        scores: floating array of shape ``(batch, ...)``.
        targets: the side on which each score should be, -1 or 1, of the shape of the scores.

    Returns:
        An array of shape ``(batch,)``; its derivative at the margin is 0.

    Raises:
        ValueError: the shapes differ, or a target is neither -1 nor 1.

    Source: Cortes & Vapnik, 1995, "Support-vector networks".

    >>> hinge(np.array([2.0, 0.5, 0.5]), np.array([1, 1, -1]))
    array([0. , 0.5, 1.5])
    """
    return mean_per_example(_shortfall("losses.hinge", scores, targets))


def squared_hinge(scores: Array, targets: Array) -> Array:
    """Squared hinge loss: ``mean(max(0, 1 - targets * scores)**2)``, over all axes but the first.

    Args:
        scores: floating array of shape ``(batch, ...)``.
        targets: the side on which each score should be, -1 or 1, of the shape of the scores.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ, or a target is neither -1 nor 1.

    >>> squared_hinge(np.array([2.0, 0.5, 0.5]), np.array([1, 1, -1]))
    array([0.  , 0.25, 2.25])
    """
    return mean_per_example(np.square(_shortfall("losses.squared_hinge", scores, targets)))


def multiclass_hinge(logits: Array, labels: Array, *, margin: float = 1.0) -> Array:
    """Hinge loss of several classes: ``sum(max(0, margin - s[label] + s[j]) for j != label) / classes``.

    Args:
        logits: the scores ``s``, floating array of shape ``(..., classes)``.
        labels: class indices in [0, classes), integer array of the shape of the logits without the last
            axis.
        margin: by how much the score of the label should exceed the others, greater than 0.

    Returns:
        An array of the shape of the labels. It is divided by the number of classes, as PyTorch's
        ``multi_margin_loss`` is, and as that of Weston & Watkins is not.

    Raises:
        TypeError: the labels are no integers.
        ValueError: the shapes do not fit, a label is out of range, or ``margin`` is not positive.

    Source: Weston & Watkins, 1999, "Support vector machines for multi-class pattern recognition".

    >>> multiclass_hinge(np.array([[3.0, 0.0, 2.5, 4.0]]), np.array([0]))
    array([0.625])
    """
    where = "losses.multiclass_hinge"
    if not margin > 0:
        raise ValueError(message(where, "margin", "be positive", margin))
    check_class_indices(where, logits, labels, -1)
    own = np.take_along_axis(logits, np.expand_dims(labels, -1), -1)
    # The label's own term is the margin, exactly, whatever its score.
    return (np.sum(relu(logits - own + margin), axis=-1) - margin) / logits.shape[-1]


def _shortfall(where: str, scores: Array, targets: Array) -> Array:
    check_same_shape(where, "targets", scores, targets)
    check_sides(where, targets)
    return relu(1.0 - as_real(targets, scores) * scores)


def check_sides(where: str, targets: Array) -> None:
    """Refuse targets other than -1 and 1; names the first.

    Raises:
        ValueError: a target is neither.
    """
    if not isinstance(targets, np.ndarray):
        return
    wrong = (targets != 1) & (targets != -1)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        got = f"{targets[place]} at index {place}"
        raise ValueError(message(where, "targets", "be -1 or 1", got, "turn 0 and 1 into 2 * targets - 1"))
