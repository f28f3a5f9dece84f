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
    name = entry_name(text, key)
    code = read(name)
    if code is None:
        code = make(text)
        write(name, code)
    return code


def entry_name(text: str, key: str) -> str:
    """Return the name of the entry of what is made of a text and depends on a key."""
    return hashlib.sha256("\0".join((_FORMAT, key, text)).encode()).hexdigest()


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
    return folder if usable else None


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


def read(name: str) -> bytes | None:
    """Return what was written under a name; None if it is not there, or not as it was written."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / name
    try:
        if not _is_private(path):
            return None
        content = path.read_bytes()
        os.utime(path)  # used now: the entries that are not go first
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def write(name: str, content: bytes) -> None:
    """Write an entry, if the disk allows it: without, the next process compiles again."""
    folder = cache_folder()
    if folder is None:
        return
    _bound(folder)
    with contextlib.suppress(OSError):
        descriptor, beside = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(beside, folder / name)
        except OSError:
            os.unlink(beside)
            raise


@functools.cache
def _bound(folder: Path) -> None:
    """Delete, once in a process that writes, the entries that were not used longest, if all are too large."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        entries = [(x.stat(follow_symlinks=False), x) for x in found]
        entries.sort(key=lambda entry: entry[0].st_mtime, reverse=True)
        total = 0
        for status, entry in entries:
            total += status.st_size
            if total > _LIMIT:
                os.unlink(entry)
