"""Regularizers: penalties on parameters, to be added to a loss.

A maker such as `l2` gives a function of a tree of parameters that returns a scalar. Which parameters it
penalizes is said by patterns of their paths: keys joined by "/", where ``*`` stands for any part of one
key, ``?`` for one character of it, ``[ab]`` for one of these, and ``**`` for any number of whole keys.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from funcdl._patterns import matches
from transforms import tree, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

Regularizer: TypeAlias = Callable[[Tree], Array]

KERNELS = "**/kernel"


def l1(strength: float, *, paths: str | Sequence[str] = KERNELS) -> Regularizer:
    """Sum of magnitudes: ``strength * sum(|w|)``.

    Args:
        strength: factor of the penalty, at least 0.
        paths: pattern or patterns of the parameters to penalize; kernels by default.

    Returns:
        A function of a tree of parameters that returns a scalar; its derivative at 0 is 0. It raises
        ValueError where no parameter matches.

    Raises:
        ValueError: ``strength`` is negative or NaN.

    Source: Tibshirani, 1996, "Regression shrinkage and selection via the lasso".

    >>> l1(0.5)({"kernel": np.array([[1.0, -2.0]]), "bias": np.array([10.0])})
    np.float64(1.5)
    """
    strength = _strength("regularizers.l1", strength)
    return _penalty("regularizers.l1", paths, lambda path, w: strength * np.sum(np.abs(w)))


def l2(strength: float, *, paths: str | Sequence[str] = KERNELS) -> Regularizer:
    """Sum of squares: ``strength * sum(w**2)``, as in Keras, without a factor 1/2.

    Its gradient is ``2 * strength * w``: a weight decay of ``d`` in plain gradient descent is
    ``l2(d / 2)``.

    Args:
        strength: factor of the penalty, at least 0.
        paths: pattern or patterns of the parameters to penalize; kernels by default.

    Returns:
        A function of a tree of parameters that returns a scalar. It raises ValueError where no parameter
        matches.

    Raises:
        ValueError: ``strength`` is negative or NaN.

    Source: Hoerl & Kennard, 1970, "Ridge regression".

    >>> l2(0.5)({"kernel": np.array([[1.0, -2.0]]), "bias": np.array([10.0])})
    np.float64(2.5)
    """
    strength = _strength("regularizers.l2", strength)
    return _penalty("regularizers.l2", paths, lambda path, w: strength * np.sum(np.square(w)))


def l1_l2(l1_strength: float, l2_strength: float, *, paths: str | Sequence[str] = KERNELS) -> Regularizer:
    """Both: ``l1_strength * sum(|w|) + l2_strength * sum(w**2)``.

    Args:
        l1_strength: factor of the sum of magnitudes, at least 0.
        l2_strength: factor of the sum of squares, at least 0.
        paths: pattern or patterns of the parameters to penalize; kernels by default.

    Returns:
        A function of a tree of parameters that returns a scalar. It raises ValueError where no parameter
        matches.

    Raises:
        ValueError: a strength is negative or NaN.

    Source: Zou & Hastie, 2005, "Regularization and variable selection via the elastic net".

    >>> l1_l2(1.0, 0.5)({"kernel": np.array([[1.0, -2.0]]), "bias": np.array([10.0])})
    np.float64(5.5)
    """
    where = "regularizers.l1_l2"
    l1_strength = _strength(where, l1_strength, "l1_strength")
    l2_strength = _strength(where, l2_strength, "l2_strength")
    return _penalty(
        where,
        paths,
        lambda path, w: l1_strength * np.sum(np.abs(w)) + l2_strength * np.sum(np.square(w)),
    )


def orthogonal(strength: float, *, paths: str | Sequence[str] = KERNELS) -> Regularizer:
    """Distance of kernels from orthogonal ones: ``strength * sum((W.T @ W - I)**2)``.

    All axes of a kernel but the last are joined first. If it then has more columns than rows, ``W.T``
    takes the place of ``W``: its columns cannot be orthogonal.

    Args:
        strength: factor of the penalty, at least 0.
        paths: pattern or patterns of the parameters to penalize, each with at least two axes; kernels by
            default.

    Returns:
        A function of a tree of parameters that returns a scalar. It raises ValueError where no parameter
        matches, or one has fewer than two axes.

    Raises:
        ValueError: ``strength`` is negative or NaN.

    Source: Bansal, Chen & Wang, 2018, "Can we gain more from orthogonality regularizations in training
    deep CNNs?", arXiv:1810.09102, equation 3.

    >>> orthogonal(0.5)({"kernel": np.array([[2.0, 0.0], [0.0, 1.0]])})
    np.float64(4.5)
    """
    where = "regularizers.orthogonal"
    strength = _strength(where, strength)

    def penalty(path: str, w: Array) -> Array:
        if w.ndim < 2:
            raise ValueError(message(where, f"the parameter {path!r}", "have at least two axes", type_of(w)))
        matrix = np.reshape(w, (-1, w.shape[-1]))
        rows, columns = matrix.shape
        gram = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
        return strength * np.sum(np.square(gram - np.eye(min(rows, columns), dtype=gram.dtype)))

    return _penalty(where, paths, penalty)


def _strength(where: str, strength: Any, name: str = "strength") -> float:
    """Check a factor and make it a Python float, which does not promote float32."""
    if not strength >= 0:
        raise ValueError(message(where, name, "be at least 0", strength))
    return float(strength)


def _penalty(where: str, paths: str | Sequence[str], term: Callable[[str, Array], Array]) -> Regularizer:
    """Sum a term over the parameters whose path matches a pattern."""
    patterns = [paths] if isinstance(paths, str) else list(paths)

    # Matching takes longer than the penalty of a small network, and depends on the structure alone.
    @functools.lru_cache(maxsize=16)
    def chosen(structure: tree.Structure) -> list[tuple[int, str]]:
        names = tree.paths(tree.unflatten(structure, range(structure.num_leaves)))
        matching = [
            (index, name)
            for index, name in enumerate(names)
            if any(matches(pattern, name) for pattern in patterns)
        ]
        if not matching:
            got = f"{paths!r} for the parameters {names}"
            raise ValueError(message(where, "paths", "match a parameter", got))
        return matching

    def regularizer(params: Tree) -> Array:
        leaves, structure = tree.flatten(params)
        return functools.reduce(
            operator.add, [term(name, leaves[index]) for index, name in chosen(structure)]
        )

    return regularizer
