"""The usual callbacks, each a few lines of the protocol in `funcdl.training.callback`."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from funcdl._extras import load
from funcdl._files import write_whole
from funcdl.checkpoints import Folder
from funcdl.optim import AverageParamsState, HyperparametersState, Schedule, find_state
from funcdl.training.callback import Callback, Decision, Run, monitored
from funcdl.training.resume import save_run
from transforms.errors import message


class Best(NamedTuple):
    """State of `early_stopping`: the best epoch so far.

    Attributes:
        value: the monitored value that it reached, NaN before there was a number.
        state: the train state at its end.
        waited: number of epochs since then.
    """

    value: float
    state: Any
    waited: int


def early_stopping(
    *,
    monitor: str = "val_loss",
    patience: int,
    min_delta: float = 0.0,
    mode: Literal["min", "max"] = "min",
) -> Callback:
    """Stop after ``patience`` epochs without a better value, and return the state of the best epoch.

    The best state is also what a training returns that reaches its last epoch or is interrupted.

    Args:
        monitor: the entry of the history to watch.
        patience: number of epochs to wait for an improvement, at least 1.
        min_delta: what a value must be better by to count as an improvement, at least 0.
        mode: ``"min"`` if lower is better, ``"max"`` if higher is.

    Raises:
        ValueError: an argument lies outside its range; from `fit`, the history has no such entry.

    Source:
        Prechelt (1998), "Early Stopping - But When?", doi:10.1007/3-540-49430-8_3.

    >>> rule = early_stopping(monitor="val_accuracy", patience=1, mode="max")
    >>> best = rule.init("start")
    >>> best, _ = rule.on_epoch(best, Run("first", None, logs={"val_accuracy": 0.8}))
    >>> best, decision = rule.on_epoch(best, Run("second", None, logs={"val_accuracy": 0.7}))
    >>> best, decision.stop
    (Best(value=0.8, state='first', waited=1), True)
    """
    where = "training.early_stopping"
    if patience < 1:
        raise ValueError(message(where, "patience", "be at least 1", patience))
    if not min_delta >= 0:
        raise ValueError(message(where, "min_delta", "be at least 0", min_delta))
    if mode not in ("min", "max"):
        raise ValueError(message(where, "mode", "be 'min' or 'max'", repr(mode)))

    def improves(value: float, best: float) -> bool:
        # Written so that a NaN never improves on a number, and any number improves on a NaN.
        gain = best - value if mode == "min" else value - best
        return gain > min_delta or (math.isnan(best) and not math.isnan(value))

    def on_epoch(best: Best, run: Run) -> tuple[Best, Decision]:
        value = monitored(where, monitor, run.logs)
        better = improves(value, best.value)
        best = Best(value, run.state, 0) if better else best._replace(waited=best.waited + 1)
        return best, Decision(stop=best.waited >= patience)

    def on_end(best: Best, run: Run) -> tuple[Best, Decision]:
        return best, Decision(state=None if math.isnan(best.value) else best.state)

    return Callback(lambda train_state: Best(math.nan, train_state, 0), on_epoch=on_epoch, on_end=on_end)


def checkpoint(folder: Folder, *, every: int | None = None, monitor: str | None = None) -> Callback:
    """Write all that it takes to go on, after every epoch and every so many steps.

    ``fit(..., resume=True)`` goes on from the last one. Its train state is under ``"state"`` in the file:
    ``checkpoints.load_partial(folder.best(), {"state": train_state}, "state/**")``.

    Args:
        folder: where, how many to keep, and whether a lower or a higher value is better.
        every: number of steps after which one is written within an epoch as well, at least 1; None for none.
        monitor: the entry of the history that tells the best epoch, or None.

    Raises:
        ValueError: ``every`` is below 1; from `fit`, the history has no such entry.

    >>> import tempfile
    >>> import numpy as np
    >>> from funcdl import checkpoints, data, training
    >>> def step(total, batch):
    ...     return total + batch.sum(), {"loss": batch.mean()}
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = checkpoints.Folder(path=path, keep=1)
    ...     batches = data.batches(np.arange(4.0), 2)
    ...     _ = training.fit(step, 0.0, batches, epochs=2, callbacks=[checkpoint(folder)])
    ...     again = training.fit(step, 0.0, batches, epochs=3, callbacks=[checkpoint(folder)], resume=True)
    >>> float(again.state), again.history["loss"]
    (18.0, [1.5, 1.5, 1.5])
    """
    if every is not None and every < 1:
        raise ValueError(message("training.checkpoint", "every", "be at least 1", every))

    def on_step(last: int, run: Run) -> tuple[int, Decision]:
        if every is None or run.step - last < every:
            return last, Decision()
        return run.step, Decision(after=lambda run: save_run(folder, run))

    def on_epoch(_: int, run: Run) -> tuple[int, Decision]:
        value = None if monitor is None else monitored("training.checkpoint", monitor, run.logs)
        return run.step, Decision(after=lambda run: save_run(folder, run, value))

    return Callback(lambda train_state: 0, on_step=on_step, on_epoch=on_epoch, folder=folder)


def log_learning_rate(schedule: Schedule | None = None) -> Callback:
    """Enter the learning rate into the history as ``"learning_rate"``.

    Args:
        schedule: the one that the optimizer was made with, asked at the number of the epoch's last step; None
            to read the rate from the train state's ``opt_state``, where
            `funcdl.optim.inject_hyperparameters` keeps it.

    >>> from funcdl import optim
    >>> callback = log_learning_rate(optim.schedules.linear(1.0, 0.0, 10))
    >>> dict(callback.on_epoch((), Run(None, None, step=6))[1].logs)
    {'learning_rate': 0.5}
    """

    def on_epoch(state: Any, run: Run) -> tuple[Any, Decision]:
        if schedule is None:
            rate = find_state(run.state.opt_state, HyperparametersState).hyperparameters["learning_rate"]
        else:
            rate = schedule(max(run.step - 1, 0))
        return state, Decision(logs={"learning_rate": float(rate)})

    return Callback(on_epoch=on_epoch)


def log_csv(path: str | os.PathLike[str]) -> Callback:
    """Keep the history in a file of comma-separated values, a row for each epoch.

    The file is written anew after every epoch, whole or not at all, so that it has no row twice when a
    training goes on.

    Args:
        path: of the file; its folder must exist.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = log_csv(folder + "/log.csv").on_epoch((), Run(None, None, records=({"loss": 0.5},)))
    ...     Path(folder + "/log.csv").read_text().split()
    ['epoch,loss', '1,0.5']
    """

    def on_epoch(state: Any, run: Run) -> tuple[Any, Decision]:
        rows = [{"epoch": number, **record} for number, record in enumerate(run.records, 1)]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
        write_whole("training.log_csv", Path(path), text.getvalue().encode())
        return state, Decision()

    return Callback(on_epoch=on_epoch)


def log_tensorboard(folder: str | os.PathLike[str]) -> Callback:
    """Write each epoch's record for TensorBoard, under the number of the epoch.

    Args:
        folder: where; it is made if it is not there.

    Raises:
        ImportError: tensorboardX is not installed; from `fit`.
    """
    opened: list[Any] = []

    def writer(first_epoch: int) -> Any:
        if not opened:
            make = load("tensorboardX", "tensorboard", "training.log_tensorboard").SummaryWriter
            # What a run that was killed has written about this epoch and later ones does not count.
            opened.append(make(os.fspath(folder), purge_step=first_epoch))
        return opened[0]

    def on_epoch(state: Any, run: Run) -> tuple[Any, Decision]:
        for name, value in run.logs.items():
            writer(run.epoch).add_scalar(name, value, run.epoch)
        writer(run.epoch).flush()
        return state, Decision()

    def on_end(state: Any, run: Run) -> tuple[Any, Decision]:
        while opened:
            opened.pop().close()
        return state, Decision()

    return Callback(on_epoch=on_epoch, on_end=on_end)


def terminate_on_nan(monitor: Sequence[str] = ("loss", "val_loss")) -> Callback:
    """End the training, without an error, where a value is NaN or infinite.

    The result is then the last state whose loss was finite. Without this, `fit` raises `NonFiniteLossError`.

    Args:
        monitor: the entries of the logs to watch, where there are any.

    >>> terminate_on_nan().on_step((), Run("bad", "good", logs={"loss": math.nan}))[1][:2]
    (True, 'good')
    """

    def look(state: Any, run: Run) -> tuple[Any, Decision]:
        finite = all(math.isfinite(run.logs.get(name, 0.0)) for name in monitor)
        return state, Decision() if finite else Decision(stop=True, state=run.good)

    return Callback(on_step=look, on_epoch=look)


def swap_average(train_state: Any) -> Any:
    """Return a train state with the average of its parameters in their place.

    It is what to validate, too: ``validation=lambda state: validate(swap_average(state))``.

    Args:
        train_state: a `TrainState` whose optimizer ends in `funcdl.optim.average_params`.

    Raises:
        ValueError: there is no such average in ``opt_state``.

    >>> import numpy as np
    >>> from funcdl import nn, optim, random, training
    >>> optimizer = optim.chain(optim.sgd(0.1), optim.average_params(0.9))
    >>> state = training.init(nn.dense(3), optimizer, random.key(0), np.ones((1, 2), np.float32))
    >>> swap_average(state).params["kernel"].shape
    (2, 3)
    """
    return train_state._replace(params=find_state(train_state.opt_state, AverageParamsState).average)


def ema_swap() -> Callback:
    """Return the moving average of the parameters instead of the last ones, by `swap_average`.

    The average is part of the compiled step: end the optimizer in `funcdl.optim.average_params`. After
    `early_stopping` in the list, it returns the average of the best epoch.

    Raises:
        ValueError: from `fit`, the optimizer keeps no such average.

    >>> import numpy as np
    >>> from funcdl import data, losses, nn, optim, random, training
    >>> model, optimizer = nn.dense(1), optim.chain(optim.sgd(0.1), optim.average_params(0.9))
    >>> x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    >>> state = training.init(model, optimizer, random.key(0), x)
    >>> step = training.train_step(model, losses.mse, optimizer)
    >>> last, _ = training.fit(step, state, data.batches((x, y), 2), epochs=1)
    >>> average, _ = training.fit(step, state, data.batches((x, y), 2), epochs=1, callbacks=[ema_swap()])
    >>> bool(np.all(average.params["kernel"] == training.swap_average(last).params["kernel"]))
    True
    """
    return Callback(on_end=lambda state, run: (state, Decision(state=swap_average(run.state))))
