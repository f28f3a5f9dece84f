"""MNIST and Fashion-MNIST."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from funcdl.datasets.files import Split, fetch, find, refusal
from funcdl.datasets.idx import read_idx
from transforms.types import Array

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_CHECKSUMS = {
    "train-images-idx3-ubyte": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_CHECKSUMS = {
    "train-images-idx3-ubyte": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "md5:bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "md5:bb300cfdad3c16e7a12a480ee83cd310",
}


def mnist(folder: str | os.PathLike[str], *, download: bool = False) -> Split:
    """Return MNIST, handwritten digits.

    Args:
        folder: that has ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same of ``t10k``,
            each with or without ``.gz``.
        download: whether to fetch the files that are not there, and to check the checksums of those that
            are, with ``.gz``.

    Returns:
        `Split` of images, float32 in [0, 1] of shape (60000, 28, 28, 1) and (10000, 28, 28, 1), and digits,
        int64 of shape (60000,) and (10000,).

    Raises:
        FileNotFoundError: a file is not there.
        DatasetError: a file is truncated, foreign, or has another checksum; names it and the reason.
        ImportError: there is something to download, and pooch is not installed.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    1998.
    """
    return _split("datasets.mnist", Path(folder), MNIST_URL, MNIST_CHECKSUMS if download else {})


def fashion_mnist(folder: str | os.PathLike[str], *, download: bool = False) -> Split:
    """Return Fashion-MNIST, pictures of ten kinds of clothes.

    Args:
        folder: that has files of the names of MNIST's, each with or without ``.gz``; a folder of its own.
        download: whether to fetch the files that are not there, and to check the checksums of those that
            are, with ``.gz``.

    Returns:
        As `mnist` does; the classes are t-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker,
        bag, ankle boot.

    Raises:
        FileNotFoundError: a file is not there.
        DatasetError: a file is truncated, foreign, or has another checksum; names it and the reason.
        ImportError: there is something to download, and pooch is not installed.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", 2017, arXiv:1708.07747.
    """
    return _split("datasets.fashion_mnist", Path(folder), FASHION_URL, FASHION_CHECKSUMS if download else {})


def _split(where: str, folder: Path, url: str, checksums: Mapping[str, str]) -> Split:
    for name, checksum in checksums.items():
        if not (folder / name).exists():
            fetch(f"{url}{name}.gz", folder, checksum=checksum)
    return Split(_part(where, folder, *FILES["train"]), _part(where, folder, *FILES["test"]))


def _part(where: str, folder: Path, images_name: str, labels_name: str) -> tuple[Array, Array]:
    images_path = find(where, folder, [images_name, f"{images_name}.gz"])
    labels_path = find(where, folder, [labels_name, f"{labels_name}.gz"])
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise refusal(where, images_path, "hold bytes of shape (n, 28, 28)", f"{images.dtype} {images.shape}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        got = f"{labels.dtype} {labels.shape}"
        raise refusal(where, labels_path, f"hold {len(images)} bytes, one an image", got)
    if labels.size and labels.max() > 9:
        raise refusal(where, labels_path, "hold classes from 0 to 9", labels.max())
    return (images / np.float32(255))[..., np.newaxis], labels.astype(np.int64)
