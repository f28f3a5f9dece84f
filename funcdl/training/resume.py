"""A training in a file: all that it takes to go on bit for bit as if it had never stopped."""

from __future__ import annotations

import json
from typing import Any

from funcdl import checkpoints
from funcdl.checkpoints import Folder
from funcdl.training.callback import Run
from funcdl.training.means import Means
from transforms.errors import message
from transforms.tree import Tree


def save_run(folder: Folder, run: Run, value: float | None = None) -> None:
    """Write a checkpoint of a training under the number of its step.

    Args:
        folder: where.
        run: the training. The arrays are its train state and the states of its callbacks; the position and
            the history are numbers beside them.
        value: what the best checkpoint is told by.
    """
    position = {
        "epoch": run.epoch,
        "batch": run.batch,
        "step": run.step,
        "stopped": run.stopped,
        "totals": dict(run.means.totals),
        "weights": dict(run.means.weights),
        "records": run.records,
    }
    folder.save(run.step, _arrays(run), value=value, metadata={"position": json.dumps(position)})


def restore_run(folder: Folder, start: Run, batches: int) -> Run:
    """Return the training of the last checkpoint, or the start where there is none.

    Args:
        folder: where the checkpoints are.
        start: a training with the same model, optimizer and callbacks that has not begun.
        batches: number of batches in an epoch.

    Raises:
        CheckpointError: the file cannot be read, or is none of a training.
        TreeMismatchError: it is of another model, optimizer or list of callbacks; names the paths.
        ValueError: it is of data with other batches.
    """
    file = folder.latest()
    if file is None:
        return start
    text = checkpoints.metadata(file).get("position")
    if text is None:
        rule = f"be a file that training.checkpoint wrote, at {file}"
        got = "one that has no position"
        raise checkpoints.CheckpointError(message("training.fit", "the checkpoint", rule, got))
    position: dict[str, Any] = json.loads(text)
    if position["batch"] > batches:
        rule = f"have at least the {position['batch']} batches that were taken of the epoch under way"
        raise ValueError(message("training.fit", "batches", rule, batches, f"they are of {file}"))
    arrays = checkpoints.load(file, _arrays(start))
    return start._replace(
        state=arrays["state"],
        good=arrays["state"],
        callbacks=arrays["callbacks"],
        epoch=position["epoch"],
        batch=position["batch"],
        step=position["step"],
        stopped=position["stopped"],
        means=Means(position["totals"], position["weights"]),
        records=tuple(position["records"]),
    )


def _arrays(run: Run) -> Tree:
    return {"state": run.state, "callbacks": run.callbacks}
