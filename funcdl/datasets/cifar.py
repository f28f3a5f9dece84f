"""CIFAR-10, in both formats in which it is published."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from funcdl.datasets.files import Remote, Split, extract, fetch, find, refusal
from transforms.types import Array

ARCHIVE = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "md5:c32a1d4ab5d03f1284b67883e8d87530",
)
FOLDERS = ["cifar-10-batches-bin", "cifar-10-batches-py"]
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
PIXELS = 3 * 32 * 32


def cifar10(folder: str | os.PathLike[str], *, download: bool = False) -> Split:
    """Return CIFAR-10, small colour photographs of ten classes.

    Args:
        folder: that has ``cifar-10-batches-bin`` or ``cifar-10-batches-py``, as they are in the archives.
        download: whether to fetch the archive of the former, if neither is there.

    Returns:
        `Split` of images, float32 in [0, 1] of shape (50000, 32, 32, 3) and (10000, 32, 32, 3), and classes,
        int64 of shape (50000,) and (10000,): airplane, automobile, bird, cat, deer, dog, frog, horse, ship,
        truck.

    Raises:
        FileNotFoundError: a file is not there.
        DatasetError: a file is truncated, foreign, or has another checksum; names it and the reason.
        ImportError: there is something to download, and pooch is not installed.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    where, folder = "datasets.cifar10", Path(folder)
    if download and not any((folder / name).exists() for name in FOLDERS):
        extract(fetch(ARCHIVE.url, folder, checksum=ARCHIVE.checksum), folder)
    inner = find(where, folder, FOLDERS)
    parts = [[read_cifar(_batch(where, inner, name)) for name in names] for names in BATCHES.values()]
    train, test = (tuple(np.concatenate(arrays) for arrays in zip(*part, strict=True)) for part in parts)
    return Split(_as_numbers(*train), _as_numbers(*test))


def read_cifar(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Read a batch of CIFAR-10 from its file.

    A file that ends in ``.bin`` has a byte for the class and 3072 for the image of each example, the
    channels one after the other. Any other is a pickled dict of ``b"data"`` and ``b"labels"``; nothing but
    arrays and plain containers is unpickled from it.

    Args:
        path: of the file.

    Returns:
        Images, uint8 of shape (examples, 32, 32, 3), and classes, uint8 of shape (examples,).

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: the file is in another format, truncated, or has other classes.

    Source: Krizhevsky, "The CIFAR-10 dataset", 2009.
    """
    path, where = Path(path), "datasets.read_cifar"
    rows, labels = _binary(where, path) if path.suffix == ".bin" else _pickled(where, path)
    if labels.size and labels.max() > 9:
        raise refusal(where, path, "hold classes from 0 to 9", labels.max())
    return np.moveaxis(rows.reshape(-1, 3, 32, 32), 1, -1), labels


def _batch(where: str, folder: Path, name: str) -> Path:
    return find(where, folder, [f"{name}.bin" if folder.name == FOLDERS[0] else name])


def _binary(where: str, path: Path) -> tuple[Array, Array]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if data.size == 0 or data.size % (PIXELS + 1):
        rule = f"hold {PIXELS + 1} bytes for each example"
        remedy = "it is truncated, or no batch of CIFAR-10"
        raise refusal(where, path, rule, f"{data.size} bytes", remedy)
    records = data.reshape(-1, PIXELS + 1)
    return records[:, 1:], records[:, 0]


def _pickled(where: str, path: Path) -> tuple[Array, Array]:
    try:
        batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to ask for
        raise refusal(where, path, "be a pickled batch, and whole", error) from error
    rows = batch.get(b"data") if isinstance(batch, dict) else None
    labels = batch.get(b"labels") if isinstance(batch, dict) else None
    if not isinstance(rows, np.ndarray) or not isinstance(labels, list):
        keys = sorted(map(str, batch)) if isinstance(batch, dict) else type(batch).__name__
        raise refusal(where, path, "be a dict of b'data' and b'labels'", keys)
    if rows.dtype != np.uint8 or rows.shape != (len(labels), PIXELS):
        got = f"{rows.dtype} {rows.shape} for {len(labels)} labels"
        raise refusal(where, path, f"hold {PIXELS} bytes for each label", got)
    if not all(isinstance(label, int) and 0 <= label <= 9 for label in labels):
        raise refusal(where, path, "hold classes from 0 to 9", "others")
    return rows, np.array(labels, np.uint8)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that makes arrays and plain containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a batch")


def _encoded(text: str, encoding: str) -> bytes:
    # How Python 3 writes bytes in the protocols of Python 2.
    return text.encode("latin1")


def _as_numbers(images: Array, labels: Array) -> tuple[Array, Array]:
    return images / np.float32(255), labels.astype(np.int64)
