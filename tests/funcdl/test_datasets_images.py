"""Small files in the formats of MNIST and CIFAR-10, and files that are wrong."""

import gzip
import pickle
import struct

import numpy as np
import pytest

from funcdl import datasets
from funcdl.datasets import DatasetError

GENERATOR = np.random.default_rng(0)
NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    """The bytes of an array in the IDX format."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist_arrays():
    sizes = {"train": 5, "t10k": 3}
    return {
        name: GENERATOR.integers(0, 256, (size, 28, 28), np.uint8)
        if kind == "images-idx3"
        else GENERATOR.integers(0, 10, size, np.uint8)
        for part, size in sizes.items()
        for kind in ("images-idx3", "labels-idx1")
        for name in [f"{part}-{kind}-ubyte"]
    }


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (0, 5)])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx(tmp_path, dtype, shape, compressed):
    array = (GENERATOR.normal(size=shape) * 100).astype(dtype)
    path = tmp_path / ("a.gz" if compressed else "a")
    path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    result = datasets.read_idx(path)
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("read", [datasets.mnist, datasets.fashion_mnist])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_mnist(tmp_path, read, ending):
    arrays = mnist_arrays()
    for name, array in arrays.items():
        data = idx(array)
        (tmp_path / f"{name}{ending}").write_bytes(gzip.compress(data) if ending else data)
    split = read(tmp_path)
    for (x, y), part, size in ((split.train, "train", 5), (split.test, "t10k", 3)):
        assert x.shape == (size, 28, 28, 1)
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        np.testing.assert_allclose(x[..., 0] * 255, arrays[f"{part}-images-idx3-ubyte"], atol=1e-4)
        np.testing.assert_array_equal(y, arrays[f"{part}-labels-idx1-ubyte"])


def cut(data):
    return data[:-10]


BYTES = idx(np.zeros((2, 28, 28), np.uint8))
WRONG_IDX = {
    "wrong magic": (
        b"\x89PNG" + BYTES,
        "begin with two zero bytes, the type of its numbers and the number of its axes, "
        "got the bytes 89 50 4e 47",
    ),
    "no such type": (
        b"\0\0\x0a\x01" + BYTES,
        "begin with two zero bytes, the type of its numbers and the number of its axes, "
        "got the bytes 00 00 0a 01",
    ),
    "empty": (
        b"",
        "begin with two zero bytes, the type of its numbers and the number of its axes, got the bytes none",
    ),
    "head cut off": (BYTES[:9], "have a head of 16 bytes, got 9; it is truncated"),
    "cut off": (cut(BYTES), "hold 1568 bytes for the shape (2, 28, 28), got 1558 bytes; it is truncated"),
    "too long": (BYTES + b"!", "hold 1568 bytes for the shape (2, 28, 28), got 1569 bytes"),
}


@pytest.mark.parametrize("case", WRONG_IDX)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_wrong_idx(tmp_path, case, ending):
    data, text = WRONG_IDX[case]
    path = tmp_path / f"file{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    with pytest.raises(DatasetError) as caught:
        datasets.read_idx(path)
    assert str(caught.value) == f"datasets.read_idx: the file {path} must {text}"


@pytest.mark.parametrize("damage", [cut, lambda data: b"x" + data, lambda data: data[:20] + bytes(99)])
def test_wrong_gzip(tmp_path, damage):
    path = tmp_path / "file.gz"
    path.write_bytes(damage(gzip.compress(idx(GENERATOR.integers(0, 256, (2, 28, 28), np.uint8)))))
    with pytest.raises(DatasetError) as caught:
        datasets.read_idx(path)
    start = f"datasets.read_idx: the file {path} must be compressed by gzip, and whole, got "
    assert str(caught.value).startswith(start)


WRONG_MNIST = {
    "other images": (
        0,
        np.zeros((5, 8, 8), np.uint8),
        "hold bytes of shape (n, 28, 28), got uint8 (5, 8, 8)",
    ),
    "floating images": (
        0,
        np.zeros((5, 28, 28), np.float32),
        "hold bytes of shape (n, 28, 28), got float32 (5, 28, 28)",
    ),
    "too few labels": (1, np.zeros(4, np.uint8), "hold 5 bytes, one an image, got uint8 (4,)"),
    "a label too high": (3, np.array([1, 10, 2], np.uint8), "hold classes from 0 to 9, got 10"),
}


@pytest.mark.parametrize("case", WRONG_MNIST)
def test_wrong_mnist(tmp_path, case):
    number, wrong, text = WRONG_MNIST[case]
    for name, array in (mnist_arrays() | {NAMES[number]: wrong}).items():
        (tmp_path / name).write_bytes(idx(array))
    with pytest.raises(DatasetError) as caught:
        datasets.mnist(tmp_path)
    assert str(caught.value) == f"datasets.mnist: the file {tmp_path / NAMES[number]} must {text}"


def test_missing_mnist(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        datasets.mnist(tmp_path)
    assert str(caught.value) == (
        f"datasets.mnist: the folder {tmp_path} must hold {NAMES[0]} or {NAMES[0]}.gz, got none; "
        "pass download=True, or put the file there"
    )


def cifar_arrays(size=2):
    return GENERATOR.integers(0, 256, (size, 32, 32, 3), np.uint8), GENERATOR.integers(0, 10, size, np.uint8)


def rows_of(images):
    return np.stack([image.transpose(2, 0, 1).ravel() for image in images])


def as_binary(images, labels):
    return np.concatenate([labels[:, np.newaxis], rows_of(images)], axis=1).tobytes()


def as_pickle(images, labels):
    batch = {b"batch_label": b"batch 1", b"labels": labels.tolist(), b"data": rows_of(images)}
    return pickle.dumps(batch, protocol=2)


FORMATS = {
    "binary": ("cifar-10-batches-bin", ".bin", as_binary),
    "pickle": ("cifar-10-batches-py", "", as_pickle),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_cifar10(tmp_path, kind):
    folder, ending, write = FORMATS[kind]
    batches = [cifar_arrays() for _ in range(6)]
    (tmp_path / folder).mkdir()
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name, batch in zip(names, batches, strict=True):
        (tmp_path / folder / f"{name}{ending}").write_bytes(write(*batch))
    split = datasets.cifar10(tmp_path)
    for (x, y), parts in ((split.train, batches[:5]), (split.test, batches[5:])):
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        np.testing.assert_allclose(x * 255, images, atol=1e-4)
        np.testing.assert_array_equal(y, labels)


def test_a_pickle_of_python_2(tmp_path):
    """Python 2 wrote its strings as they are, and the module of NumPy 1."""
    rows = bytes(range(256)) * 12
    text = (
        b"\x80\x02}(U\x06labels](K\x07eU\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(rows))
        + rows
        + b"tbu."
    )
    (tmp_path / "batch").write_bytes(text)
    images, labels = datasets.read_cifar(tmp_path / "batch")
    assert labels.tolist() == [7]
    np.testing.assert_array_equal(images[0].transpose(2, 0, 1).ravel(), np.frombuffer(rows, np.uint8))


class Malicious:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_runs_nothing(tmp_path, capsys):
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({b"labels": [1], b"data": Malicious()}, protocol=2))
    with pytest.raises(DatasetError) as caught:
        datasets.read_cifar(path)
    assert str(caught.value) == (
        f"datasets.read_cifar: the file {path} must be a pickled batch, and whole, "
        "got __builtin__.print is not allowed in a batch"
    )
    assert capsys.readouterr().out == ""


PAIR = cifar_arrays()
WRONG_CIFAR = {
    "cut off": (
        "a.bin",
        as_binary(*PAIR)[:-1],
        "hold 3073 bytes for each example, got 6145 bytes; it is truncated, or no batch of CIFAR-10",
    ),
    "empty": (
        "a.bin",
        b"",
        "hold 3073 bytes for each example, got 0 bytes; it is truncated, or no batch of CIFAR-10",
    ),
    "a class too high": (
        "a.bin",
        as_binary(PAIR[0], np.array([3, 77], np.uint8)),
        "hold classes from 0 to 9, got 77",
    ),
    "a class too high, pickled": (
        "a",
        as_pickle(PAIR[0], np.array([3, 77], np.uint8)),
        "hold classes from 0 to 9, got others",
    ),
    "pickled and cut off": ("a", as_pickle(*PAIR)[:-50], "be a pickled batch, and whole, got "),
    "no pickle": ("a", b"\x89PNG", "be a pickled batch, and whole, got "),
    "another dict": (
        "a",
        pickle.dumps({b"fine_labels": [1]}, protocol=2),
        "be a dict of b'data' and b'labels', got [\"b'fine_labels'\"]",
    ),
    "a list": ("a", pickle.dumps([1], protocol=2), "be a dict of b'data' and b'labels', got list"),
    "too few labels": (
        "a",
        as_pickle(PAIR[0], PAIR[1][:1]),
        "hold 3072 bytes for each label, got uint8 (2, 3072) for 1 labels",
    ),
}


@pytest.mark.parametrize("case", WRONG_CIFAR)
def test_wrong_cifar(tmp_path, case):
    name, data, text = WRONG_CIFAR[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        datasets.read_cifar(tmp_path / name)
    expected = f"datasets.read_cifar: the file {tmp_path / name} must {text}"
    assert str(caught.value) == expected or text.endswith("got ")
    assert str(caught.value).startswith(expected)


def test_missing_cifar(tmp_path):
    with pytest.raises(FileNotFoundError, match="hold cifar-10-batches-bin or cifar-10-batches-py, got none"):
        datasets.cifar10(tmp_path)
    (tmp_path / "cifar-10-batches-bin").mkdir()
    with pytest.raises(FileNotFoundError, match=r"hold data_batch_1\.bin, got none"):
        datasets.cifar10(tmp_path)
    with pytest.raises(FileNotFoundError):
        datasets.read_cifar(tmp_path / "none")
