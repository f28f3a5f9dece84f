"""The training loop: a fold of one pure step over the batches of every epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from funcdl.training.early_stopping import Best, EarlyStopping
from funcdl.training.means import RunningMeans
from funcdl.training.step import Step
from transforms.errors import message
from transforms.lazy import lazy_module

tqdm = lazy_module("tqdm")

History: TypeAlias = dict[str, list[float]]
Validation: TypeAlias = Callable[[Any], Mapping[str, Any]]


class Epochs(Protocol):
    """What `fit` asks of its batches; `funcdl.data.batches` gives it."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, number: int, /) -> Iterator[Any]:
        """Return the batches of one epoch, in its order."""


class FitResult(NamedTuple):
    """What training leads to.

    Attributes:
        state: the train state.
        history: what was measured in each epoch that ended, by name.
    """

    state: Any
    history: History


class NonFiniteLossError(ValueError):
    """The loss became NaN or infinite.

    Attributes:
        state: the last train state whose loss was finite.
        history: what was measured in the epochs that ended.
        step: number of steps that `fit` had taken before the one that failed.
    """

    def __init__(self, text: str, *, state: Any, history: History, step: int) -> None:
        super().__init__(text)
        self.state = state
        self.history = history
        self.step = step


def fit(
    step: Step,
    train_state: Any,
    batches: Epochs,
    *,
    epochs: int,
    validation: Validation | None = None,
    early_stopping: EarlyStopping | None = None,
    progress: bool | None = None,
) -> FitResult:
    """Fold a step over the batches of several epochs.

    An interrupt (Ctrl-C) ends the training early, and is no error: the result is what there is so far.

    Args:
        step: any pure function ``step(state, batch) -> (state, logs)`` with scalars as logs, one of them
            named ``"loss"``; `train_step` makes one.
        train_state: the state to start from. It is not changed.
        batches: `funcdl.data.batches(...)`; epoch ``e`` takes ``batches.epoch(e)``.
        epochs: number of passes over the data, at least 0.
        validation: a function of the train state, called after every epoch; its scalars enter the history
            under ``val_`` and their name.
        early_stopping: when to stop; the result is then the state of the best epoch.
        progress: whether to show a progress bar; by default, if standard error is a terminal.

    Returns:
        The state, and the history: for each name in the logs its mean over the examples of every epoch.

    Raises:
        NonFiniteLossError: the loss is NaN or infinite. It carries the last good state and the history.
        TypeError: ``batches`` has no epochs.
        ValueError: ``epochs`` is negative, or the logs have no ``"loss"``.

    >>> import numpy as np
    >>> from funcdl import data
    >>> def step(total, batch):
    ...     return total + batch.sum(), {"loss": batch.mean()}
    >>> fit(step, 0.0, data.batches(np.arange(4.0), 2), epochs=2)
    FitResult(state=np.float64(12.0), history={'loss': [1.5, 1.5]})
    """
    _check_arguments(batches, epochs)
    run = _Run(step, train_state)
    best: Best | None = None
    with _progress_bar(epochs * len(batches), progress) as bar, contextlib.suppress(KeyboardInterrupt):
        for epoch in range(epochs):
            bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
            record = run.epoch(epoch, batches.epoch(epoch), bar)
            if validation is not None:
                record |= {f"val_{name}": float(value) for name, value in validation(run.state).items()}
            run.records.append(record)
            bar.set_postfix(record, refresh=False)
            if early_stopping is not None:
                best = early_stopping.update(best, run.state, record)
                if early_stopping.should_stop(best):
                    break
    return FitResult(run.state if best is None else best.state, _by_name(run.records))


class _Run:
    """A training run in the making; it outlives an interrupt in the middle of an epoch."""

    def __init__(self, step: Step, state: Any) -> None:
        self.state = state
        self.records: list[dict[str, float]] = []
        self._step = step
        self._last_good = state
        self._steps_taken = 0

    def epoch(self, number: int, batches: Iterator[Any], bar: Any) -> dict[str, float]:
        """Take one step per batch; return the means of the logs."""
        means = RunningMeans()
        for index, batch in enumerate(batches):
            state, logs = self._step(self.state, batch)
            means.add(logs, batch, "training.fit")
            self._check_loss(logs, f"epoch {number}, batch {index}")
            # A finite loss vouches for the state that it was computed from, not yet for the next one.
            self._last_good, self.state = self.state, state
            self._steps_taken += 1
            if bar.update():
                bar.set_postfix(means.result(), refresh=False)
        return means.result()

    def _check_loss(self, logs: Mapping[str, Any], place: str) -> None:
        if "loss" not in logs:
            names = ", ".join(logs) or "none"
            raise ValueError(message("training.fit", "the step's logs", "have an entry 'loss'", names))
        if not math.isfinite(logs["loss"]):
            text = message(
                "training.fit",
                "the loss",
                "be finite",
                f"{float(logs['loss'])} at step {self._steps_taken} ({place})",
                "lower the learning rate, or clip the gradients with optim.clip_by_global_norm",
            )
            history = _by_name(self.records)
            raise NonFiniteLossError(text, state=self._last_good, history=history, step=self._steps_taken)


def _progress_bar(steps: int, shown: bool | None) -> Any:
    # To tqdm, None means: shown if standard error is a terminal.
    return tqdm.tqdm(total=steps, disable=None if shown is None else not shown, unit="step")


def _by_name(records: list[dict[str, float]]) -> History:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name, math.nan) for record in records] for name in names}


def _check_arguments(batches: Epochs, epochs: int) -> None:
    if epochs < 0:
        raise ValueError(message("training.fit", "epochs", "be at least 0", epochs))
    if not hasattr(batches, "epoch"):
        got = f"a {type(batches).__name__}"
        remedy = "make them with data.batches(arrays, batch_size, key=key)"
        raise TypeError(message("training.fit", "batches", "have epochs", got, remedy))
