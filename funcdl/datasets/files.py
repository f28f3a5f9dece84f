"""Files of data: what is wrong with one, where it is, and how it gets there."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

from funcdl import _extras
from transforms.errors import message
from transforms.types import Array


class DatasetError(ValueError):
    """A file is not what it should be: truncated, foreign, or with another checksum."""


class Split(NamedTuple):
    """Data in two parts.

    Attributes:
        train: examples and labels to learn from.
        test: examples and labels to test on.
    """

    train: tuple[Array, Array]
    test: tuple[Array, Array]


class Remote(NamedTuple):
    """A file on the net.

    Attributes:
        url: its address; the last part is the file's name.
        checksum: the algorithm, a colon, and the hexadecimal digest.
    """

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def refusal(where: str, path: Path, rule: str, got: object, remedy: str = "") -> DatasetError:
    """Return the error for a file that is not what it should be."""
    return DatasetError(message(where, f"the file {path}", rule, got, remedy))


def contents(where: str, path: Path) -> bytes:
    """Return what is in a file, decompressed if its name ends in ``.gz``.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is not compressed as its name says, or is cut off.
    """
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise refusal(where, path, "be compressed by gzip, and whole", error) from error


def fetch(url: str, folder: str | os.PathLike[str], *, checksum: str) -> Path:
    """Download a file into a folder, unless it is there already.

    Args:
        url: address of the file.
        folder: where to; it is made if needed. The file keeps its name.
        checksum: ``"sha256:..."`` or ``"md5:..."``, the hexadecimal digest of the file.

    Returns:
        The path of the file, whose checksum is right.

    Raises:
        ImportError: there is something to download, and pooch is not installed.
        DatasetError: what was downloaded, or was there already, has another checksum; nothing is kept of
            the former, and nothing changed about the latter.
        OSError: the network fails.
    """
    remote = Remote(url, checksum)
    path = Path(folder) / remote.name
    if not path.exists():
        _download("datasets.fetch", remote, path)
    found = _digest(path, checksum)
    if found != checksum.lower():
        remedy = "remove the file to download it again"
        raise refusal("datasets.fetch", path, f"have the checksum {checksum}", found, remedy)
    return path


def _download(where: str, remote: Remote, path: Path) -> None:
    pooch = _extras.load("pooch", "datasets", where)
    try:
        pooch.retrieve(remote.url, known_hash=remote.checksum, fname=path.name, path=path.parent)
    except ValueError as error:
        rule = f"have the checksum {remote.checksum}"
        raise refusal(where, path, f"{rule} when downloaded from {remote.url}", error) from error


def _digest(path: Path, checksum: str) -> str:
    algorithm = checksum.partition(":")[0]
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def extract(archive: Path, folder: Path) -> None:
    """Unpack an archive ``.tar.gz`` into its own folder; nothing is written outside of it.

    It is unpacked beside and moved: folders first, then files in alphabetical order, so that the last of
    them tells that all is there.

    Raises:
        DatasetError: the archive cannot be read.
    """
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        try:
            with tarfile.open(archive) as opened:
                opened.extractall(beside, filter="data")
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal("datasets.extract", archive, "be an archive, and whole", error) from error
        for entry in sorted(Path(beside).iterdir(), key=lambda entry: (entry.is_file(), entry.name)):
            entry.rename(folder / entry.name)


def find(where: str, folder: Path, names: list[str]) -> Path:
    """Return the first file or folder of some names that is in a folder.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    rule = f"hold {' or '.join(names)}"
    raise FileNotFoundError(
        message(where, f"the folder {folder}", rule, "none", "pass download=True, or put the file there")
    )
