"""Losses: functions ``(predictions, targets)`` that give one value per example."""

from funcdl.losses.classification import sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy
from funcdl.losses.classification import softmax_cross_entropy as softmax_cross_entropy
from funcdl.losses.ctc import ctc as ctc
from funcdl.losses.focal import sigmoid_focal as sigmoid_focal
from funcdl.losses.focal import softmax_focal as softmax_focal
from funcdl.losses.likelihoods import gaussian as gaussian
from funcdl.losses.likelihoods import kl_divergence as kl_divergence
from funcdl.losses.likelihoods import poisson as poisson
from funcdl.losses.margin import hinge as hinge
from funcdl.losses.margin import multiclass_hinge as multiclass_hinge
from funcdl.losses.margin import squared_hinge as squared_hinge
from funcdl.losses.overlap import dice as dice
from funcdl.losses.overlap import tversky as tversky
from funcdl.losses.regression import huber as huber
from funcdl.losses.regression import mae as mae
from funcdl.losses.regression import mse as mse
from funcdl.losses.relative import cosine as cosine
from funcdl.losses.relative import log_cosh as log_cosh
from funcdl.losses.relative import mape as mape
from funcdl.losses.relative import msle as msle
from funcdl.losses.similarity import circle as circle
from funcdl.losses.similarity import margin_ranking as margin_ranking
from funcdl.losses.similarity import nt_xent as nt_xent
from funcdl.losses.similarity import triplet as triplet
