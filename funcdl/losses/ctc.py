"""Connectionist temporal classification: labels in order, without their times."""

from __future__ import annotations

import numpy as np

from funcdl.functional.softmax import log_softmax
from funcdl.losses.targets import check_range
from transforms import scan, type_of
from transforms.errors import message
from transforms.types import Array

# Instead of -inf, the difference of two of which would be NaN.
LOG_ZERO = -1e5


def ctc(logits: Array, labels: Array, *, logit_lengths: Array, label_lengths: Array, blank: int = 0) -> Array:
    """Negative log-probability that a sequence of outputs spells the labels.

    ``-log(sum(prod(softmax(logits)[t, path[t]]) for path))``, over all paths that give the labels once
    repeated symbols are merged and blanks are taken out.

    Args:
        logits: floating array of shape ``(batch, time, classes)``.
        labels: integer array of shape ``(batch, length)``, in [0, classes); what lies beyond a label's length
            is not read.
        logit_lengths: number of steps of each sequence, integer array of shape ``(batch,)``, in [1, time].
        label_lengths: number of labels of each, likewise, in [0, length].
        blank: the class that stands for no label, in [0, classes).

    Returns:
        An array of shape ``(batch,)``. Where no path spells the labels, because there are more of them than
        steps, it is at least 1e5.

    Raises:
        TypeError: labels or lengths are no integers.
        ValueError: the shapes do not fit, or a label, a length or ``blank`` is out of range.

    Source: Graves et al., "Connectionist Temporal Classification", 2006, doi:10.1145/1143844.1143891.

    >>> lengths = {"logit_lengths": np.array([2]), "label_lengths": np.array([1])}
    >>> np.exp(-ctc(np.zeros((1, 2, 2)), np.array([[1]]), **lengths)).round(6)
    array([0.75])
    """
    _check(logits, labels, logit_lengths, label_lengths, blank)
    batch, length = labels.shape
    # Blanks between, before and after the labels: the states of the path are their places.
    blanks = np.full((batch, length), blank, dtype=labels.dtype)
    symbols = np.reshape(np.stack([blanks, labels], axis=-1), (batch, 2 * length))
    symbols = np.concatenate([symbols, blanks[:, :1] if length else np.full((batch, 1), blank)], axis=1)
    scores = np.take_along_axis(log_softmax(logits), symbols[:, None, :], axis=2)
    # A path may leave out the blank between two labels, unless they are equal.
    skips = (symbols[:, 2:] != blank) & (symbols[:, 2:] != symbols[:, :-2])

    def step(state: tuple[Array, Array], score: Array) -> tuple[tuple[Array, Array], None]:
        paths, time = state
        by_one = np.concatenate([_zeros(paths[:, :1]), paths[:, :-1]], axis=1)
        total = np.logaddexp(paths, by_one)
        by_two = np.concatenate([_zeros(paths[:, :2]), np.where(skips, paths[:, :-2], LOG_ZERO)], axis=1)
        total = np.logaddexp(total, by_two[:, : paths.shape[1]]) + score
        running = np.expand_dims(time < logit_lengths, -1)
        return (np.where(running, total, paths), time + 1), None

    start = scores[:, 0] + np.where(np.arange(symbols.shape[1]) < 2, 0.0, LOG_ZERO).astype(scores.dtype)
    (paths, _), _ = scan(step, (start, np.int32(1)), np.swapaxes(scores, 0, 1)[1:])
    ends = 2 * np.expand_dims(label_lengths, -1)
    last_blank = np.take_along_axis(paths, ends, axis=1)[:, 0]
    last_label = np.take_along_axis(paths, np.maximum(ends - 1, 0), axis=1)[:, 0]
    return -np.logaddexp(last_blank, np.where(label_lengths > 0, last_label, LOG_ZERO))


def _zeros(paths: Array) -> Array:
    return np.full_like(paths, LOG_ZERO)


def _check(logits: Array, labels: Array, logit_lengths: Array, label_lengths: Array, blank: int) -> None:
    where = "losses.ctc"
    if len(type_of(logits).shape) != 3:
        raise ValueError(message(where, "logits", "have shape (batch, time, classes)", type_of(logits).shape))
    batch, time, classes = type_of(logits).shape
    if not 0 <= blank < classes:
        raise ValueError(message(where, "blank", f"be in [0, {classes - 1}]", blank))
    limits = [
        ("labels", labels, 2, 0, classes - 1),
        ("logit_lengths", logit_lengths, 1, 1, time),
        ("label_lengths", label_lengths, 1, 0, type_of(labels).shape[-1]),
    ]
    for what, array, axes, low, high in limits:
        shape, dtype = type_of(array)
        if dtype.kind not in "iu":
            raise TypeError(message(where, what, "have an integer dtype", dtype))
        if len(shape) != axes or shape[0] != batch:
            rule = f"have {axes} {'axis' if axes == 1 else 'axes'}, the first of length {batch}"
            raise ValueError(message(where, what, rule, shape))
        check_range(where, array, low, high, what=what)
