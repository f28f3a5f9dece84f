"""Recordings in wav files, and Speech Commands."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from funcdl.datasets.files import Remote, extract, fetch, find, refusal
from transforms.errors import message
from transforms.types import Array

ARCHIVE = Remote(
    "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
)
RATE = 16000


class Sound(NamedTuple):
    """A recording.

    Attributes:
        samples: float32 in [-1, 1), shape (samples, channels).
        rate: samples in a second.
    """

    samples: Array
    rate: int


class SpeechCommands(NamedTuple):
    """Recordings of single words, in three parts. No speaker is in two of them.

    Attributes:
        train: recordings, float32 of shape (recordings, 16000), and classes, int64 of shape (recordings,).
        validation: the same, to choose by.
        test: the same, to test on.
        words: the words; a class is an index into them.
    """

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    words: tuple[str, ...]


def read_wav(path: str | os.PathLike[str]) -> Sound:
    """Read a recording from a wav file of whole numbers (PCM) of 8, 16, 24 or 32 bits.

    Args:
        path: of the file.

    Returns:
        The samples and their rate.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: the file is in another format, or truncated.
    """
    path, where = Path(path), "datasets.read_wav"
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise refusal(where, path, "be a wav file of whole numbers", str(error) or "its end") from error
    if len(data) != count * channels * width:
        got = f"{len(data)}"
        raise refusal(where, path, f"hold {count * channels * width} bytes", got, "it is truncated")
    return Sound(_as_floats(data, width).reshape(-1, channels), rate)


def speech_commands(
    folder: str | os.PathLike[str], *, words: Sequence[str] | None = None, download: bool = False
) -> SpeechCommands:
    """Return Speech Commands, recordings of one second of single English words.

    Args:
        folder: that has a folder of wav files for each word, ``validation_list.txt`` and
            ``testing_list.txt``. All words together take 6.8 GB of memory.
        words: which words to read, in the order of their classes; all of them by default, in alphabetical
            order.
        download: whether to fetch version 2, 2.4 GB, if the lists are not there.

    Returns:
        Three parts and the words. Shorter recordings end in silence.

    Raises:
        FileNotFoundError: a list, or the folder of a word, is not there.
        DatasetError: a file is truncated, foreign, or has another checksum; names it and the reason.
        ImportError: there is something to download, and pooch is not installed.
        ValueError: there is no word.

    Source: Warden, "Speech commands: a dataset for limited-vocabulary speech recognition", 2018,
    arXiv:1804.03209.
    """
    where, folder = "datasets.speech_commands", Path(folder)
    if download and not (folder / "validation_list.txt").exists():
        extract(fetch(ARCHIVE.url, folder, checksum=ARCHIVE.checksum), folder)
    lists = {name: _listed(find(where, folder, [f"{name}_list.txt"])) for name in ("validation", "testing")}
    words = _words(folder) if words is None else tuple(words)
    if not words:
        raise ValueError(message(where, "words", "have at least one", "none"))
    parts: dict[str, list[tuple[Path, int]]] = {"training": [], "validation": [], "testing": []}
    for number, word in enumerate(words):
        for path in sorted(find(where, folder, [word]).glob("*.wav")):
            name = f"{word}/{path.name}"
            part = next((part for part, names in lists.items() if name in names), "training")
            parts[part].append((path, number))
    train, validation, test = (_part(where, part) for part in parts.values())
    return SpeechCommands(train, validation, test, words)


def _as_floats(data: bytes, width: int) -> Array:
    if width == 1:  # alone without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = padded.tobytes(), 4
    return (np.frombuffer(data, f"<i{width}") / 2 ** (8 * width - 1)).astype(np.float32)


def _words(folder: Path) -> tuple[str, ...]:
    names = (path.name for path in folder.iterdir() if path.is_dir())
    return tuple(sorted(name for name in names if not name.startswith(("_", "."))))


def _listed(path: Path) -> frozenset[str]:
    return frozenset(path.read_text(encoding="utf-8").split())


def _part(where: str, files: list[tuple[Path, int]]) -> tuple[Array, Array]:
    recordings = np.zeros((len(files), RATE), np.float32)
    for row, (path, _) in enumerate(files):
        samples, rate = read_wav(path)
        if rate != RATE or samples.shape[1] != 1 or len(samples) > RATE:
            got = f"{len(samples)} samples of {samples.shape[1]} channels at {rate} a second"
            rule = f"hold one channel of at most {RATE} samples at {RATE} a second"
            raise refusal(where, path, rule, got)
        recordings[row, : len(samples)] = samples[:, 0]
    return recordings, np.array([number for _, number in files], np.int64)
