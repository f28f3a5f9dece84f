"""How arrays of one layout become those of another, each rule with its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Arrays: TypeAlias = list[np.ndarray[Any, Any]]


class Place(NamedTuple):
    """A layer of another library's model.

    Attributes:
        kind: what it is; the kinds are the rows of the tables in `funcdl.weights`.
        name: its name in the model, which its arrays' names begin with; "" for a model of one layer.
        heads: number of heads of an attention layer, to write it in a layout that shows them.
    """

    kind: str
    name: str
    heads: int = 1


class Rule(NamedTuple):
    """Some arrays of ours, and the same values as the other library has them.

    Attributes:
        ours: paths in the layer's parameters or state.
        theirs: names after that of the layer.
        read: makes ours of theirs.
        write: makes theirs of ours, given the place.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    read: Callable[[Arrays], Arrays]
    write: Callable[[Arrays, Place], Arrays]


def same(ours: str, theirs: str) -> Rule:
    """One array, as it is."""
    return Rule((ours,), (theirs,), lambda arrays: arrays, lambda arrays, place: arrays)


def axes_moved(ours: str, theirs: str, source: tuple[int, ...], target: tuple[int, ...]) -> Rule:
    """One array whose axes ``source`` become the axes ``target`` of ours.

    >>> axes_moved("kernel", "weight", (0, 1), (-1, -2)).read([np.zeros((8, 3, 5, 5))])[0].shape
    (5, 5, 3, 8)
    """
    return Rule(
        (ours,),
        (theirs,),
        lambda arrays: [np.moveaxis(arrays[0], source, target)],
        lambda arrays, place: [np.moveaxis(arrays[0], target, source)],
    )


def joined(ours: str, theirs: tuple[str, ...]) -> Rule:
    """One array of ours: theirs side by side on the last axis."""
    return Rule(
        (ours,),
        theirs,
        lambda arrays: [np.concatenate(arrays, axis=-1)],
        lambda arrays, place: np.split(arrays[0], len(theirs), axis=-1),
    )


def split(ours: tuple[str, ...], theirs: str, *, transposed: bool) -> Rule:
    """Arrays of ours: equal parts of the first axis of theirs, a matrix perhaps transposed."""

    def turned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return array.T if transposed else array

    return Rule(
        ours,
        (theirs,),
        lambda arrays: [turned(part) for part in np.split(arrays[0], len(ours))],
        lambda arrays, place: [np.concatenate([turned(array) for array in arrays])],
    )


def heads_split(ours: str, theirs: str, axis: int) -> Rule:
    """One array, whose axis of features is two in theirs: of heads, and of features of each.

    Args:
        ours: path of ours.
        theirs: name of theirs.
        axis: the axis of features in ours, from the front.
    """

    def read(arrays: Arrays) -> Arrays:
        shape = arrays[0].shape
        return [arrays[0].reshape(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])]

    def write(arrays: Arrays, place: Place) -> Arrays:
        shape = arrays[0].shape
        return [arrays[0].reshape(*shape[:axis], place.heads, -1, *shape[axis + 1 :])]

    return Rule((ours,), (theirs,), read, write)


def two_biases(ours: str, theirs: tuple[str, str]) -> Rule:
    """One bias that is the sum of two; the second is written as 0."""
    return Rule(
        (ours,),
        theirs,
        lambda arrays: [arrays[0] + arrays[1]],
        lambda arrays, place: [arrays[0], np.zeros_like(arrays[0])],
    )


def gru_biases(ours: tuple[str, str], theirs: tuple[str, str]) -> Rule:
    """The biases of reset, update and new: two of each in theirs, which differ in effect only for the new."""

    def read(arrays: Arrays) -> Arrays:
        of_input, of_hidden = (np.split(array, 3) for array in arrays)
        gates = [of_input[0] + of_hidden[0], of_input[1] + of_hidden[1], of_input[2]]
        return [np.concatenate(gates), of_hidden[2]]

    def write(arrays: Arrays, place: Place) -> Arrays:
        bias, recurrent_bias = arrays
        return [bias, np.concatenate([np.zeros_like(bias[: 2 * len(recurrent_bias)]), recurrent_bias])]

    return Rule(ours, theirs, read, write)
