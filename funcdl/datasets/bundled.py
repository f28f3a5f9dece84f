"""The small data sets that come with scikit-learn: ``pip install "funcdl[datasets]"``."""

from __future__ import annotations

import numpy as np

from funcdl import _extras
from transforms.types import Array


def digits() -> tuple[Array, Array]:
    """Return scikit-learn's handwritten digits.

    Returns:
        Images, float32 in [0, 1] of shape (1797, 8, 8, 1), and the digits, int64 of shape (1797,).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI, 1998.

    >>> x, y = digits()
    >>> x.shape, x.dtype, float(x.max()), y[:5]
    ((1797, 8, 8, 1), dtype('float32'), 1.0, array([0, 1, 2, 3, 4]))
    """
    x, y = _loaded("digits")
    return (x / 16).astype(np.float32).reshape(-1, 8, 8, 1), y.astype(np.int64)


def iris() -> tuple[Array, Array]:
    """Return Fisher's measurements of iris flowers of three species.

    Returns:
        Lengths and widths of sepals and petals in cm, float32 of shape (150, 4), and the species, int64 of
        shape (150,).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936.

    >>> x, y = iris()
    >>> x.shape, np.bincount(y)
    ((150, 4), array([50, 50, 50]))
    """
    return _classes("iris")


def wine() -> tuple[Array, Array]:
    """Return chemical analyses of wines from three growers.

    Returns:
        13 measurements in their own units, float32 of shape (178, 13), and the growers, int64 of shape
        (178,).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: Forina et al., "PARVUS", 1988; UCI, 1991.

    >>> x, y = wine()
    >>> x.shape, np.bincount(y)
    ((178, 13), array([59, 71, 48]))
    """
    return _classes("wine")


def breast_cancer() -> tuple[Array, Array]:
    """Return measurements of cell nuclei, and whether the tumour was benign.

    Returns:
        30 measurements in their own units, float32 of shape (569, 30), and 0 for malignant or 1 for benign,
        int64 of shape (569,).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: Street, Wolberg and Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993.

    >>> x, y = breast_cancer()
    >>> x.shape, np.bincount(y)
    ((569, 30), array([212, 357]))
    """
    return _classes("breast_cancer")


def diabetes() -> tuple[Array, Array]:
    """Return measurements of patients, and how far their diabetes had gone a year later, for regression.

    Returns:
        10 measurements, each with mean 0 and squares that add up to 1, float32 of shape (442, 10), and the
        progression, from 25 to 346, float32 of shape (442, 1).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004.

    >>> x, y = diabetes()
    >>> x.shape, y.shape, float(y.max())
    ((442, 10), (442, 1), 346.0)
    """
    x, y = _loaded("diabetes")
    return x.astype(np.float32), y.astype(np.float32)[:, np.newaxis]


def _classes(name: str) -> tuple[Array, Array]:
    x, y = _loaded(name)
    return x.astype(np.float32), y.astype(np.int64)


def _loaded(name: str) -> tuple[Array, Array]:
    sklearn_datasets = _extras.load("sklearn.datasets", "datasets", f"datasets.{name}")
    x, y = getattr(sklearn_datasets, f"load_{name}")(return_X_y=True)
    return x, y
