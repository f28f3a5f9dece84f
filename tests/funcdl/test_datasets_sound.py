import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from funcdl import datasets
from funcdl.datasets import DatasetError

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(100,), (100, 2)])
def test_wav_files_of_scipy(tmp_path, dtype, shape):
    info = np.iinfo(dtype)
    numbers = GENERATOR.integers(info.min, info.max, shape, dtype, endpoint=True)
    wavfile.write(tmp_path / "a.wav", 8000, numbers)
    sound = datasets.read_wav(tmp_path / "a.wav")
    assert sound.rate == 8000
    assert sound.samples.dtype == np.float32
    signed = numbers.astype(np.float64) - (128 if dtype == np.uint8 else 0)
    expected = signed / 2.0 ** (info.bits - 1)
    np.testing.assert_allclose(sound.samples, expected.reshape(100, -1), rtol=1e-6)
    assert sound.samples.min() >= -1
    assert sound.samples.max() <= 1


def test_a_wav_file_of_24_bits(tmp_path):
    numbers = [0, 1, -1, 2**23 - 1, -(2**23), 123456]
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 3, 44100, len(numbers), "NONE", ""))
        file.writeframes(b"".join(struct.pack("<i", number)[:3] for number in numbers))
    samples, rate = datasets.read_wav(tmp_path / "a.wav")
    assert rate == 44100
    np.testing.assert_allclose(samples[:, 0], np.array(numbers) / 2**23, rtol=1e-6)


def write(path, samples, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, samples)


def test_wrong_wav_files(tmp_path):
    path = tmp_path / "a.wav"
    write(path, np.zeros(100, np.int16))
    whole = path.read_bytes()
    rule = "datasets.read_wav: the file {} must be a wav file of whole numbers, got {}"
    cases = {
        b"\x89PNG" + whole: rule.format(path, "file does not start with RIFF id"),
        b"": rule.format(path, "its end"),
        whole[:30]: rule.format(path, "its end"),
        whole[:-50]: f"datasets.read_wav: the file {path} must hold 200 bytes, got 150; it is truncated",
    }
    for data, text in cases.items():
        path.write_bytes(data)
        with pytest.raises(DatasetError) as caught:
            datasets.read_wav(path)
        assert str(caught.value) == text
    write(path, np.zeros(100, np.float32))
    with pytest.raises(DatasetError, match="must be a wav file of whole numbers, got unknown format: 3"):
        datasets.read_wav(path)
    with pytest.raises(FileNotFoundError):
        datasets.read_wav(tmp_path / "none.wav")


@pytest.fixture
def folder(tmp_path):
    """The layout of Speech Commands with two recordings of each word in each part."""
    lists = {"validation": [], "testing": []}
    for word_number, word in enumerate(["bird", "yes", "no"]):
        for number in range(6):
            name = f"{word}/{number:08x}_nohash_0.wav"
            length = 16000 if number % 2 else 12000
            write(tmp_path / name, np.full(length, 1000 * word_number + number + 1, np.int16))
            if number >= 2:
                lists["validation" if number < 4 else "testing"].append(name)
    for part, names in lists.items():
        (tmp_path / f"{part}_list.txt").write_text("\n".join(names) + "\n")
    write(tmp_path / "_background_noise_" / "noise.wav", np.zeros(99999, np.int16))
    return tmp_path


def test_speech_commands(folder):
    result = datasets.speech_commands(folder)
    assert result.words == ("bird", "no", "yes")
    for part, first in (("train", 0), ("validation", 2), ("test", 4)):
        x, y = getattr(result, part)
        assert x.shape == (6, 16000)
        assert x.dtype == np.float32
        assert y.tolist() == [0, 0, 1, 1, 2, 2]
        assert y.dtype == np.int64
        values = np.round(x[:, 0] * 2**15).astype(int).tolist()
        assert values == [base + first + offset for base in (0, 2000, 1000) for offset in (1, 2)]
        assert np.all(x[::2, 12000:] == 0)
        assert np.all(x[1::2, 12000:] != 0)


def test_words_in_the_order_of_their_classes(folder):
    result = datasets.speech_commands(folder, words=["yes", "bird"])
    assert result.words == ("yes", "bird")
    x, y = result.train
    assert y.tolist() == [0, 0, 1, 1]
    assert np.round(x[:, 0] * 2**15).tolist() == [1001, 1002, 1, 2]


def test_wrong_speech_commands(folder):
    with pytest.raises(FileNotFoundError) as caught:
        datasets.speech_commands(folder, words=["maybe"])
    assert str(caught.value) == (
        f"datasets.speech_commands: the folder {folder} must hold maybe, got none; "
        "pass download=True, or put the file there"
    )
    with pytest.raises(
        ValueError, match=r"datasets\.speech_commands: words must have at least one, got none"
    ):
        datasets.speech_commands(folder, words=[])
    path = folder / "yes" / "00000009_nohash_0.wav"
    for samples, rate, got in (
        (np.zeros(16001, np.int16), 16000, "16001 samples of 1 channels at 16000 a second"),
        (np.zeros((100, 2), np.int16), 16000, "100 samples of 2 channels at 16000 a second"),
        (np.zeros(100, np.int16), 8000, "100 samples of 1 channels at 8000 a second"),
    ):
        write(path, samples, rate)
        with pytest.raises(DatasetError) as caught:
            datasets.speech_commands(folder)
        assert str(caught.value) == (
            f"datasets.speech_commands: the file {path} must hold one channel of at most 16000 samples at "
            f"16000 a second, got {got}"
        )
    (folder / "testing_list.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"hold testing_list\.txt"):
        datasets.speech_commands(folder)


def test_text_files(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "b.txt").write_bytes("naïve\r\ncafé".encode())
    (tmp_path / "inner" / "a.txt").write_text("second")
    (tmp_path / "c.md").write_text("# third")
    assert datasets.text_files(tmp_path) == {"b.txt": "naïve\ncafé", "inner/a.txt": "second"}
    assert datasets.text_files(tmp_path, pattern="*.md") == {"c.md": "# third"}
    with pytest.raises(FileNotFoundError) as caught:
        datasets.text_files(tmp_path, pattern="*.rst")
    text = f"datasets.text_files: the folder {tmp_path} must hold a file that matches '*.rst', got none"
    assert str(caught.value) == text


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(DatasetError) as caught:
        datasets.text_files(tmp_path)
    assert str(caught.value) == (
        f"datasets.text_files: the file {path} must be text in utf-8, got the byte 0xe9 at 3; "
        "pass its encoding="
    )
    assert datasets.text_files(tmp_path, encoding="latin-1") == {"a.txt": "café"}
