"""How `fit` calls its step: batch by batch, or many batches in one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from funcdl.training.arguments import described
from funcdl.training.step import Logs, Step
from transforms import jit, scan, tree, type_of
from transforms.errors import message

# Takes the train state through a group of batches; gives the logs of each.
Advance: TypeAlias = Callable[[Any, list[Any]], tuple[Any, list[Logs]]]


def one_by_one(step: Step) -> Advance:
    """Return the call for groups of one batch."""

    def advance(state: Any, group: list[Any]) -> tuple[Any, list[Logs]]:
        (batch,) = group
        result = step(state, batch)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(message("training.fit", "the step", "return (state, logs)", described(result)))
        state, logs = result
        return state, [logs]

    return advance


def many_at_once(step: Step) -> Advance:
    """Return the call that scans over a group of batches of one type in one compiled program."""
    compiled = jit(lambda state, batches: scan(step, state, batches))

    def advance(state: Any, group: list[Any]) -> tuple[Any, list[Logs]]:
        stacked = tree.map(lambda *leaves: np.stack(leaves), group[0], *group[1:])
        state, logs = compiled(state, stacked)
        return state, [{name: values[i] for name, values in logs.items()} for i in range(len(group))]

    return advance


def in_groups(batches: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield batches in lists of at most ``size``, each of batches of one type.

    >>> list(in_groups([np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(1)], 2))
    [[array([0., 0.]), array([0., 0.])], [array([0., 0.])], [array([0.])]]
    """
    group: list[Any] = []
    for batch in batches:
        if group and size > 1 and _types(batch) != _types(group[0]):
            yield group
            group = []
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _types(batch: Any) -> Any:
    return tree.map(type_of, batch)
