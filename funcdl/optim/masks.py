"""Which parameters something applies to: trees of booleans, and patterns of paths that make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from funcdl._patterns import matches
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree

# Booleans in a tree that is a prefix of the parameters' tree, or a function that makes it from them.
Mask: TypeAlias = Tree | Callable[[Tree], Tree]


def path_mask(*patterns: str) -> Callable[[Tree], Tree]:
    """Make a mask that is true of the parameters whose path matches one of some patterns.

    A path is the keys of a parameter joined by ``/``, as `funcdl.tree.paths` gives it. In a pattern, ``**``
    stands for any number of keys, none included; within one key, ``*``, ``?`` and ``[...]`` are those
    of file names.

    Args:
        patterns: such as ``"encoder/**"``, ``"**/bias"``, ``"decoder/*/kernel"``; at least one.

    Returns:
        A function of the parameters, for every option called ``mask``. It raises a ValueError where a
        pattern matches no parameter.

    Raises:
        ValueError: there is no pattern.

    >>> params = {"encoder": {"kernel": 1.0, "bias": 2.0}, "head": 3.0}
    >>> path_mask("encoder/**")(params)
    {'encoder': {'kernel': True, 'bias': True}, 'head': False}
    >>> path_mask("**/bias", "head")(params)
    {'encoder': {'kernel': False, 'bias': True}, 'head': True}
    """
    if not patterns:
        raise ValueError(message("path_mask", "patterns", "be given", "none"))

    def mask(params: Tree) -> Tree:
        paths = tree.paths(params)
        check_patterns_match("path_mask", patterns, paths)
        flags = [any(matches(pattern, path) for pattern in patterns) for path in paths]
        return tree.unflatten(tree.structure(params), flags)

    return mask


def check_patterns_match(where: str, patterns: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse a pattern that matches no path: it is misspelt, or the model has changed.

    Raises:
        ValueError: names the first such pattern, and the paths.
    """
    for pattern in patterns:
        if not any(matches(pattern, path) for path in paths):
            shown = ", ".join(paths[:8]) + (", ..." if len(paths) > 8 else "")
            raise ValueError(message(where, f"the pattern {pattern!r}", "match a parameter", f"only {shown}"))


def flags_of(where: str, mask: Mask, params: Tree) -> list[bool]:
    """Return one boolean for each leaf of ``params``.

    Raises:
        TypeError: an entry of the mask is not a boolean; names its path.
        TreeMismatchError: the mask is not a prefix of the parameters.
    """
    flags = tree.broadcast_prefix(mask(params) if callable(mask) else mask, params, where)
    for path, flag in zip(tree.paths(params), flags, strict=True):
        if not isinstance(flag, (bool, np.bool_)):
            raise TypeError(message(where, f"the entry at {path!r}", "be True or False", repr(flag)))
    return flags
