"""Losses on embeddings: what belongs together is to lie closer than what does not."""

from __future__ import annotations

import numpy as np

from funcdl.functional import logsumexp, relu, softplus
from funcdl.losses.classification import softmax_cross_entropy
from funcdl.losses.margin import check_sides
from funcdl.losses.targets import as_real, check_same_shape, mean_per_example
from transforms import stop_gradient, type_of
from transforms.errors import message
from transforms.types import Array

# Instead of -inf, whose exponential's derivative times 0 would be NaN.
FAR_BELOW = -1e9


def triplet(
    anchors: Array, positives: Array, negatives: Array, *, margin: float = 1.0, epsilon: float = 1e-6
) -> Array:
    """Triplet loss: ``max(0, margin + d(anchor, positive) - d(anchor, negative))``.

    ``d(a, b) = sqrt(sum((a - b)**2) + epsilon**2)``

    Args:
        anchors: floating array of shape ``(..., features)``.
        positives: of the same shape; what is to lie near the anchors.
        negatives: of the same shape; what is to lie farther away.
        margin: by how much, greater than 0.
        epsilon: greater than 0; keeps the derivative finite where two points are equal.

    Returns:
        An array of shape ``(...)``.

    Raises:
        ValueError: the shapes differ, or ``margin`` or ``epsilon`` is not positive.

    Source: Schroff et al., "FaceNet", 2015, arXiv:1503.03832 (which squares the distances).

    >>> triplet(np.array([[0.0]]), np.array([[1.0]]), np.array([[1.5]])).round(4)
    array([0.5])
    """
    where = "losses.triplet"
    _check_positive(where, "margin", margin)
    _check_positive(where, "epsilon", epsilon)
    check_same_shape(where, "positives", anchors, positives)
    check_same_shape(where, "negatives", anchors, negatives)
    near, far = (
        np.sqrt(np.sum(np.square(anchors - other), axis=-1) + epsilon * epsilon)
        for other in (positives, negatives)
    )
    return relu(margin + near - far)


def margin_ranking(scores: tuple[Array, Array], targets: Array, *, margin: float = 0.0) -> Array:
    """Ranking loss of pairs: ``mean(max(0, margin - targets * (first - second)))``.

    The mean is over all axes but the first.

    Args:
        scores: ``(first, second)``, two floating arrays of shape ``(batch, ...)``.
        targets: 1 where the first is to be the larger one, -1 where the second is; of the same shape.
        margin: by how much it should be larger, at least 0.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ, a target is neither -1 nor 1, or ``margin`` is negative.

    >>> margin_ranking((np.array([2.0, 2.0]), np.array([1.0, 1.0])), np.array([1, -1]))
    array([0., 1.])
    """
    where = "losses.margin_ranking"
    if not margin >= 0:
        raise ValueError(message(where, "margin", "be at least 0", margin))
    first, second = scores
    check_same_shape(where, "the second scores", first, second)
    check_same_shape(where, "targets", first, targets)
    check_sides(where, targets)
    return mean_per_example(relu(margin - as_real(targets, first) * (first - second)))


def nt_xent(first: Array, second: Array, *, temperature: float = 0.5) -> Array:
    """Normalized temperature-scaled cross entropy of two views of each example.

    ``-log(exp(s[i, j] / temperature) / sum(exp(s[i, k] / temperature) for k != i))``, where ``j`` is the
    other view of ``i``, ``s`` the cosine of the angle between two embeddings, and ``k`` runs over both
    views of all examples; the mean over the two views.

    Args:
        first: embeddings of one view, floating array of shape ``(batch, features)``.
        second: those of the other, of the same shape.
        temperature: greater than 0.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ, or ``temperature`` is not positive.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020,
    arXiv:2002.05709.

    >>> views = np.eye(2)
    >>> nt_xent(views, views, temperature=1.0).round(4)
    array([0.5514, 0.5514])
    """
    where = "losses.nt_xent"
    _check_positive(where, "temperature", temperature)
    check_same_shape(where, "the second view", first, second)
    batch = first.shape[0]
    similarity = _cosines(np.concatenate([first, second])) / temperature
    logits = np.where(np.eye(2 * batch, dtype=bool), FAR_BELOW, similarity)
    partners = np.roll(np.arange(2 * batch), batch)
    return np.mean(np.reshape(softmax_cross_entropy(logits, partners), (2, batch)), axis=0)


def circle(embeddings: Array, labels: Array, *, margin: float = 0.25, scale: float = 80.0) -> Array:
    """Circle loss: pairs are weighted by how far they are from where they should be.

    For each example, with the cosines ``p`` to others of its class and ``n`` to those of other classes:
    ``log(1 + sum(exp(scale * max(0, n + margin) * (n - margin)))
    * sum(exp(-scale * max(0, 1 + margin - p) * (p - 1 + margin))))``; the weights count as constants.

    Args:
        embeddings: floating array of shape ``(batch, features)``.
        labels: integer array of shape ``(batch,)``.
        margin: in (0, 1).
        scale: greater than 0.

    Returns:
        An array of shape ``(batch,)``; 0 for an example that has no other of its class, or only such.

    Raises:
        TypeError: the labels are no integers.
        ValueError: the shapes do not fit, or ``margin`` or ``scale`` is out of range.

    Source: Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", 2020,
    arXiv:2002.10857.

    >>> circle(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1])).round(4)
    array([0., 0., 0.])
    """
    where = "losses.circle"
    if not 0 < margin < 1:
        raise ValueError(message(where, "margin", "be in (0, 1)", margin))
    _check_positive(where, "scale", scale)
    shape, dtype = type_of(labels)
    if dtype.kind not in "iu":
        raise TypeError(message(where, "labels", "have an integer dtype", dtype))
    if shape != embeddings.shape[:1]:
        raise ValueError(message(where, "labels", f"have shape {embeddings.shape[:1]}", shape))
    similarity = _cosines(embeddings)
    same = labels[:, None] == labels[None, :]
    others = ~np.eye(embeddings.shape[0], dtype=bool)
    fixed = stop_gradient(similarity)
    pull = -scale * np.maximum(1.0 + margin - fixed, 0) * (similarity - (1.0 - margin))
    push = scale * np.maximum(fixed + margin, 0) * (similarity - margin)
    together = logsumexp(np.where(same & others, pull, FAR_BELOW), axis=1)
    return softplus(together + logsumexp(np.where(same, FAR_BELOW, push), axis=1))


def _cosines(embeddings: Array) -> Array:
    square = np.sum(embeddings * embeddings, axis=-1, keepdims=True)
    unit = embeddings / np.sqrt(np.maximum(square, 1e-12))
    return unit @ unit.T


def _check_positive(where: str, what: str, value: float) -> None:
    if not value > 0:
        raise ValueError(message(where, what, "be positive", value))
