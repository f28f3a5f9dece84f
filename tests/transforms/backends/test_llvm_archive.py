"""Programs on disk: a second process makes no schedule, and what is not as it was written is made anew."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from transforms import jit, stage
from transforms.backends.llvm import archive, disk, executable
from transforms.graph.ir import Graph, Variable
from transforms.types import ArrayType

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    run()  # what a process compiles but once is not in the folder
    path = tmp_path / "cache"
    monkeypatch.setenv("FUNCDL_CACHE", str(path))
    monkeypatch.setattr(archive, "_sources", lambda: "sources")  # which may be newer than this process
    return path


@pytest.fixture
def made(monkeypatch):
    """The graphs of which builds are made, instead of being found."""
    graphs = []
    plain = executable.building.build
    monkeypatch.setattr(
        executable.building, "build", lambda graph, *donated: graphs.append(graph) or plain(graph, *donated)
    )
    return graphs


def f(x):
    return [np.exp(x) @ x.T, x + np.arange(4, dtype=np.float32), np.sum(x)]


def run(function=f, *args):
    """Run a program that is traced and compiled for this call alone."""
    return jit(function, backend="llvm")(*(args or (X,)))


def entries(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def the_key(function=f):
    return archive.key_of(stage(function)(X))


def test_a_program_is_built_once(folder, made):
    first, second = run(), run()
    assert len(made) == 1
    for x, y, expected in zip(first, second, f(X), strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_allclose(x, expected, rtol=1e-5)
    run(lambda x: f(x)[::-1])
    assert len(made) == 2


_PROGRAMS = """
import numpy as np
from transforms import cond, grad, jit, scan, while_loop
from transforms.backends.llvm import executable

built = []
start = np.linspace(-1, 1, 6).reshape(2, 3)
large = np.arange(3000.0).reshape(1000, 3)
programs = [
    lambda x: np.exp(x) @ x.T,
    lambda x: x,
    lambda x: (x, x + 1, np.arange(3.0)),
    lambda x: np.sum(x),
    lambda x: (2.0, x.T),
    lambda x: large @ x[0] + large[:, 1],
    lambda x: np.where(x > 0, np.float32(3), x)[::-1],
    lambda x: scan(lambda c, y: (c * np.cos(y), c), x[0], x),
    lambda x: while_loop(lambda c: np.sum(c) < 9, lambda c: c + np.arange(3.0), x),
    lambda x: cond(x[0, 0] > 0, np.sin, lambda y: y @ np.eye(3), x),
    lambda x: x[np.argsort(x[:, 0])],
    lambda x: grad(lambda y: np.sum(np.tanh(y @ y.T)))(x),
    lambda x: x.astype(np.int8) + np.int8(3),
]
results = [jit(f, backend="llvm")(start) for f in programs]
weak = jit(lambda x, y: x * y, backend="llvm")(np.float32([1, 2]), 3.0)
print("transforms.backends.llvm.scheduler" in __import__("sys").modules)
print([[(np.asarray(x).dtype.str, np.asarray(x).tolist()) for x in (y if isinstance(y, tuple) else (y,))]
       for y in [*results, weak]])
"""


def test_a_second_process_makes_no_schedule(folder):
    def start():
        done = subprocess.run([sys.executable, "-c", _PROGRAMS], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    (scheduled, results), (scheduled_again, results_again) = start(), start()
    assert (scheduled, scheduled_again) == ("True", "False")
    assert results == results_again


def test_the_schedule_is_made_where_it_is_asked_for(folder, made, monkeypatch):
    first = jit(f, backend="llvm")
    first(X)
    jitted = jit(f, backend="llvm")
    jitted(X)
    assert len(made) == 1
    scheduled = []
    plain = executable.building.stages
    monkeypatch.setattr(
        executable.building,
        "stages",
        lambda *args, **options: scheduled.append(options) or plain(*args, **options),
    )
    assert jitted.lower(X).source() == first.lower(X).source()
    assert "exp v0 (float32)" in jitted.lower(X).source()
    assert "define i64 @segment0" in jitted.lower(X).source()
    assert len(scheduled) == 4
    assert "exp add" in jitted.profile(X, calls=1)
    assert {"timed": True} in scheduled


def test_what_a_program_refuses_it_refuses_from_disk_too(folder, made):
    def pick(x, i):
        return x[i]

    indices = np.array([0, 7])
    for _ in range(2):
        with pytest.raises(IndexError, match="got 7, which is out of bounds for an axis of 3"):
            run(pick, X, indices)
    assert len(made) == 1


@pytest.mark.parametrize("size", [0, 10, 40, -1])
def test_what_is_cut_off_is_made_anew(folder, size):
    expected = run()
    before = entries(folder)
    for name, content in before.items():
        (folder / name).write_bytes(content[:size])
    for x, y in zip(run(), expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert entries(folder).items() >= before.items()


@pytest.mark.parametrize("place", [0, 33, 45, -1])
def test_what_was_changed_is_made_anew(folder, place):
    expected = run()
    before = entries(folder)
    for name, content in before.items():
        changed = bytearray(content)
        changed[place] ^= 1
        (folder / name).write_bytes(changed)
    for x, y in zip(run(), expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert entries(folder).items() >= before.items()


def whole_entry(folder):
    run()
    content = disk.read(the_key())
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


@pytest.mark.parametrize(
    "change",
    [
        {"size": None},
        {"constants": [99]},
        {"constants": [[[1 << 40], "<f4"]]},
        {"constants": [[[4], "nothing"]]},
        {"outputs": [["other", 0, [3, 3]]]},
        {"results": [3]},
        {"objects": ["0" * 64]},
        {"objects": 3},
        {"segments": "many"},
        {"donated": [5]},
    ],
    ids=str,
)
def test_an_entry_of_another_form_is_made_anew(folder, made, change):
    entry, elements = whole_entry(folder)
    head = json.dumps({key: x for key, x in {**entry, **change}.items() if x is not None}).encode()
    disk.write(the_key(), len(head).to_bytes(8, "little") + head + elements)
    np.testing.assert_allclose(run()[2], np.sum(X), atol=1e-6)
    np.testing.assert_allclose(run()[1], f(X)[1])
    assert len(made) == 2


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, b"\4" + b"\0" * 7 + b"null"])
def test_an_entry_that_is_something_else_is_made_anew(folder, made, content):
    run()
    disk.write(the_key(), content)
    run()
    run()
    assert len(made) == 2


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_an_entry_that_others_can_write_is_not_used(folder, made, mode):
    run()
    (folder / the_key()).chmod(mode)
    run()
    assert len(made) == 2
    assert (folder / the_key()).stat().st_mode & 0o777 == 0o600


def test_code_that_others_can_write_is_not_used(folder, made):
    run()
    for path in folder.iterdir():
        if path.name != the_key():
            path.chmod(0o666)
    run()
    assert len(made) == 2


def test_a_missing_piece_of_code_is_made_anew(folder, made):
    entry, _ = whole_entry(folder)
    (folder / entry["objects"][0]).unlink()
    run()
    run()
    assert len(made) == 2


def test_what_decides_the_code_decides_the_entry(folder, monkeypatch):
    keys = [the_key()]
    monkeypatch.setattr(archive, "get_threads", lambda: 77)
    keys.append(the_key())
    monkeypatch.setattr(archive, "_sources", lambda: "changed")
    keys.append(the_key())
    monkeypatch.setattr(archive.np, "__version__", "0.0")
    keys.append(the_key())
    monkeypatch.setattr(archive, "host_processor", lambda: "another")
    keys.append(the_key())
    assert len(set(keys)) == len(keys)


def test_a_changed_source_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_PACKAGE", tmp_path)
    (tmp_path / "deeper").mkdir()
    file = tmp_path / "deeper" / "rule.py"
    sources = archive._sources.__wrapped__
    seen = [sources()]
    for time, text in enumerate(("x = 1", "x = 11", "x = 22")):
        file.write_text(text)
        os.utime(file, (time, time))
        seen.append(sources())
    assert seen[0] is None  # no sources, no key
    assert len(set(seen)) == 4
    file.write_text("x = 3")  # it may not be what was imported
    assert sources() is None


def test_it_can_be_turned_off(monkeypatch, made):
    monkeypatch.setenv("FUNCDL_CACHE", "0")
    assert the_key() is None
    run()
    run()
    assert len(made) == 2


def test_a_program_that_calls_numpy_is_not_kept(folder, made):
    def decompose(x):
        return np.linalg.qr(x)[0] + 1

    for _ in range(2):
        np.testing.assert_allclose(run(decompose, X), decompose(X), rtol=1e-4)
    assert len(made) == 2
    assert the_key(decompose) not in entries(folder)


def test_large_constants_are_the_programs_own(folder, made):
    large = np.arange(2.0**20)
    for _ in range(2):
        np.testing.assert_array_equal(run(lambda x: x + large, large), 2 * large)
    assert len(made) == 1
    assert max(map(len, entries(folder).values())) < 1 << 17


def test_equal_constants_of_one_program_keep_their_places(folder, made):
    types = ArrayType((3,), np.dtype("float64"))
    value = np.arange(3.0)
    one, two = Variable(types), Variable(types)
    graph = Graph((), ((one, value), (two, value)), (), (two, one, two))
    for _ in range(2):
        for x in executable.NativeExecutable(graph)():
            np.testing.assert_array_equal(x, value)
    assert len(made) == 1
