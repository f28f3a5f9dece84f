"""Resumption: a training that was killed, and goes on, is bit for bit the one that was not."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from funcdl import checkpoints, data, losses, nn, optim, random, training
from transforms import tree
from transforms.errors import TreeMismatchError

ROOT = Path(__file__).parent.parent.parent
EPOCHS = 4


def problem(path, *, folder=None, hook=None, steps_per_call=1, resume=False, epochs=EPOCHS):
    """A training with everything that has to go on: dropout, batch norm, Adam, an order, callbacks."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20, 6)).astype(np.float32)
    y = generator.integers(0, 3, 20)
    model = nn.serial(nn.dense(8), nn.batch_norm(), nn.relu, nn.dropout(0.3), nn.dense(3))
    optimizer = optim.adamw(0.05)
    state = training.init(model, optimizer, random.key(0), x)
    folder = checkpoints.Folder(path=path, keep=2) if folder is None else folder
    callbacks = [
        training.early_stopping(patience=3, monitor="val_loss"),
        training.checkpoint(folder, every=2, monitor="val_loss"),
        *([] if hook is None else [training.Callback(on_step=hook)]),
    ]
    return training.fit(
        training.train_step(model, losses.softmax_cross_entropy, optimizer),
        state,
        data.batches((x, y), 3, key=random.key(1)),
        epochs=epochs,
        validation=lambda s: training.evaluate(
            model, s.params, s.state, [(x[:5], y[:5])], {"loss": losses.softmax_cross_entropy}
        ),
        callbacks=callbacks,
        steps_per_call=steps_per_call,
        resume=resume,
        progress=False,
    )


def assert_same_bits(got, expected):
    assert got.history == expected.history
    assert tree.structure(got.state) == tree.structure(expected.state)
    for path, one, other in zip(
        tree.paths(got.state), tree.leaves(got.state), tree.leaves(expected.state), strict=True
    ):
        assert one.dtype == other.dtype, path
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), path


class KilledError(Exception):
    pass


def raise_at(step_number):
    def hook(own, run):
        if run.step >= step_number:
            raise KilledError
        return own, training.Decision()

    return hook


def never(own, run):
    return own, training.Decision()


@pytest.mark.parametrize(
    ("step_number", "steps_per_call"), [(1, 1), (3, 1), (7, 1), (8, 1), (14, 1), (20, 1), (9, 3), (20, 3)]
)
def test_a_training_goes_on_bit_for_bit(tmp_path, step_number, steps_per_call):
    whole = problem(tmp_path / "whole", hook=never, steps_per_call=steps_per_call)
    path = tmp_path / "cut"
    with pytest.raises(KilledError):
        problem(path, hook=raise_at(step_number), steps_per_call=steps_per_call)
    assert_same_bits(problem(path, hook=never, steps_per_call=steps_per_call, resume=True), whole)


def run_killed(path, script):
    """Run a training in a process of its own, whose end is SIGKILL."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.funcdl.test_training_resume import problem, never\n"
        "from funcdl import training\n"
        "path = Path(sys.argv[1])\n" + script
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


IN_THE_MIDDLE_OF_A_WRITE = """
flush, files = os.fsync, []

def cut(descriptor):
    # The folder is flushed as well; its file is whole already.
    if os.path.isfile(f"/proc/self/fd/{descriptor}"):
        files.append(descriptor)
    if len(files) == 6:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    flush(descriptor)

os.fsync = cut
problem(path, hook=never)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells files from folders by /proc")
def test_a_process_killed_in_the_middle_of_a_write(tmp_path):
    whole = problem(tmp_path / "whole", hook=never)
    path = tmp_path / "cut"
    with run_killed(path, IN_THE_MIDDLE_OF_A_WRITE) as process:
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (unfinished,) = path.glob(".*.tmp")
    folder = checkpoints.Folder(path=path)
    # Five writes were finished: steps 2, 4, 6, the end of the epoch at 7, and 9; the sixth was not.
    assert folder.steps() == [7, 9]
    with pytest.raises(checkpoints.CheckpointError, match="truncated or damaged"):
        checkpoints.manifest(unfinished)
    assert_same_bits(problem(path, hook=never, resume=True), whole)
    assert list(path.glob(".*.tmp")) == []


IN_THE_MIDDLE_OF_AN_EPOCH = """
def report(own, run):
    print(run.step, flush=True)
    return own, training.Decision()

problem(path, hook=report, epochs=10**6)
"""


def test_a_process_killed_in_the_middle_of_an_epoch(tmp_path):
    path = tmp_path / "cut"
    with run_killed(path, IN_THE_MIDDLE_OF_AN_EPOCH) as process:
        for line in process.stdout:
            if int(line) == 10:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    # Wherever it was by then, the same training that is not killed ends in the same bits.
    reached = checkpoints.Folder(path=path).steps()[-1]
    epochs = reached // 7 + 2
    whole = problem(tmp_path / "whole", hook=never, epochs=epochs)
    assert_same_bits(problem(path, hook=never, resume=True, epochs=epochs), whole)


def test_a_finished_training_only_gives_its_result(tmp_path):
    def refuse(own, run):
        raise AssertionError("no step is left")

    whole = problem(tmp_path, hook=never)
    assert_same_bits(problem(tmp_path, hook=refuse, resume=True), whole)


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    def step(state, batch):
        return state + 1, {"loss": float(state)}

    def run(resume):
        rule = training.early_stopping(patience=2, monitor="loss")
        folder = checkpoints.Folder(path=tmp_path)
        callbacks = [rule, training.checkpoint(folder)]
        batches = data.batches(np.arange(2.0), 1)
        return training.fit(step, 0, batches, epochs=9, callbacks=callbacks, resume=resume)

    first = run(False)
    assert len(first.history["loss"]) == 3
    assert run(True) == first


def test_without_a_checkpoint_it_begins(tmp_path):
    assert_same_bits(problem(tmp_path / "a", resume=True), problem(tmp_path / "b"))


def test_a_history_with_nan_comes_back(tmp_path):
    folder = checkpoints.Folder(path=tmp_path)

    def step(state, batch):
        return state + 1, {"loss": 0.0, "undefined": math.nan}

    def run(epochs, resume=False):
        callbacks = [training.checkpoint(folder)]
        batches = data.batches(np.arange(2.0), 1)
        return training.fit(step, 0, batches, epochs=epochs, callbacks=callbacks, resume=resume).history

    run(1)
    assert [math.isnan(value) for value in run(2, folder)["undefined"]] == [True, True]


# -------------------------------------------------------------------------------------------------
# What cannot go on says so


def small(folder, features=2, *, batches=None, resume=False):
    model, optimizer = nn.dense(features), optim.sgd(0.1)
    x = np.ones((6, 3), np.float32)
    state = training.init(model, optimizer, random.key(0), x)
    step = training.train_step(model, lambda predictions, y: np.sum(predictions, -1) + 0 * y, optimizer)
    batches = data.batches((x, np.zeros(6, np.float32)), 2) if batches is None else batches
    return training.fit(
        step,
        state,
        batches,
        epochs=2,
        callbacks=[training.checkpoint(folder, every=2)],
        resume=resume,
    )


def test_another_model_is_refused_by_path(tmp_path):
    folder = checkpoints.Folder(path=tmp_path)
    small(folder)
    text = r"'state/params/bias' is float32\[2\] in the file, not float32\[3\]"
    with pytest.raises(TreeMismatchError, match=text):
        small(folder, 3, resume=folder)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    folder = checkpoints.Folder(path=tmp_path)
    folder.save(1, {"w": np.ones(2)})
    text = "be a file that training.checkpoint wrote, at .*step-000000001.*, got one that has no position"
    with pytest.raises(checkpoints.CheckpointError, match=text):
        small(folder, resume=folder)


def test_a_truncated_checkpoint_is_refused_by_name(tmp_path):
    folder = checkpoints.Folder(path=tmp_path)
    small(folder)
    latest = folder.latest()
    latest.write_bytes(latest.read_bytes()[:-5])
    with pytest.raises(checkpoints.CheckpointError, match=f"at {latest}, got a truncated or damaged file"):
        small(folder, resume=folder)


def test_data_with_fewer_batches_is_refused(tmp_path):
    folder = checkpoints.Folder(path=tmp_path, keep=10)
    small(folder)
    for step in (3, 5, 6):
        (tmp_path / f"step-{step:09d}.safetensors").unlink(missing_ok=True)
    (tmp_path / "step-000000004.safetensors").unlink(missing_ok=True)
    assert json.loads(checkpoints.metadata(folder.latest())["position"])["batch"] == 2
    x = np.ones((6, 3), np.float32)
    text = r"training.fit: batches must have at least the 2 batches that were taken"
    with pytest.raises(ValueError, match=text):
        small(folder, batches=data.batches((x, np.zeros(6, np.float32)), 6), resume=folder)


def test_resuming_needs_one_folder():
    batches = data.batches(np.arange(4.0), 2)
    rule = r"training.fit: the callbacks must have one training.checkpoint to go on from, got 0"
    with pytest.raises(ValueError, match=rule):
        training.fit(lambda s, b: (s, {"loss": 0.0}), 0, batches, epochs=1, resume=True)
