"""Texts in the files of a folder."""

from __future__ import annotations

import os
from pathlib import Path

from funcdl.datasets.files import refusal
from transforms.errors import message


def text_files(
    folder: str | os.PathLike[str], *, pattern: str = "**/*.txt", encoding: str = "utf-8"
) -> dict[str, str]:
    """Return the texts in a folder.

    Args:
        folder: where they are.
        pattern: which files, as `pathlib.Path.glob` has it; by default those ending in ``.txt``, at any
            depth.
        encoding: of all files. All line ends become that of Unix.

    Returns:
        The texts by the path of their file in the folder, with slashes, in alphabetical order.

    Raises:
        FileNotFoundError: there is no such folder, or no such file in it.
        DatasetError: a file is not in the encoding; names it and the place.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("hello")
    ...     text_files(folder)
    {'a.txt': 'hello'}
    """
    where, folder = "datasets.text_files", Path(folder)
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not paths:
        rule = f"hold a file that matches {pattern!r}"
        raise FileNotFoundError(message(where, f"the folder {folder}", rule, "none"))
    return {path.relative_to(folder).as_posix(): _text(where, path, encoding) for path in paths}


def _text(where: str, path: Path, encoding: str) -> str:
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        got = f"the byte {error.object[error.start]:#04x} at {error.start}"
        raise refusal(where, path, f"be text in {encoding}", got, "pass its encoding=") from error
