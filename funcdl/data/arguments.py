"""Checks of the arguments that the functions of data share."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.tree import Tree


def examples(where: str, arrays: Tree) -> tuple[Tree, int]:
    """Return a tree of arrays, protected from writing, and their common length.

    Raises:
        ValueError: there is no example, or the arrays differ in length.
    """
    leaves, structure = tree.flatten(arrays)
    paths = [f"the array at {path!r}" if path else "the array" for path in tree.paths(arrays)]
    views = [np.asarray(leaf).view() for leaf in leaves]
    for path, leaf, view in zip(paths, leaves, views, strict=True):
        if view.ndim == 0:
            remedy = "a list is a tree of its elements: make it an array"
            raise ValueError(message(where, path, "be an array with one entry per example", leaf, remedy))
        if len(view) != len(views[0]):
            got = f"{len(views[0])} for {paths[0]} and {len(view)} for {path}"
            raise ValueError(message(where, "all arrays", "have the same length", got))
        view.flags.writeable = False
    if not views or len(views[0]) == 0:
        raise ValueError(message(where, "the data", "have at least one example", "none"))
    return tree.unflatten(structure, views), len(views[0])


def integer(where: str, what: str, value: Any, *, least: int) -> int:
    """Return a whole number as a Python integer.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is too small.
    """
    # A position that was read from a file has arrays without axes in the place of numbers.
    number = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
        raise TypeError(message(where, what, "be an integer", repr(value)))
    if number < least:
        raise ValueError(message(where, what, f"be at least {least}", number))
    return int(number)
