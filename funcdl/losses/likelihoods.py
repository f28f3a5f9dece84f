"""Divergences and likelihoods of distributions that predictions are the parameters of."""

from __future__ import annotations

import numpy as np

from funcdl.losses.targets import as_real, check_same_shape, mean_per_example
from transforms.types import Array


def kl_divergence(log_predictions: Array, targets: Array, *, log_targets: bool = False) -> Array:
    """Divergence of predicted probabilities from the true ones: ``sum(p * (log(p) - log_predictions))``.

    Args:
        log_predictions: logarithms of probabilities, floating array of shape ``(..., classes)``, such as
            `funcdl.functional.log_softmax` gives.
        targets: the probabilities ``p``, or their logarithms; of the same shape.
        log_targets: whether they are logarithms.

    Returns:
        An array of shape ``(...)``.

    Raises:
        ValueError: the shapes differ.

    Source: Kullback & Leibler, "On Information and Sufficiency", 1951, doi:10.1214/aoms/1177729694.

    >>> kl_divergence(np.log(np.array([0.5, 0.5])), np.array([1.0, 0.0])).round(4)
    np.float64(0.6931)
    """
    check_same_shape("losses.kl_divergence", "targets", log_predictions, targets)
    targets = as_real(targets, log_predictions)
    if log_targets:
        probabilities, logarithms = np.exp(targets), targets
    else:
        probabilities, logarithms = targets, np.log(np.where(targets > 0, targets, 1.0))
    # What has probability 0 adds nothing; 0 * inf would be NaN.
    gap = np.where(probabilities > 0, logarithms - log_predictions, 0.0)
    return np.sum(probabilities * gap, axis=-1)


def poisson(log_rates: Array, counts: Array) -> Array:
    """Negative log-likelihood of counts, up to a constant: ``mean(exp(log_rates) - counts * log_rates)``.

    The mean is over all axes but the first; the constant is ``log(counts!)``.

    Args:
        log_rates: floating array of shape ``(batch, ...)``.
        counts: array of the same shape, at least 0.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    >>> poisson(np.array([0.0, 0.0]), np.array([0, 3]))
    array([1., 1.])
    """
    check_same_shape("losses.poisson", "counts", log_rates, counts)
    return mean_per_example(np.exp(log_rates) - as_real(counts, log_rates) * log_rates)


def gaussian(predictions: tuple[Array, Array], targets: Array) -> Array:
    """Negative log-likelihood of a normal distribution, up to a constant.

    ``mean((log_variance + (mean - targets)**2 / exp(log_variance)) / 2)``, over all axes but the first; the
    constant is ``log(2 * pi) / 2``.

    Args:
        predictions: ``(mean, log_variance)``, two floating arrays of shape ``(batch, ...)``. The logarithm
            keeps the variance positive whatever a model puts out.
        targets: array of the same shape.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    Source: Nix & Weigend, "Estimating the mean and variance of the target probability distribution", 1994,
    doi:10.1109/ICNN.1994.374138.

    >>> gaussian((np.array([1.0, 3.0]), np.array([0.0, 0.0])), np.array([1.0, 1.0]))
    array([0., 2.])
    """
    mean, log_variance = predictions
    check_same_shape("losses.gaussian", "targets", mean, targets)
    check_same_shape("losses.gaussian", "the logarithm of the variance", mean, log_variance)
    square = np.square(mean - as_real(targets, mean))
    return mean_per_example(0.5 * (log_variance + square * np.exp(-log_variance)))
