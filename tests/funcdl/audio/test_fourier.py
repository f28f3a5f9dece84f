import numpy as np
import pytest
from scipy import signal

from funcdl import audio
from transforms import check_grads, grad, jit, vmap

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(2, 500))
SETTINGS = [
    {"length": 64},
    {"length": 64, "hop": 32, "window": "hamming"},
    {"length": 50, "hop": 7, "window": "blackman", "center": False},
    {"length": 33, "hop": 11, "padding": "constant"},
]
INVERTIBLE = [
    {"length": 64},
    {"length": 64, "hop": 32, "window": "hamming"},
    {"length": 33, "hop": 11},
    {"length": 40, "hop": 10, "window": "boxcar", "center": False},
]
settings = pytest.mark.parametrize("options", SETTINGS, ids=str)
invertible = pytest.mark.parametrize("options", INVERTIBLE, ids=str)


def by_the_formula(x, length, hop=None, window="hann", center=True, padding="reflect"):
    hop = length // 4 if hop is None else hop
    weights = signal.get_window(window, length)
    padded = np.pad(x, length // 2, mode=padding) if center else x
    places = range(0, len(padded) - length + 1, hop)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(length), np.arange(length // 2 + 1)) / length)
    return np.array([(weights * padded[place : place + length]) @ waves for place in places])


@settings
def test_stft_is_its_formula(options):
    expected = np.stack([by_the_formula(x, **options) for x in X])
    np.testing.assert_allclose(audio.stft(X, **options), expected, atol=1e-10)


@settings
def test_stft_is_that_of_torch(options):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle, and is not installed")
    length = options["length"]
    window = torch.tensor(signal.get_window(options.get("window", "hann"), length))
    expected = torch.stft(
        torch.tensor(X),
        length,
        options.get("hop", length // 4),
        window=window,
        center=options.get("center", True),
        pad_mode=options.get("padding", "reflect"),
        return_complex=True,
    )
    np.testing.assert_allclose(audio.stft(X, **options), expected.mT.numpy(), atol=1e-10)


def test_stft_is_that_of_scipy():
    _, _, expected = signal.stft(X, nperseg=64, noverlap=48, window="hann", boundary="even", padded=False)
    scale = signal.get_window("hann", 64).sum()
    np.testing.assert_allclose(audio.stft(X, 64) / scale, np.swapaxes(expected, -1, -2), atol=1e-12)


@invertible
def test_istft_inverts(options):
    covered = {name: value for name, value in options.items() if name != "padding"}
    spectrum = audio.stft(X, **options)
    signals = audio.istft(spectrum, **covered)
    np.testing.assert_allclose(signals, X[:, : signals.shape[1]], atol=1e-10)
    hop = options.get("hop", options["length"] // 4)
    assert X.shape[1] - signals.shape[1] <= hop
    np.testing.assert_array_equal(audio.istft(spectrum, samples=100, **covered), signals[:, :100])


@pytest.mark.parametrize("samples", [464, 480, 420])
def test_istft_of_any_spectrum_is_that_of_torch(samples):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle, and is not installed")
    spectrum = GENERATOR.normal(size=(2, 30, 33)) + 1j * GENERATOR.normal(size=(2, 30, 33))
    window = torch.hann_window(64, dtype=torch.float64)
    given = torch.tensor(spectrum).mT
    expected = torch.istft(given, 64, 16, window=window, length=samples)
    result = audio.istft(spectrum, 64, samples=samples)
    # At the very end torch divides by fewer windows than there are; compare what all windows cover.
    np.testing.assert_allclose(result[:, :420], expected[:, :420], atol=1e-10)


def test_the_default_number_of_samples_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle, and is not installed")
    spectrum = audio.stft(X, 64)
    expected = torch.istft(
        torch.tensor(spectrum).mT, 64, 16, window=torch.hann_window(64, dtype=torch.float64)
    )
    result = audio.istft(spectrum, 64)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-10)


@pytest.mark.parametrize(("length", "hop"), [(5, 3), (4, 4), (3, 5), (1, 1)])
def test_overlap_add_is_the_transpose_of_frame(length, hop):
    x = GENERATOR.normal(size=(3, 20))
    frames = audio.frame(x, length, hop)
    np.testing.assert_array_equal(frames[0, 1], x[0, hop : hop + length])
    others = GENERATOR.normal(size=frames.shape)
    added = audio.overlap_add(others, hop)
    np.testing.assert_allclose(np.sum(frames * others), np.sum(x[:, : added.shape[1]] * added))


def test_spectrogram_is_the_squared_magnitude():
    np.testing.assert_allclose(audio.spectrogram(X, 64), np.abs(audio.stft(X, 64)) ** 2)
    silence = np.zeros(200)
    np.testing.assert_array_equal(grad(lambda x: np.sum(audio.spectrogram(x, 64)))(silence), silence)


def test_under_the_transforms():
    def energy(x):
        return np.sum(audio.spectrogram(x, 32, hop=16) ** 2)

    def back_and_forth(x):
        return audio.istft(audio.stft(x, 32) * np.linspace(0, 1, 17), 32, samples=200)

    x = GENERATOR.normal(size=(3, 200))
    check_grads(energy, (x[0],), order=1)
    check_grads(back_and_forth, (x[0],), order=1)
    for function in (lambda x: audio.stft(x, 32), back_and_forth):
        expected = np.stack([function(row) for row in x])
        np.testing.assert_allclose(vmap(function)(x), expected, atol=1e-12)
        np.testing.assert_allclose(jit(function)(x), expected, atol=1e-12)
        np.testing.assert_allclose(jit(vmap(function))(x), expected, atol=1e-12)


def test_a_window_may_be_learned():
    window = signal.get_window("hann", 32)
    x = GENERATOR.normal(size=200)
    np.testing.assert_array_equal(audio.stft(x, 32, window=window), audio.stft(x, 32))
    check_grads(lambda window: audio.spectrogram(x, 32, window=window), (window,), order=1)


def test_float32_stays_float32():
    x = X.astype(np.float32)
    spectrum = audio.stft(x, 64)
    assert spectrum.dtype == np.complex64
    assert audio.istft(spectrum, 64).dtype == audio.spectrogram(x, 64).dtype == np.float32


WRONG_VALUES = {
    "unknown window": (
        lambda: audio.stft(X, 64, window="hat"),
        "audio.stft: window must be a window that scipy.signal.get_window knows, got 'hat'",
    ),
    "another length of window": (
        lambda: audio.stft(X, 64, window=np.ones(32)),
        "audio.stft: window must have the shape (64,), one weight a sample, got shape (32,)",
    ),
    "a frame longer than the signal": (
        lambda: audio.stft(X, 600, center=False),
        "audio.frame: length must be at most 500, the number of samples, got 600; pad the signal with np.pad",
    ),
    "no hop": (lambda: audio.stft(X, 64, hop=0), "audio.frame: hop must be at least 1, got 0"),
    "a spectrum of other frames": (
        lambda: audio.istft(np.zeros((4, 33), complex), 32),
        "audio.istft: the spectrum must have the shape (..., frames, 17), got shape (4, 33)",
    ),
    "gaps": (
        lambda: audio.istft(np.zeros((4, 17), complex), 32, center=False),
        "audio.istft: the windows must cover every sample, got a sum of zero; "
        "use center=True, a smaller hop, or fewer samples",
    ),
    "too many samples": (
        lambda: audio.istft(np.zeros((4, 17), complex), 32, samples=1000),
        "audio.istft: samples must be from 1 to 40, got 1000",
    ),
    "no frames": (
        lambda: audio.overlap_add(np.zeros(3), 1),
        "audio.overlap_add: frames must have the shape (..., frames, length), got shape (3,)",
    ),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_wrong_values(case):
    make, text = WRONG_VALUES[case]
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("x", [np.zeros(100, int), np.zeros(100, complex)])
def test_a_signal_is_real_and_floating(x):
    with pytest.raises(TypeError) as caught:
        audio.stft(x, 32)
    assert str(caught.value) == f"audio.stft: x must be real and floating, got dtype {x.dtype}"
