"""What a callback is: pure functions of its own state and of how far the training is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from funcdl.checkpoints import Folder
from funcdl.training.means import Means
from transforms.errors import message
from transforms.tree import Tree

Record: TypeAlias = dict[str, float]


class Run(NamedTuple):
    """How far a training is: all that `fit` carries from step to step, and what callbacks see.

    Attributes:
        state: the train state.
        good: the last train state whose loss was finite.
        epoch: number of epochs that have ended.
        batch: number of batches taken of the epoch under way.
        step: number of steps taken in all.
        logs: what the last step measured; after an epoch, its record.
        means: of the logs over the epoch under way.
        records: what each epoch that ended measured.
        callbacks: the state of each callback.
        stopped: whether the training is over before its last epoch.
    """

    state: Any
    good: Any
    epoch: int = 0
    batch: int = 0
    step: int = 0
    logs: Record = {}  # noqa: RUF012 (no one writes to it)
    means: Means = Means()
    records: tuple[Record, ...] = ()
    callbacks: tuple[Tree, ...] = ()
    stopped: bool = False


class Decision(NamedTuple):
    """What a callback wants of the training; by default, that it goes on.

    Attributes:
        stop: whether the training is over.
        state: the train state to go on with, or to return; None for the one that there is.
        logs: further entries of the epoch's record; only at the end of an epoch.
        after: called with the `Run` once every callback has decided, unless the loss is not finite. It is
            for what must see the states of all callbacks, such as a checkpoint.
    """

    stop: bool = False
    state: Any = None
    logs: Mapping[str, float] = MappingProxyType({})
    after: Callable[[Run], None] | None = None


Hook: TypeAlias = Callable[[Any, Run], tuple[Any, Decision]]


def ignore(state: Any, run: Run) -> tuple[Any, Decision]:
    """Let an event pass: the hook of a callback that has none for it."""
    return state, Decision()


def no_memory(train_state: Any) -> Tree:
    """Return ``()``: the ``init`` of a callback that remembers nothing."""
    return ()


class Callback(NamedTuple):
    """Something to do during training: functions, of which any may be left out.

    Each hook is ``hook(state, run) -> (state, decision)`` with the callback's own state, the `Run` and a
    `Decision`. Callbacks act in the order in which `fit` gets them, and each sees what those before it
    have decided.

    Attributes:
        init: ``init(train_state) -> state``, a tree of arrays and numbers whose structure does not change,
            so that a checkpoint can hold it.
        on_step: called after every step; with ``steps_per_call``, after every call.
        on_epoch: called after every epoch and its validation, with the epoch's record as ``run.logs``.
        on_end: called once, at the end or after an interrupt.
        folder: where it keeps files that a training can go on from, if it does.

    >>> def budget(steps):
    ...     def on_step(state, run):
    ...         return state, Decision(stop=run.step >= steps)
    ...     return Callback(on_step=on_step)
    >>> budget(3).on_step((), Run(None, None, step=3))[1].stop
    True
    """

    init: Callable[[Any], Tree] = no_memory
    on_step: Hook = ignore
    on_epoch: Hook = ignore
    on_end: Hook = ignore
    folder: Folder | None = None


def notify(
    callbacks: Sequence[Callback], event: Literal["on_step", "on_epoch", "on_end"], run: Run
) -> tuple[Run, list[Callable[[Run], None]]]:
    """Let every callback decide on an event.

    Returns:
        The `Run` that follows, and what is to be called with it.
    """
    after = []
    for index, callback in enumerate(callbacks):
        state, decision = getattr(callback, event)(run.callbacks[index], run)
        run = _decided(run, index, state, decision, event == "on_epoch")
        if decision.after is not None:
            after.append(decision.after)
    return run, after


def _decided(run: Run, index: int, state: Any, decision: Decision, with_record: bool) -> Run:
    run = run._replace(
        callbacks=(*run.callbacks[:index], state, *run.callbacks[index + 1 :]),
        stopped=run.stopped or decision.stop,
        state=run.state if decision.state is None else decision.state,
    )
    if with_record and decision.logs:
        logs = {**run.logs, **decision.logs}
        run = run._replace(logs=logs, records=(*run.records[:-1], logs))
    return run


def monitored(where: str, monitor: str, logs: Mapping[str, float]) -> float:
    """Return the entry of a record that a callback watches.

    Raises:
        ValueError: there is none of this name.
    """
    if monitor not in logs:
        names = ", ".join(sorted(logs))
        raise ValueError(message(where, "monitor", f"be one of {names}", repr(monitor)))
    return logs[monitor]
