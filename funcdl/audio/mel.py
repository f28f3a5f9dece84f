"""The mel scale of pitch, and spectra on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from funcdl.audio.fourier import spectrogram
from transforms import type_of
from transforms.errors import message
from transforms.types import Array

# Slaney's scale is linear up to 1000 Hz, 15 mel, and logarithmic above: 27 mel for a factor of 6.4.
HERTZ_PER_MEL = 200 / 3
BEND_HERTZ, BEND_MELS = 1000.0, 15.0
MELS_PER_LOG = 27 / math.log(6.4)
SCALES = ("htk", "slaney")


def hertz_to_mel(frequency: Array, *, scale: str = "htk") -> Array:
    """Return the pitch of a frequency on the mel scale.

    Args:
        frequency: in hertz, at least 0; any shape.
        scale: "htk" is ``2595 * log10(1 + f / 700)``; "slaney" is linear up to 1000 Hz and logarithmic
            above.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: there is no such scale.

    Source: O'Shaughnessy, "Speech communication", 1987; Slaney, "Auditory toolbox", 1998.

    >>> hertz_to_mel(np.array([0.0, 700.0])).round(2)
    array([  0.  , 781.17])
    """
    _check_scale("audio.hertz_to_mel", scale)
    if scale == "htk":
        return 2595 * np.log10(1 + frequency / 700)
    above = BEND_MELS + MELS_PER_LOG * np.log(np.maximum(frequency, BEND_HERTZ) / BEND_HERTZ)
    return np.where(frequency < BEND_HERTZ, frequency / HERTZ_PER_MEL, above)


def mel_to_hertz(pitch: Array, *, scale: str = "htk") -> Array:
    """Return the frequency of a pitch, the inverse of `hertz_to_mel`.

    Args:
        pitch: in mel, at least 0; any shape.
        scale: "htk" or "slaney".

    Returns:
        Array of the same shape, in hertz.

    Raises:
        ValueError: there is no such scale.

    >>> mel_to_hertz(hertz_to_mel(np.array([440.0]))).round(6)
    array([440.])
    """
    _check_scale("audio.mel_to_hertz", scale)
    if scale == "htk":
        return 700 * (10 ** (pitch / 2595) - 1)
    above = BEND_HERTZ * np.exp((np.maximum(pitch, BEND_MELS) - BEND_MELS) / MELS_PER_LOG)
    return np.where(pitch < BEND_MELS, pitch * HERTZ_PER_MEL, above)


def mel_filters(
    length: int,
    sample_rate: float,
    mels: int,
    *,
    low: float = 0.0,
    high: float | None = None,
    scale: str = "htk",
    equal_area: bool = False,
    dtype: DTypeLike = np.float32,
) -> Array:
    """Return triangles that are equally wide on the mel scale, as columns of a matrix.

    Triangle m rises from the edge m to the edge m + 1 and falls to the edge m + 2, linearly in hertz.

    Args:
        length: samples in a frame of the spectrum, as for `stft`.
        sample_rate: samples in a second.
        mels: number of triangles, at least 1.
        low: lowest edge in hertz, at least 0.
        high: highest edge, above the lowest; half of the sample rate by default.
        scale: "htk" or "slaney".
        equal_area: whether each triangle is divided by half its width in hertz, so that all have the area
            1, instead of the height 1.
        dtype: of the matrix.

    Returns:
        Array of shape (length // 2 + 1, mels): multiply a spectrum by it from the right.

    Raises:
        ValueError: a number is out of range, or a triangle is so narrow that no frequency of the
            spectrum lies in it.

    Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition", 1980.

    >>> mel_filters(8, 8000, 2).round(2)
    array([[0.  , 0.  ],
           [0.68, 0.32],
           [0.  , 0.91],
           [0.  , 0.45],
           [0.  , 0.  ]], dtype=float32)
    """
    where = "audio.mel_filters"
    high = sample_rate / 2 if high is None else high
    if mels < 1:
        raise ValueError(message(where, "mels", "be at least 1", mels))
    if not 0 <= low < high <= sample_rate / 2:
        rule = f"be ascending and in [0, {sample_rate / 2:g}], half the sample rate"
        raise ValueError(message(where, "low and high", rule, f"{low:g} and {high:g}"))
    pitches = np.linspace(hertz_to_mel(low, scale=scale), hertz_to_mel(high, scale=scale), mels + 2)
    edges = mel_to_hertz(pitches, scale=scale)
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)[:, np.newaxis]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(np.minimum(rising, falling), 0)
    empty = np.flatnonzero(np.max(triangles, axis=0) == 0)
    if len(empty):
        got = f"none in triangle {empty[0]}, from {edges[empty[0]]:g} to {edges[empty[0] + 2]:g} Hz"
        remedy = "use longer frames or fewer mels"
        raise ValueError(message(where, "each triangle", "hold a frequency of the spectrum", got, remedy))
    return (triangles * 2 / (edges[2:] - edges[:-2]) if equal_area else triangles).astype(dtype)


def mel_spectrogram(
    x: Array,
    sample_rate: float,
    *,
    length: int = 400,
    hop: int | None = None,
    mels: int = 40,
    low: float = 0.0,
    high: float | None = None,
    scale: str = "htk",
    equal_area: bool = False,
    window: str | Array = "hann",
    center: bool = True,
) -> Array:
    """Return the power of a signal in time and pitch: its `spectrogram` times `mel_filters`.

    Args:
        x: real, floating, shape (..., samples).
        sample_rate: samples in a second.
        length: samples in a frame, as for `stft`.
        hop: as for `stft`.
        mels: number of pitches, as for `mel_filters`.
        low: as for `mel_filters`.
        high: as for `mel_filters`.
        scale: as for `mel_filters`.
        equal_area: as for `mel_filters`.
        window: as for `stft`.
        center: as for `stft`.

    Returns:
        Array of shape (..., frames, mels) and the dtype of ``x``.

    Raises:
        TypeError: ``x`` is not real and floating.
        ValueError: an option is out of range.

    >>> mel_spectrogram(np.ones(16000, np.float32), 16000, hop=160).shape
    (101, 40)
    """
    power = spectrogram(x, length, hop=hop, window=window, center=center)
    filters = mel_filters(
        length,
        sample_rate,
        mels,
        low=low,
        high=high,
        scale=scale,
        equal_area=equal_area,
        dtype=type_of(x).dtype,
    )
    return power @ filters


def _check_scale(where: str, scale: str) -> None:
    if scale not in SCALES:
        raise ValueError(message(where, "scale", "be 'htk' or 'slaney'", repr(scale)))
