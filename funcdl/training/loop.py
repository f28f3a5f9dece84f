"""The training loop: a fold of one pure step over the batches of every epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from funcdl.checkpoints import Folder
from funcdl.training.callback import Callback, Record, Run, notify
from funcdl.training.calls import Advance, in_groups, many_at_once, one_by_one
from funcdl.training.means import EXAMPLES, Means, as_scalars, number_of_examples
from funcdl.training.resume import restore_run
from funcdl.training.step import Logs, Step
from transforms.errors import message
from transforms.lazy import lazy_module

tqdm = lazy_module("tqdm")

History: TypeAlias = dict[str, list[float]]
Validation: TypeAlias = Callable[[Any], Mapping[str, Any]]


class Epochs(Protocol):
    """What `fit` asks of its batches; `funcdl.data.batches` gives it."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, number: int, /, *, start: int = 0) -> Iterator[Any]:
        """Return the batches of one epoch, in its order, from the one with index ``start``.

        Only a training that goes on in the middle of an epoch gives ``start``.
        """


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
    callbacks: Sequence[Callback] = (),
    steps_per_call: int = 1,
    resume: bool | Folder = False,
    progress: bool | None = None,
) -> FitResult:
    """Fold a step over the batches of several epochs.

    An interrupt (Ctrl-C) ends the training early, and is no error: the result is what there is so far.

    Args:
        step: any pure function ``step(state, batch) -> (state, logs)`` with scalars as logs, one of them
            named ``"loss"``; `train_step` makes one. If one is named ``"examples"``, that is how much the
            batch counts in the means; else it is the length of its first axis.
        train_state: the state to start from. It is not changed.
        batches: `funcdl.data.batches(...)`; epoch ``e`` takes ``batches.epoch(e)``.
        epochs: number of passes over the data, at least 0.
        validation: a function of the train state, called after every epoch; its scalars enter the history
            under ``val_`` and their name.
        callbacks: what else is to be done, in this order; see `Callback`.
        steps_per_call: number of steps in one compiled `transforms.scan`, at least 1; 1 calls ``step`` as it
            is. Callbacks see the training after every call.
        resume: whether to go on from the last file that the callback `checkpoint` has kept, bit for bit as if
            the training had never stopped; or the folder of such files. Where there is none it begins.
        progress: whether to show a progress bar; by default, if standard error is a terminal.

    Returns:
        The state, and the history: for each name in the logs its mean over the examples of every epoch.

    Raises:
        NonFiniteLossError: the loss is NaN or infinite, and no callback ends the training there. It carries
            the last good state and the history.
        CheckpointError: the checkpoint to go on from cannot be read.
        TypeError: ``batches`` has no epochs, or the step does not return a pair.
        ValueError: a number is out of range, no callback or more than one keeps files to go on from, the logs
            have no ``"loss"``, or the checkpoint is of another training.

    >>> import numpy as np
    >>> from funcdl import data
    >>> def step(total, batch):
    ...     return total + batch.sum(), {"loss": batch.mean()}
    >>> fit(step, 0.0, data.batches(np.arange(4.0), 2), epochs=2)
    FitResult(state=np.float64(12.0), history={'loss': [1.5, 1.5]})
    """
    _check_arguments(batches, epochs, steps_per_call)
    memories = tuple(callback.init(train_state) for callback in callbacks)
    start = Run(train_state, train_state, callbacks=memories)
    if resume is not False:
        folder = _kept_by(callbacks) if resume is True else resume
        start = restore_run(folder, start, len(batches))
    run = start
    advance = one_by_one(step) if steps_per_call == 1 else many_at_once(step)
    with _progress_bar(start, epochs * len(batches), progress) as bar, contextlib.suppress(KeyboardInterrupt):
        for run in _runs(start, advance, batches, epochs, validation, callbacks, steps_per_call):
            _show(bar, run, epochs)
    run, _ = notify(callbacks, "on_end", run)
    return FitResult(run.state, _by_name(run.records))


def _runs(
    run: Run,
    advance: Advance,
    batches: Epochs,
    epochs: int,
    validation: Validation | None,
    callbacks: Sequence[Callback],
    steps_per_call: int,
) -> Iterator[Run]:
    """Yield how far the training is after every call and every epoch."""
    while run.epoch < epochs and not run.stopped:
        for group in in_groups(_rest_of_epoch(batches, run), steps_per_call):
            state, logs = advance(run.state, group)
            run, after = notify(callbacks, "on_step", _with_steps(run, state, logs, group))
            _check_loss(run)
            for action in after:
                action(run)
            yield run
            if run.stopped:
                return
        run, after = notify(callbacks, "on_epoch", _with_epoch(run, validation))
        for action in after:
            action(run)
        yield run


def _rest_of_epoch(batches: Epochs, run: Run) -> Iterator[Any]:
    return batches.epoch(run.epoch, start=run.batch) if run.batch else batches.epoch(run.epoch)


def _with_steps(run: Run, state: Any, logs_of_steps: list[Logs], group: list[Any]) -> Run:
    """Return the training after further steps, or up to the first of them whose loss is not finite."""
    # A finite loss vouches for the state that it was computed from, not yet for the next one.
    before = run
    for logs, batch in zip(logs_of_steps, group, strict=True):
        scalars = as_scalars("training.fit", logs)
        examples = scalars.pop(EXAMPLES, None)
        weight = number_of_examples(batch) if examples is None else examples
        if "loss" not in scalars:
            names = ", ".join(scalars) or "none"
            raise ValueError(message("training.fit", "the step's logs", "have an entry 'loss'", names))
        run = run._replace(logs=scalars)
        if not math.isfinite(scalars["loss"]):
            break
        run = run._replace(
            good=before.state, batch=run.batch + 1, step=run.step + 1, means=run.means.add(scalars, weight)
        )
    return run._replace(state=state)


def _with_epoch(run: Run, validation: Validation | None) -> Run:
    """Return the training with the record of the epoch that has ended."""
    record: Record = run.means.result()
    if validation is not None:
        values = as_scalars("training.fit, validation", validation(run.state))
        record |= {f"val_{name}": value for name, value in values.items()}
    records = (*run.records, record)
    return run._replace(epoch=run.epoch + 1, batch=0, logs=record, means=Means(), records=records)


def _check_loss(run: Run) -> None:
    if run.stopped or math.isfinite(run.logs["loss"]):
        return
    text = message(
        "training.fit",
        "the loss",
        "be finite",
        f"{run.logs['loss']} at step {run.step} (epoch {run.epoch}, batch {run.batch})",
        "lower the learning rate, or clip the gradients with optim.clip_by_global_norm",
    )
    raise NonFiniteLossError(text, state=run.good, history=_by_name(run.records), step=run.step)


def _progress_bar(run: Run, steps: int, shown: bool | None) -> Any:
    # To tqdm, None means: shown if standard error is a terminal.
    disable = None if shown is None else not shown
    return tqdm.tqdm(total=steps, initial=run.step, disable=disable, unit="step")


def _show(bar: Any, run: Run, epochs: int) -> None:
    ended = run.batch == 0
    bar.set_description(f"epoch {run.epoch + (not ended)}/{epochs}", refresh=False)
    if bar.update(run.step - bar.n) or ended:
        bar.set_postfix(run.logs if ended else run.means.result(), refresh=False)


def _by_name(records: Sequence[Record]) -> History:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name, math.nan) for record in records] for name in names}


def _kept_by(callbacks: Sequence[Callback]) -> Folder:
    """Return the one folder that a callback keeps."""
    folders = [callback.folder for callback in callbacks if callback.folder is not None]
    if len(folders) != 1:
        rule, remedy = "have one training.checkpoint to go on from", "or give resume=folder"
        raise ValueError(message("training.fit", "the callbacks", rule, len(folders), remedy))
    return folders[0]


def _check_arguments(batches: Epochs, epochs: int, steps_per_call: int) -> None:
    if epochs < 0:
        raise ValueError(message("training.fit", "epochs", "be at least 0", epochs))
    if steps_per_call < 1:
        raise ValueError(message("training.fit", "steps_per_call", "be at least 1", steps_per_call))
    if not hasattr(batches, "epoch"):
        got = f"a {type(batches).__name__}"
        remedy = "make them with data.batches(arrays, batch_size, key=key)"
        raise TypeError(message("training.fit", "batches", "have epochs", got, remedy))
