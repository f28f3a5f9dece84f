"""Decibels, and the cosine transform of them that speech is recognised by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdl.audio.mel import mel_spectrogram
from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def decibels(power: Array, *, least: float = 1e-10, span: float | None = 80.0) -> Array:
    """Return ``10 * log10(power)``, limited from below.

    Args:
        power: at least 0, floating, shape (..., frames, frequencies).
        least: smaller powers count as this one, positive.
        span: how many decibels below the largest value of the last two axes smaller ones are raised to,
            positive; None for no such limit.

    Returns:
        Array like ``power``.

    Raises:
        ValueError: ``least`` or ``span`` is not positive.

    >>> decibels(np.array([[1.0, 10.0, 0.0]]), span=50.0)
    array([[  0.,  10., -40.]])
    """
    if not least > 0:
        raise ValueError(message("audio.decibels", "least", "be positive", least))
    level = 10 * np.log10(np.maximum(power, least))
    if span is None:
        return level
    if not span > 0:
        raise ValueError(message("audio.decibels", "span", "be positive, or None", span))
    return np.maximum(level, np.max(level, axis=(-2, -1), keepdims=True) - span)


def dct(x: Array, count: int | None = None) -> Array:
    """Return the orthonormal discrete cosine transform of the last axis, DCT-II.

    ``y[k] = s[k] * sum_n x[n] * cos(pi * k * (n + 1/2) / N)``, with ``s[0] = sqrt(1 / N)`` and otherwise
    ``s[k] = sqrt(2 / N)``.

    Args:
        x: floating, shape (..., N).
        count: number of coefficients, from 1 to N; all of them by default.

    Returns:
        Array of shape (..., count) and the dtype of ``x``.

    Raises:
        ValueError: the count is out of range.

    Source: Ahmed, Natarajan and Rao, "Discrete cosine transform", 1974.

    >>> dct(np.ones(4)).round(6) + 0.0
    array([2., 0., 0., 0.])
    """
    size = type_of(x).shape[-1]
    count = size if count is None else count
    if not 1 <= count <= size:
        raise ValueError(message("audio.dct", "count", f"be from 1 to {size}", count))
    angles = math.pi / size * np.outer(np.arange(size) + 0.5, np.arange(count))
    scale = np.where(np.arange(count) == 0, math.sqrt(1 / size), math.sqrt(2 / size))
    return x @ (scale * np.cos(angles)).astype(type_of(x).dtype)


def mfcc(x: Array, sample_rate: float, *, coefficients: int = 13, **options: Any) -> Array:
    """Return mel-frequency cepstral coefficients: the `dct` of the `decibels` of the `mel_spectrogram`.

    Args:
        x: real, floating, shape (..., samples).
        sample_rate: samples in a second.
        coefficients: how many, from 1 to the number of mels.
        **options: those of `mel_spectrogram`; it refuses others.

    Returns:
        Array of shape (..., frames, coefficients) and the dtype of ``x``.

    Raises:
        TypeError: ``x`` is not real and floating, or there is no such option.
        ValueError: an option is out of range.

    Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition", 1980.

    >>> mfcc(np.ones(16000, np.float32), 16000, hop=160).shape
    (101, 13)
    """
    return dct(decibels(mel_spectrogram(x, sample_rate, **options)), coefficients)
