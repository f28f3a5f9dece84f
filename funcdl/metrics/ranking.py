"""How well scores separate two classes, whatever the threshold."""

from __future__ import annotations

import numpy as np

from funcdl.functional import one_hot
from funcdl.losses.targets import as_real, check_range, check_same_shape
from funcdl.metrics.accumulator import Metric, additive, ratio
from transforms.errors import message
from transforms.types import Array


def auc(*, bins: int = 200) -> Metric:
    """Area under the ROC curve: the chance that a positive example scores higher than a negative one.

    Scores are counted in equal bins of [0, 1]; two in one bin count as equal, half a success. So the state
    stays small, and the result is off by no more than half the share of pairs that fall into one bin.

    ``update`` takes scores in [0, 1], floating, and labels 0 and 1, arrays of one shape.

    Args:
        bins: at least 2.

    Returns:
        A `Metric` whose result is a float32 scalar; NaN where one of the classes is missing.

    Raises:
        ValueError: ``bins`` is below 2; from ``update``, the shapes differ, or a value is out of range.

    Source: Hanley & McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", 1982, doi:10.1148/radiology.143.1.7063747.

    >>> metric = auc()
    >>> state = metric.update(metric.init(), np.array([0.1, 0.6, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> float(metric.result(state))
    0.75
    """
    where = "metrics.auc"
    if bins < 2:
        raise ValueError(message(where, "bins", "be at least 2", bins))

    def counts(scores: Array, labels: Array) -> Array:
        check_same_shape(where, "labels", scores, labels)
        check_range(where, labels, 0, 1)
        check_range(where, scores, 0, 1, what="scores")
        place = np.minimum(np.floor(scores * bins), bins - 1).astype(np.int32)
        present = np.reshape(as_real(labels, scores), -1).astype(np.float32)
        return np.stack([1.0 - present, present]) @ one_hot(np.reshape(place, -1), bins)

    def result(state: Array) -> Array:
        negatives, positives = state[0], state[1]
        below = np.cumsum(negatives) - 0.5 * negatives
        return ratio(np.sum(positives * below), np.sum(positives) * np.sum(negatives))

    return additive(np.zeros((2, bins), np.float32), counts, result)
