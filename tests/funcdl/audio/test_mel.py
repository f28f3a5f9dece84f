import math

import numpy as np
import pytest
import scipy.fft

from funcdl import audio
from transforms import check_grads, jit, vmap

RATE = 16000
X = np.random.default_rng(0).normal(size=(2, 4000))


def pitch_of(frequency, scale):
    if scale == "htk":
        return 1127.0 * math.log(1 + frequency / 700)
    linear = 3 * frequency / 200
    return linear if frequency < 1000 else 15 + 27 * math.log(frequency / 1000) / math.log(6.4)


def triangle(frequency, left, middle, right):
    if left < frequency <= middle:
        return (frequency - left) / (middle - left)
    return (right - frequency) / (right - middle) if middle < frequency < right else 0.0


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_the_scales_are_their_formulas(scale):
    frequencies = np.array([0.0, 20.0, 440.0, 999.0, 1000.0, 1001.0, 8000.0])
    pitches = audio.hertz_to_mel(frequencies, scale=scale)
    np.testing.assert_allclose(pitches, [pitch_of(f, scale) for f in frequencies], rtol=2e-5)
    np.testing.assert_allclose(audio.mel_to_hertz(pitches, scale=scale), frequencies, atol=1e-9)


def test_values_that_are_known():
    # The scale's origin: 1000 Hz is close to 1000 mel. The other: 15 mel at its bend, and 6400 Hz 27 above.
    assert abs(audio.hertz_to_mel(1000.0) - 1000) < 0.02
    assert audio.hertz_to_mel(1000.0, scale="slaney") == 15
    np.testing.assert_allclose(audio.hertz_to_mel(6400.0, scale="slaney"), 42)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(("low", "high"), [(0.0, None), (300.0, 6000.0)])
@pytest.mark.parametrize("equal_area", [False, True])
def test_filters_are_triangles_on_the_scale(scale, low, high, equal_area):
    length, mels = 512, 20
    pitches = np.linspace(pitch_of(low, scale), pitch_of(high or RATE / 2, scale), mels + 2)
    edges = audio.mel_to_hertz(pitches, scale=scale)
    expected = np.array(
        [
            [triangle(bin_ * RATE / length, *edges[mel : mel + 3]) for mel in range(mels)]
            for bin_ in range(length // 2 + 1)
        ]
    )
    if equal_area:
        expected *= 2 / (edges[2:] - edges[:-2])
    options = {"low": low, "high": high, "scale": scale, "equal_area": equal_area}
    filters = audio.mel_filters(length, RATE, mels, **options)
    assert filters.dtype == np.float32
    np.testing.assert_allclose(filters, expected, atol=2e-4 * expected.max())


def test_equal_areas():
    filters = audio.mel_filters(8192, RATE, 10, equal_area=True, dtype=np.float64)
    np.testing.assert_allclose(filters.sum(axis=0) * RATE / 8192, 1.0, rtol=1e-3)


def test_triangles_add_up_to_one_between_their_first_and_last_peak():
    filters = audio.mel_filters(1024, RATE, 30, dtype=np.float64)
    peaks = np.argmax(filters, axis=0)
    np.testing.assert_allclose(filters[peaks[0] + 1 : peaks[-1]].sum(axis=1), 1.0)


def test_a_tone_is_loudest_at_its_pitch():
    for frequency in (300.0, 1000.0, 4000.0):
        tone = np.sin(2 * np.pi * frequency / RATE * np.arange(RATE)).astype(np.float32)
        features = audio.mel_spectrogram(tone, RATE, length=512, mels=32)
        centres = np.linspace(0, audio.hertz_to_mel(RATE / 2), 34)[1:-1]
        nearest = np.argmin(np.abs(centres - audio.hertz_to_mel(frequency)))
        assert abs(features[10].argmax() - nearest) <= 1


@pytest.mark.parametrize("count", [None, 1, 13])
def test_dct_is_that_of_scipy(count):
    x = X[:, :40]
    expected = scipy.fft.dct(x, norm="ortho")[:, :count]
    np.testing.assert_allclose(audio.dct(x, count), expected, atol=1e-12)


def test_decibels():
    power = np.random.default_rng(1).exponential(size=(2, 5, 7)) ** 8
    expected = 10 * np.log10(np.maximum(power, 1e-3))
    np.testing.assert_allclose(audio.decibels(power, least=1e-3, span=None), expected)
    limited = audio.decibels(power, span=40.0)
    for levels, powers in zip(limited, power, strict=True):
        np.testing.assert_allclose(levels.max(), 10 * np.log10(powers.max()))
        np.testing.assert_allclose(levels.min(), levels.max() - 40)


def test_mfcc_is_its_parts():
    filters = audio.mel_filters(400, RATE, 40, dtype=np.float64)
    power = np.abs(audio.stft(X, 400, hop=160)) ** 2 @ filters
    level = 10 * np.log10(np.maximum(power, 1e-10))
    level = np.maximum(level, level.max(axis=(1, 2), keepdims=True) - 80)
    expected = scipy.fft.dct(level, norm="ortho")[..., :20]
    np.testing.assert_allclose(audio.mfcc(X, RATE, coefficients=20, hop=160), expected, atol=1e-9)


def test_mel_spectrogram_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle, and is not installed")
    window = torch.hann_window(400, dtype=torch.float64)
    spectrum = torch.stft(torch.tensor(X), 400, 160, window=window, return_complex=True)
    # The filters of torchaudio: min(up, down) slopes between points that are equally spaced in mel.
    frequencies = torch.linspace(0, RATE / 2, 201, dtype=torch.float64)
    points = torch.linspace(0.0, 2595 * math.log10(1 + RATE / 2 / 700), 42, dtype=torch.float64)
    points = 700 * (10 ** (points / 2595) - 1)
    slopes = points.unsqueeze(0) - frequencies.unsqueeze(1)
    widths = points[1:] - points[:-1]
    filters = torch.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]).clamp(min=0)
    expected = spectrum.abs().square().mT @ filters
    np.testing.assert_allclose(audio.mel_spectrogram(X, RATE, hop=160), expected, rtol=1e-8)


def test_under_the_transforms():
    def features(x):
        return audio.mfcc(x, RATE, length=128, mels=10, coefficients=5)

    x = np.random.default_rng(2).normal(size=(3, 400))
    check_grads(features, (x[0],), order=1)
    expected = np.stack([features(row) for row in x])
    np.testing.assert_allclose(vmap(features)(x), expected, atol=1e-9)
    np.testing.assert_allclose(jit(features)(x), expected, atol=1e-9)
    np.testing.assert_allclose(jit(vmap(features))(x), expected, atol=1e-9)
    assert features(x.astype(np.float32)).dtype == np.float32


WRONG_VALUES = {
    "scale": (
        lambda: audio.hertz_to_mel(1.0, scale="bark"),
        "audio.hertz_to_mel: scale must be 'htk' or 'slaney', got 'bark'",
    ),
    "no mels": (lambda: audio.mel_filters(400, RATE, 0), "audio.mel_filters: mels must be at least 1, got 0"),
    "above half the rate": (
        lambda: audio.mel_filters(400, RATE, 10, high=9000.0),
        "audio.mel_filters: low and high must be ascending and in [0, 8000], half the sample rate, "
        "got 0 and 9000",
    ),
    "narrow triangles": (
        lambda: audio.mel_filters(64, RATE, 40),
        "audio.mel_filters: each triangle must hold a frequency of the spectrum, "
        "got none in triangle 0, from 0 to 91.5611 Hz; use longer frames or fewer mels",
    ),
    "coefficients": (
        lambda: audio.mfcc(X, RATE, coefficients=41),
        "audio.dct: count must be from 1 to 40, got 41",
    ),
    "least": (lambda: audio.decibels(X, least=0.0), "audio.decibels: least must be positive, got 0.0"),
    "span": (
        lambda: audio.decibels(X, span=-1.0),
        "audio.decibels: span must be positive, or None, got -1.0",
    ),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_wrong_values(case):
    make, text = WRONG_VALUES[case]
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


def test_a_misspelt_option():
    with pytest.raises(TypeError, match="mell"):
        audio.mfcc(X, RATE, mell=20)
