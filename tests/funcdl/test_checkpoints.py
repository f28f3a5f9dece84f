import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from funcdl import checkpoints, optim
from transforms import tree, type_of
from transforms.errors import TreeMismatchError

rng = np.random.default_rng(0)
VALUES = {
    "encoder": [{"kernel": rng.normal(size=(3, 4)).astype(np.float32), "bias": None}],
    "transposed": rng.normal(size=(3, 4)).T,
    "half": rng.normal(size=3).astype(np.float16),
    "complex": (rng.normal(size=(2, 2)) + 1j).astype(np.complex64),
    "key": np.array([0, 2**32 - 1], np.uint32),
    "flag": np.array(True),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.float32(1.5),
    "number": 3,
    "rate": 0.1,
}


def assert_same(got, expected):
    assert tree.structure(got) == tree.structure(expected)
    for path, leaf, other in zip(tree.paths(got), tree.leaves(got), tree.leaves(expected), strict=True):
        assert type_of(leaf) == type_of(other), path
        np.testing.assert_array_equal(leaf, other, err_msg=path)


def test_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, VALUES, metadata={"note": "good"})
    blank = tree.map(lambda leaf: leaf if isinstance(leaf, (int, float)) else type_of(leaf), VALUES)
    got = checkpoints.load(path, blank)
    assert_same(got, VALUES)
    assert isinstance(got["number"], int)
    assert isinstance(got["rate"], float)
    assert checkpoints.metadata(path) == {"note": "good"}
    assert checkpoints.manifest(path)["complex"] == type_of(VALUES["complex"])
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_bfloat16(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of ml_dtypes")
    values = {"w": np.arange(4).astype(ml_dtypes.bfloat16)}
    checkpoints.save(tmp_path / "a", values)
    assert_same(checkpoints.load(tmp_path / "a", values), values)


def test_optimizer_states(tmp_path):
    params = {"w": np.ones((2, 3), np.float32)}
    optimizer = optim.chain(optim.clip(1.0), optim.adam(0.1), optim.average_params(0.9))
    _, state = optimizer.update(params, optimizer.init(params), params)
    checkpoints.save(tmp_path / "a", (params, state))
    assert_same(
        checkpoints.load(tmp_path / "a", (params, optimizer.init(params))),
        tree.map(np.asarray, (params, state)),
    )


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "a"
    checkpoints.save(path, VALUES)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(checkpoints.CheckpointError, match="truncated or damaged") as caught:
        checkpoints.load(path, VALUES)
    assert str(path) in str(caught.value)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a"
    safetensors.numpy.save_file({"w": np.ones(2)}, path)
    with pytest.raises(checkpoints.CheckpointError, match="got a safetensors file of another origin"):
        checkpoints.load(path, {"w": np.ones(2)})
    header = {"format": "funcdl.checkpoints", "version": "9"}
    safetensors.numpy.save_file({"w": np.ones(2)}, path, header)
    with pytest.raises(checkpoints.CheckpointError, match="got version 9, where 1 is known"):
        checkpoints.load(path, {"w": np.ones(2)})
    path.write_bytes(b"PK\x03\x04 something else entirely")
    with pytest.raises(checkpoints.CheckpointError, match="truncated or damaged"):
        checkpoints.load(path, {"w": np.ones(2)})
    with pytest.raises(
        FileNotFoundError, match=r"checkpoints.load: the checkpoint must exist, got no file at"
    ):
        checkpoints.load(tmp_path / "b", {})


def test_another_tree_is_refused_by_path(tmp_path):
    checkpoints.save(tmp_path / "a", {"x": {"w": np.ones(2)}, "y": np.ones(3), "z": np.ones(1)})
    like = {"x": {"w": np.ones(2), "v": np.ones(1)}, "y": np.ones(4), "z": np.ones(1, np.float32)}
    with pytest.raises(TreeMismatchError) as caught:
        checkpoints.load(tmp_path / "a", {**like, "w": np.ones(1)})
    text = str(caught.value)
    assert "'w' is missing in the file" in text
    assert "'x/v' is missing in the file" in text
    assert "'y' is " in text
    assert "'z' is " in text
    with pytest.raises(TreeMismatchError, match="'x/w' is only in the file"):
        checkpoints.load(tmp_path / "a", {"y": np.ones(3), "z": np.ones(1)})


def test_partial_load(tmp_path):
    checkpoints.save(tmp_path / "a", {"encoder": [np.ones(2), np.ones(3)], "head": np.ones(4)})
    like = {"encoder": [np.zeros(2), np.zeros(3)], "head": np.zeros(5), "new": np.zeros(1)}
    got = checkpoints.load_partial(tmp_path / "a", like, "encoder/*")
    assert_same(got, {**like, "encoder": [np.ones(2), np.ones(3)]})
    with pytest.raises(TreeMismatchError, match="'new' is missing in the file; 'head' is"):
        checkpoints.load_partial(tmp_path / "a", like, "head", "new")
    with pytest.raises(ValueError, match="the pattern 'decoder' must match a parameter"):
        checkpoints.load_partial(tmp_path / "a", like, "decoder")


@pytest.mark.parametrize("leaf", ["text", np.array(["a"]), object()])
def test_leaves_that_are_not_numbers(tmp_path, leaf):
    with pytest.raises(TypeError, match="the leaf at 'x/0' must be an array of numbers"):
        checkpoints.save(tmp_path / "a", {"x": [leaf]})


def test_paths_that_meet(tmp_path):
    with pytest.raises(ValueError, match="every leaf must have a path of its own, got 'a/b'"):
        checkpoints.save(tmp_path / "a", {"a": {"b": 1}, "a/b": 2})


def test_a_folder_that_is_not_there(tmp_path):
    text = f"checkpoints.save: the folder must exist, got none at {tmp_path / 'new'}; make it first"
    with pytest.raises(FileNotFoundError, match=text):
        checkpoints.save(tmp_path / "new" / "a", {"w": np.ones(2)})


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    checkpoints.save(path, {"w": np.ones(2)})

    def full_disk(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        checkpoints.save(path, {"w": np.zeros(2)})
    assert_same(checkpoints.load(path, {"w": np.zeros(2)}), {"w": np.ones(2)})
    assert os.listdir(tmp_path) == ["a"]


def test_a_writer_that_is_killed_leaves_whole_files(tmp_path):
    script = (
        "import sys, numpy as np\n"
        "from funcdl import checkpoints\n"
        "for i in range(10**6):\n"
        "    checkpoints.save(sys.argv[1], {'w': np.full(200_000, i)})\n"
        "    print(i, flush=True)\n"
    )
    path = tmp_path / "a"
    root = str(Path(__file__).parent.parent.parent)
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    got = checkpoints.load(path, {"w": np.zeros(200_000, int)})["w"]
    assert got[0] >= 2
    np.testing.assert_array_equal(got, got[0])


@pytest.mark.parametrize(("mode", "best"), [("min", 1), ("max", 3)])
def test_a_folder_keeps_the_last_and_the_best(tmp_path, mode, best):
    folder = checkpoints.Folder(path=tmp_path / "run", keep=2, mode=mode)
    assert (folder.latest(), folder.best()) == (None, None)
    for step, value in enumerate([0.5, 0.2, float("nan"), 0.9, 0.3, None]):
        folder.save(step, {"w": np.full(2, step)}, value=value)
    assert folder.steps() == sorted({best, 4, 5})
    assert checkpoints.load(folder.latest(), {"w": np.zeros(2, int)})["w"][0] == 5
    assert checkpoints.load(folder.best(), {"w": np.zeros(2, int)})["w"][0] == best


def test_a_folder_refuses_wrong_options(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoints.Folder: keep must be at least 1, got 0"):
        checkpoints.Folder(path=tmp_path, keep=0)
    with pytest.raises(ValueError, match=r"checkpoints.Folder: mode must be 'min' or 'max', got 'low'"):
        checkpoints.Folder(path=tmp_path, mode="low")
    with pytest.raises(ValueError, match=r"checkpoints.Folder.save: step must be at least 0, got -1"):
        checkpoints.Folder(path=tmp_path).save(-1, {})


def test_the_order_of_axes_in_memory_is_kept(tmp_path):
    values = {"f": np.asfortranarray(np.ones((3, 4))), "t": np.ones((2, 3, 4)).transpose(1, 2, 0)}
    checkpoints.save(tmp_path / "a", values)
    got = checkpoints.load(tmp_path / "a", values)
    for name, array in values.items():
        assert got[name].strides == array.strides
    # Other readers see the array as it is, not its memory.
    stored = safetensors.numpy.load_file(tmp_path / "a")
    assert stored["t"].shape == (3, 4, 2)


def test_numpy_scalars_come_back_as_such(tmp_path):
    values = {"step": np.int32(3), "rate": np.float64(0.5)}
    checkpoints.save(tmp_path / "a", values)
    got = checkpoints.load(tmp_path / "a", values)
    assert {name: type(value) for name, value in got.items()} == {"step": np.int32, "rate": np.float64}


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / ".step-000000001.safetensors.123.tmp").write_bytes(b"half")
    checkpoints.Folder(path=tmp_path).save(1, {"w": np.ones(2)})
    assert os.listdir(tmp_path) == ["step-000000001.safetensors"]


def test_a_folder_keeps_text_beside_the_value(tmp_path):
    folder = checkpoints.Folder(path=tmp_path)
    file = folder.save(1, {"w": np.ones(2)}, value=0.5, metadata={"note": "good"})
    assert checkpoints.metadata(file) == {"note": "good", "value": "0.5"}
