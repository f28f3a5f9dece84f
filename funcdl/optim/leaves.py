"""Functions of corresponding leaves of several trees, with the optimizer named in every error."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.tree import Structure, Tree
from transforms.types import Array

# A hyperparameter inside an update: a Python float, to which NumPy does not promote, or a traced scalar.
Scalar = Any

T = TypeVar("T")


def matching_leaves(where: str, expected: Tree, *others: Tree) -> tuple[list[list[Array]], Structure]:
    """Return the leaves of each tree, and the structure that all trees share.

    Args:
        where: the callable to name if the trees do not fit.
        expected: the tree that the others must match in structure and in the shapes of the leaves.
        others: further trees.

    Raises:
        TreeMismatchError: the structures differ; names the first path.
        ValueError: the shapes of two leaves differ; names the path.
    """
    first, structure = tree.flatten(expected)
    columns = [first]
    shapes = [getattr(leaf, "shape", None) for leaf in first] if others else []
    for other in others:
        # Cheaper than to flatten the other tree and compare, but lets it go on below a leaf; what lies
        # there has no shape, so that the comparison of the shapes finds it.
        try:
            column = structure.flatten_up_to(other)
        except (ValueError, TypeError):
            tree.check_same_structure(expected, other, where)
            raise
        if None in shapes or [getattr(leaf, "shape", None) for leaf in column] != shapes:
            _check_structure_and_shapes(where, expected, other)
        columns.append(column)
    return columns, structure


def like(scalar: Scalar, leaf: Array) -> Scalar:
    """Return a scalar that does not promote ``leaf``: a float as it is, a traced one in its dtype."""
    return scalar if type(scalar) is float else scalar.astype(leaf.dtype)


def map_leaves(
    where: str, f: Callable[..., Array], expected: Tree, *others: Tree, scalars: tuple[Scalar, ...] = ()
) -> Tree:
    """Return the tree of ``f(leaf, *leaves_of_others, *scalars)``.

    Args:
        where: as of `matching_leaves`, like the trees.
        f: a function of one leaf of each tree, then the scalars.
        expected: the first tree.
        others: further trees.
        scalars: passed on to ``f`` as `like` the leaf of ``expected``.

    >>> map_leaves("example", lambda p, g, rate: p - rate * g, {"w": 5.0}, {"w": 2.0}, scalars=(0.5,))
    {'w': 4.0}
    """
    columns, structure = matching_leaves(where, expected, *others)
    return tree.unflatten(structure, _map(f, columns, scalars))


def map_and_unzip(
    where: str,
    f: Callable[..., tuple[Array, ...]],
    outputs: int,
    expected: Tree,
    *others: Tree,
    scalars: tuple[Scalar, ...] = (),
) -> tuple[Tree, ...]:
    """Like `map_leaves` for an ``f`` that returns ``outputs`` leaves: returns as many trees.

    >>> map_and_unzip("example", lambda p, g: (p + g, p * g), 2, {"w": 5.0}, {"w": 2.0})
    ({'w': 7.0}, {'w': 10.0})
    """
    columns, structure = matching_leaves(where, expected, *others)
    results = _map(f, columns, scalars)
    if not results:
        return (expected,) * outputs
    return tuple(tree.unflatten(structure, column) for column in zip(*results, strict=True))


def _map(f: Callable[..., T], columns: list[list[Array]], scalars: tuple[Scalar, ...]) -> list[T]:
    return list(map(f, *columns, *(_scalar_column(scalar, columns[0]) for scalar in scalars)))


def _scalar_column(scalar: Scalar, leaves: list[Array]) -> Iterable[Scalar]:
    return itertools.repeat(scalar) if type(scalar) is float else [like(scalar, leaf) for leaf in leaves]


def _check_structure_and_shapes(where: str, expected: Tree, got: Tree) -> None:
    tree.check_same_structure(expected, got, where)
    named = zip(tree.paths(expected), tree.leaves(expected), tree.leaves(got), strict=True)
    for path, leaf, other in named:
        if np.shape(leaf) != np.shape(other):
            place = f"the entry at {path!r}" if path else "the tree"
            remedy = "gradients and updates have the shapes of the parameters"
            raise ValueError(message(where, place, f"have shape {np.shape(leaf)}", np.shape(other), remedy))
