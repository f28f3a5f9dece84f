"""Losses: functions ``(predictions, targets)`` that give one value per example."""

from funcdl.losses.classification import sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy
from funcdl.losses.classification import softmax_cross_entropy as softmax_cross_entropy
from funcdl.losses.margin import hinge as hinge
from funcdl.losses.margin import multiclass_hinge as multiclass_hinge
from funcdl.losses.margin import squared_hinge as squared_hinge
from funcdl.losses.regression import huber as huber
from funcdl.losses.regression import mae as mae
from funcdl.losses.regression import mse as mse
