"""The short-time Fourier transform and its inverse."""

from __future__ import annotations

import numpy as np

from funcdl.audio.frames import frame, overlap_add
from funcdl.audio.windows import window_of
from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def stft(
    x: Array,
    length: int,
    *,
    hop: int | None = None,
    window: str | Array = "hann",
    center: bool = True,
    padding: str = "reflect",
) -> Array:
    """Return the short-time Fourier transform of a signal.

    ``X[t, k] = sum_n window[n] * x[t * hop + n] * exp(-2j * pi * k * n / length)``.

    Args:
        x: real, floating, shape (..., samples).
        length: samples in a frame.
        hop: samples from a frame to the next; a quarter of the length by default.
        window: a name such as "hann" or "hamming" (any that ``scipy.signal.get_window`` knows; periodic),
            or an array of shape (length,).
        center: whether ``length // 2`` samples are put on both ends of the signal, so that frame t is
            centred at ``t * hop``.
        padding: how these continue the signal, as ``np.pad`` has it: "reflect", "constant" (zeros), ...

    Returns:
        Complex array of shape (..., frames, length // 2 + 1): complex64 for float32. The frequency of the
        last axis is ``k * sample_rate / length``.

    Raises:
        TypeError: ``x`` is not real and floating.
        ValueError: a number is out of range, or there is no such window.

    Source: Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier
    transform", 1977.

    >>> tone = np.sin(2 * np.pi * 1000 / 8000 * np.arange(8000, dtype=np.float32))
    >>> spectrum = stft(tone, 256)
    >>> spectrum.shape, spectrum.dtype
    ((126, 129), dtype('complex64'))
    >>> int(np.abs(spectrum[60]).argmax()) * 8000 / 256
    1000.0
    """
    where = "audio.stft"
    found = type_of(x)
    if found.dtype.kind != "f":
        raise TypeError(message(where, "x", "be real and floating", f"dtype {found.dtype}"))
    weights = window_of(where, window, length, found.dtype)
    if center:
        around = [(0, 0)] * (found.ndim - 1) + [(length // 2, length // 2)]
        x = np.pad(x, around, mode=padding)  # type: ignore[call-overload]
    return np.fft.rfft(frame(x, length, _hop(length, hop)) * weights)


def istft(
    spectrum: Array,
    length: int,
    *,
    hop: int | None = None,
    window: str | Array = "hann",
    center: bool = True,
    samples: int | None = None,
) -> Array:
    """Return the signal whose short-time Fourier transform is closest to a spectrum.

    The frames are multiplied by the window once more, added up, and divided by the sum of the windows'
    squares: the least squares solution, which is the signal itself where the spectrum is that of one.

    Args:
        spectrum: complex, shape (..., frames, length // 2 + 1).
        length: samples in a frame, as for `stft`.
        hop: as for `stft`.
        window: as for `stft`.
        center: as for `stft`.
        samples: of the result; as many as the frames cover by default.

    Returns:
        Real array of shape (..., samples): float32 for complex64.

    Raises:
        ValueError: the spectrum has another shape, or the windows leave out a sample, which can then not
            be told.

    Source: Griffin and Lim, "Signal estimation from modified short-time Fourier transform", 1984.

    >>> x = np.random.default_rng(0).normal(size=1000)
    >>> bool(np.allclose(istft(stft(x, 64), 64, samples=1000), x))
    True
    """
    where = "audio.istft"
    shape = type_of(spectrum).shape
    if len(shape) < 2 or shape[-1] != length // 2 + 1:
        rule = f"have the shape (..., frames, {length // 2 + 1})"
        raise ValueError(message(where, "the spectrum", rule, f"shape {shape}"))
    hop = _hop(length, hop)
    frames = np.fft.irfft(spectrum, length)
    weights = window_of(where, window, length, type_of(frames).dtype)
    signal = overlap_add(frames * weights, hop)
    covered = overlap_add(np.broadcast_to(np.square(weights), (shape[-2], length)), hop)
    first = length // 2 if center else 0
    most = signal.shape[-1] - 2 * first
    samples = most if samples is None else samples
    if not 0 < samples <= most + first:
        raise ValueError(message(where, "samples", f"be from 1 to {most + first}", samples))
    signal, covered = signal[..., first : first + samples], covered[first : first + samples]
    if np.min(covered) < 1e-8:
        remedy = "use center=True, a smaller hop, or fewer samples"
        raise ValueError(message(where, "the windows", "cover every sample", "a sum of zero", remedy))
    return signal / covered


def spectrogram(
    x: Array,
    length: int,
    *,
    hop: int | None = None,
    window: str | Array = "hann",
    center: bool = True,
    padding: str = "reflect",
) -> Array:
    """Return the power of a signal in time and frequency, ``abs(stft(x)) ** 2``.

    Args:
        x: real, floating, shape (..., samples).
        length: samples in a frame.
        hop: as for `stft`, as are the other options.
        window: as for `stft`.
        center: as for `stft`.
        padding: as for `stft`.

    Returns:
        Array of shape (..., frames, length // 2 + 1) and the dtype of ``x``. Its derivative exists
        everywhere.

    Raises:
        TypeError: ``x`` is not real and floating.
        ValueError: a number is out of range, or there is no such window.

    >>> spectrogram(np.ones(8, np.float32), 4, window="boxcar", center=False)
    array([[16.,  0.,  0.],
           [16.,  0.,  0.],
           [16.,  0.,  0.],
           [16.,  0.,  0.],
           [16.,  0.,  0.]], dtype=float32)
    """
    spectrum = stft(x, length, hop=hop, window=window, center=center, padding=padding)
    return np.square(np.real(spectrum)) + np.square(np.imag(spectrum))


def _hop(length: int, hop: int | None) -> int:
    return max(length // 4, 1) if hop is None else hop
