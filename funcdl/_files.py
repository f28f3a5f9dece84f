"""Files that are there whole or not at all, at whatever moment the process or the machine stops."""

from __future__ import annotations

import os
from pathlib import Path

from transforms.errors import message

UNFINISHED = ".{name}.{process}.tmp"


def write_whole(where: str, path: Path, content: bytes) -> None:
    """Write a file beside its place, flush it to the disk and rename it.

    Args:
        where: the callable to name in an error.
        path: the place; its folder must exist. Whoever reads finds the old file or the new one.
        content: what it holds.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not path.parent.is_dir():
        remedy = "make it first, with Path.mkdir(parents=True)"
        raise FileNotFoundError(message(where, "the folder", "exist", f"none at {path.parent}", remedy))
    beside = path.with_name(UNFINISHED.format(name=path.name, process=os.getpid()))
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def remove_unfinished(folder: Path, pattern: str) -> None:
    """Remove what writers that were killed have left beside the files that match a pattern.

    Args:
        folder: where they lie. No other process may be writing there.
        pattern: of the names of whole files, such as ``"step-*"``.
    """
    for file in folder.glob(UNFINISHED.format(name=pattern, process="*")):
        file.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    # The new name is in the folder, which has to reach the disk as well.
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
