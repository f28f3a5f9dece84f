"""Optimizers for a part of the parameters: masks, groups, and parameters that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from funcdl._patterns import matches
from funcdl.optim.leaves import matching_leaves
from funcdl.optim.masks import Mask, check_patterns_match, flags_of, path_mask
from funcdl.optim.optimizer import Optimizer, State, no_state
from transforms import tree
from transforms.errors import message
from transforms.tree import Structure, Tree

Labels = Tree | Callable[[Tree], Tree]


def set_to_zero() -> Optimizer:
    """Replace every update by 0, so that parameters stay as they are.

    >>> set_to_zero().update({"w": np.array([3.0])}, ())[0]
    {'w': array([0.])}
    """

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        return tree.map(np.zeros_like, grads), state

    return Optimizer(no_state, update)


def masked(inner: Optimizer, mask: Mask, *, name: str = "masked") -> Optimizer:
    """Apply an optimizer to some parameters; the updates of the others pass unchanged.

    Args:
        inner: sees trees in which None takes the place of all other parameters.
        mask: which ones, as in `add_decayed_weights`; `path_mask` makes one from patterns.
        name: what error messages call it.

    >>> from funcdl import optim
    >>> optimizer = optim.masked(optim.scale(2.0), optim.path_mask("**/kernel"))
    >>> grads = {"kernel": np.array([1.0]), "bias": np.array([1.0])}
    >>> optimizer.update(grads, optimizer.init(grads))[0]
    {'kernel': array([2.]), 'bias': array([1.])}
    """

    def init(params: Tree) -> State:
        leaves, structure = tree.flatten(params)
        return inner.init(_select(structure, leaves, flags_of(f"{name}.init (mask)", mask, params)))

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        where = f"{name}.update"
        grad_leaves, structure = tree.flatten(grads)
        flags = flags_of(f"{where} (mask)", mask, grads)
        inner_params = None
        if params is not None:
            (param_leaves, grad_leaves), structure = matching_leaves(where, params, grads)
            inner_params = _select(structure, param_leaves, flags)
        updates, state = inner.update(_select(structure, grad_leaves, flags), state, inner_params)
        inner_leaves = tree.flatten_up_to(structure, updates, where)
        merged = [
            update if flag else grad
            for update, grad, flag in zip(inner_leaves, grad_leaves, flags, strict=True)
        ]
        return tree.unflatten(structure, merged), state

    return Optimizer(init, update)


def partition(
    optimizers: Mapping[str, Optimizer], labels: Labels | None = None, *, name: str = "partition"
) -> Optimizer:
    """Give each group of parameters an optimizer of its own.

    Args:
        optimizers: from the label of each group to its optimizer. Without ``labels`` the keys are patterns
            of paths, as in `path_mask`, and a parameter belongs to the first that matches.
        labels: a tree of labels, each for a parameter or for all that lie below its place; or a function
            that makes such a tree from the parameters.
        name: what error messages call it.

    Returns:
        An optimizer whose state is the tuple of the groups' states, in the order of ``optimizers``.

    Raises:
        ValueError: (from ``init`` and ``update``) a parameter has no group, or a pattern no parameter.

    >>> from funcdl import optim
    >>> params = {"encoder": {"w": np.ones(1)}, "head": np.ones(1)}
    >>> optimizer = optim.partition({"encoder/**": optim.sgd(0.01), "**": optim.sgd(0.1)})
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> updates
    {'encoder': {'w': array([-0.01])}, 'head': array([-0.1])}
    """
    optimizers = dict(optimizers)

    def groups(where: str, params: Tree) -> list[str]:
        if labels is None:
            return _labels_by_pattern(where, list(optimizers), params)
        found = tree.broadcast_prefix(labels(params) if callable(labels) else labels, params, where)
        for path, label in zip(tree.paths(params), found, strict=True):
            if label not in optimizers:
                rule = f"be one of {', '.join(map(repr, optimizers))}"
                raise ValueError(message(where, f"the label of {path!r}", rule, repr(label)))
        return found

    def init(params: Tree) -> State:
        leaves, structure = tree.flatten(params)
        found = groups(f"{name}.init", params)
        return tuple(
            optimizer.init(_select(structure, leaves, [other == label for other in found]))
            for label, optimizer in optimizers.items()
        )

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        found = groups(f"{name}.update", grads)
        states = []
        for (label, optimizer), old in zip(optimizers.items(), state, strict=True):
            mask = tree.unflatten(tree.structure(grads), [other == label for other in found])
            grads, new = masked(optimizer, mask, name=name).update(grads, old, params)
            states.append(new)
        return grads, tuple(states)

    return Optimizer(init, update)


def freeze(inner: Optimizer, *patterns: str) -> Optimizer:
    """Leave the parameters whose path matches as they are, and apply an optimizer to the others.

    Args:
        inner: sees neither the frozen parameters nor their gradients, and keeps no state for them.
        patterns: as in `path_mask`; at least one.

    >>> from funcdl import optim
    >>> params = {"encoder": {"w": np.ones(1)}, "head": np.ones(1)}
    >>> optimizer = optim.freeze(optim.sgd(0.1), "encoder/**")
    >>> optimizer.update(params, optimizer.init(params), params)[0]
    {'encoder': {'w': array([0.])}, 'head': array([-0.1])}
    """
    frozen = path_mask(*patterns)

    def labels(params: Tree) -> Tree:
        return tree.map(lambda flag: "frozen" if flag else "trained", frozen(params))

    return partition({"frozen": set_to_zero(), "trained": inner}, labels, name="freeze")


def _select(structure: Structure, leaves: list[Any], flags: list[bool]) -> Tree:
    """Return the tree with None in the place of the leaves whose flag is false."""
    kept = [leaf if flag else None for leaf, flag in zip(leaves, flags, strict=True)]
    return tree.unflatten(structure, kept)


def _labels_by_pattern(where: str, patterns: list[str], params: Tree) -> list[str]:
    paths = tree.paths(params)
    check_patterns_match(where, patterns, paths)
    labels = []
    for path in paths:
        label = next((pattern for pattern in patterns if matches(pattern, path)), None)
        if label is None:
            rule = f"match one of the patterns {', '.join(map(repr, patterns))}"
            remedy = "let '**' be the last one, for all that remain"
            raise ValueError(message(where, "every path", rule, repr(path), remedy))
        labels.append(label)
    return labels
