"""Compiled code on disk is made once, is never trusted if others can write it, and is never needed."""

import errno
import math
import os
import subprocess
import sys
import tempfile

import pytest

from transforms.backends.llvm import disk


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setenv("FUNCDL_CACHE", str(path))
    return path


class Maker:
    """Makes code of a text, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, text):
        self.calls += 1
        return text.encode() * 100


def get(make, text="text", key="key"):
    code = disk.cached(text, key=key, make=make)
    assert code == text.encode() * 100
    return make.calls


def entry(folder):
    (path,) = folder.iterdir()
    return path


def test_an_entry_is_made_once_for_each_text_and_key(folder):
    make = Maker()
    assert [get(make), get(make), get(make, "other"), get(make, key="processor"), get(make)] == [
        1,
        1,
        2,
        3,
        3,
    ]
    assert len(list(folder.iterdir())) == 3
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("size", [0, 10, 32, 200])
def test_a_truncated_entry_is_made_anew(folder, size):
    make = Maker()
    get(make)
    whole = entry(folder).read_bytes()
    entry(folder).write_bytes(whole[:size])
    assert [get(make), get(make)] == [2, 2]
    assert entry(folder).read_bytes() == whole


def test_a_changed_entry_is_made_anew(folder):
    make = Maker()
    get(make)
    content = bytearray(entry(folder).read_bytes())
    content[-1] ^= 1
    entry(folder).write_bytes(content)
    assert [get(make), get(make)] == [2, 2]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_can_write_is_not_read(folder, mode):
    make = Maker()
    get(make)
    entry(folder).chmod(mode)
    assert [get(make), get(make)] == [2, 2]
    assert entry(folder).stat().st_mode & 0o777 == 0o600


def test_an_entry_behind_a_link_is_not_read(folder, tmp_path):
    make = Maker()
    get(make)
    moved = entry(folder).rename(tmp_path / "elsewhere")
    (folder / get_name(folder)).symlink_to(moved)
    assert get(make) == 2


def get_name(folder):
    """The name of the entry of `get`, from a folder of its own."""
    other = folder.with_name("other")
    path = os.environ["FUNCDL_CACHE"]
    os.environ["FUNCDL_CACHE"] = str(other)
    try:
        get(Maker())
    finally:
        os.environ["FUNCDL_CACHE"] = path
    return entry(other).name


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_not_used(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    make = Maker()
    assert [get(make), get(make)] == [1, 2]
    assert list(folder.iterdir()) == []


def test_a_folder_or_entry_of_another_user_is_not_used(folder, monkeypatch):
    make = Maker()
    get(make)
    owner = os.getuid()
    monkeypatch.setattr(disk.os, "getuid", lambda: owner + 1)
    assert get(make) == 2  # the entry, in a folder that was found to be the user's before
    disk._folder.cache_clear()
    assert disk.cache_folder() is None


def test_the_folder_is_bounded_and_keeps_what_was_used_last(folder, monkeypatch):
    make = Maker()
    for number in range(9):
        get(make, str(number))
    for age, path in enumerate(sorted(folder.iterdir())):
        os.utime(path, (age, age))
    newest = sorted(folder.iterdir())[-3:]
    size = newest[0].stat().st_size
    monkeypatch.setattr(disk, "_LIMIT", 3 * size)
    disk._bound.cache_clear()
    get(make, "another")
    (another,) = set(folder.iterdir()).difference(newest)
    assert sorted(folder.iterdir()) == sorted([*newest, another])


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("FUNCDL_CACHE", "0")
    make = Maker()
    assert disk.cache_folder() is None
    assert [get(make), get(make)] == [1, 2]


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FUNCDL_CACHE", str(tmp_path / "file" / "cache"))
    make = Maker()
    assert [get(make), get(make)] == [1, 2]


def test_a_disk_that_cannot_be_written_is_done_without(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    make = Maker()
    assert [get(make), get(make)] == [1, 2]


_WRITERS = """
import sys
from transforms.backends.llvm import disk
for turn in range(30):
    for number in range(5):
        text = str(number)
        code = disk.cached(text, key="key", make=lambda text: text.encode() * 100_000)
        assert code == text.encode() * 100_000
        if turn % 3 == int(sys.argv[1]):
            for path in disk.cache_folder().iterdir():
                path.unlink(missing_ok=True)
"""


def test_processes_may_write_at_once(folder):
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITERS, str(n)], stderr=subprocess.PIPE) for n in range(3)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()


_START = """
import numpy as np
from transforms import jit
from transforms.backends.llvm import translation
compiled = []
plain = translation._compile
translation._compile = lambda text: compiled.append(text) or plain(text)
f = jit(lambda x: np.sum(np.exp(x) @ x.T), backend="llvm")
print(len(compiled), float(f(np.ones((4, 4), np.float32))), len(compiled))
"""


def test_a_second_process_compiles_nothing(folder):
    def start():
        done = subprocess.run(
            [sys.executable, "-c", _START], capture_output=True, text=True, check=True, timeout=120
        )
        before, result, after = done.stdout.split()
        assert before == "0"
        assert float(result) == pytest.approx(64 * math.e)
        return int(after)

    assert start() >= 1
    assert start() == 0
