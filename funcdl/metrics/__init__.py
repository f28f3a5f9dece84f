"""Metrics: measures of single examples, and accumulators of what no mean over examples gives.

An accumulator is four pure functions: `Metric`.

>>> import numpy as np
>>> metric = precision(classes=2)
>>> state = metric.update(metric.init(), np.array([0, 1, 1]), np.array([0, 1, 0]))
>>> metric.result(state)
array([1. , 0.5], dtype=float32)
"""

from funcdl.metrics.accumulator import Metric as Metric
from funcdl.metrics.accumulator import mean as mean
from funcdl.metrics.classes import confusion_matrix as confusion_matrix
from funcdl.metrics.classes import f_beta as f_beta
from funcdl.metrics.classes import iou as iou
from funcdl.metrics.classes import precision as precision
from funcdl.metrics.classes import recall as recall
from funcdl.metrics.examples import accuracy as accuracy
from funcdl.metrics.examples import top_k_accuracy as top_k_accuracy
from funcdl.metrics.numbers import perplexity as perplexity
from funcdl.metrics.numbers import r2 as r2
from funcdl.metrics.numbers import rmse as rmse
from funcdl.metrics.ranking import auc as auc
