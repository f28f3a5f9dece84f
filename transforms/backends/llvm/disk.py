"""Compiled code on disk, so that a machine compiles a program only once.

An entry is a file named by a hash of what it was made of: the text, the processor, the versions. It holds its
own hash, and one that does not match is made anew. It is written beside its place and renamed, so that
readers see whole files, and several processes may write at once. The folder belongs to the user alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_LIMIT = 256 << 20  # bytes of all entries
_DIGEST = hashlib.sha256().digest_size
_FORMAT = "1"


def cached(text: str, *, key: str, make: Callable[[str], bytes]) -> bytes:
    """Return what ``make`` gives for a text: from disk, if it was made before.

    Args:
        text: what to make it of.
        key: what else it depends on.
        make: makes it.
    """
    folder = cache_folder()
    if folder is None:
        return make(text)
    path = folder / hashlib.sha256("\0".join((_FORMAT, key, text)).encode()).hexdigest()
    code = _read(path)
    if code is None:
        code = make(text)
        _write(path, code)
    return code


def cache_folder() -> Path | None:
    """Return the folder of entries; None if there is none that is the user's alone, or it is turned off.

    It is ``funcdl`` in the user's folder of caches, or what ``FUNCDL_CACHE`` names; ``FUNCDL_CACHE=0`` turns
    it off.
    """
    return _folder(os.environ.get("FUNCDL_CACHE", ""))


@functools.cache
def _folder(wanted: str) -> Path | None:
    if wanted == "0":
        return None
    folder = Path(wanted) if wanted else _user_caches() / "funcdl" / "native"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = _is_private(folder)
    except OSError:
        return None
    if not usable:
        return None
    _bound(folder)
    return folder


def _user_caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_private(path: Path) -> bool:
    """Say whether nobody but the user can write to a file or folder."""
    if not hasattr(os, "getuid"):
        return True  # where access is ruled by other means than modes
    status = os.lstat(path)
    return (
        status.st_uid == os.getuid()
        and not stat.S_ISLNK(status.st_mode)
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _read(path: Path) -> bytes | None:
    try:
        if not _is_private(path):
            return None
        content = path.read_bytes()
        os.utime(path)  # used now: the entries that are not go first
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Write an entry, if the disk allows it: without, the next process compiles again."""
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise


def _bound(folder: Path) -> None:
    """Delete the entries that were not used for the longest time, if all are too large."""
    with contextlib.suppress(OSError):
        entries = [(x.stat(), x) for x in folder.iterdir() if x.is_file()]
        entries.sort(key=lambda entry: entry[0].st_mtime, reverse=True)
        total = 0
        for status, path in entries:
            total += status.st_size
            if total > _LIMIT:
                path.unlink()
