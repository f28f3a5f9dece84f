"""What is done to gradients before an optimizer sees them: centred, clipped leaf by leaf, made private."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl import random
from funcdl.optim.hyperparameters import non_negative, positive
from funcdl.optim.leaves import like, map_leaves
from funcdl.optim.moments import squared_magnitude
from funcdl.optim.optimizer import Optimizer, State, no_state, require_params
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


def centralize() -> Optimizer:
    """Take from each gradient its mean over all axes but the last: ``u = g - mean(g)``.

    The last axis counts the outputs of a layer (optax takes the first for it). Gradients with fewer than
    two axes pass unchanged.

    Source: Yong et al., "Gradient Centralization: A New Optimization Technique for Deep Neural Networks",
    2020, arXiv:2004.01461.

    >>> centralize().update({"kernel": np.array([[1.0, 2.0], [3.0, 8.0]]), "bias": np.ones(2)}, ())[0]
    {'kernel': array([[-1., -3.],
           [ 1.,  3.]]), 'bias': array([1., 1.])}
    """

    def center(grad: Array) -> Array:
        if grad.ndim < 2:
            return grad
        return grad - np.mean(grad, axis=tuple(range(grad.ndim - 1)), keepdims=True)

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        return tree.map(center, grads), state

    return Optimizer(no_state, update)


def adaptive_clip(clipping: float, *, eps: float = 1e-3, name: str = "adaptive_clip") -> Optimizer:
    """Limit the gradient of each unit to a fraction of the norm of its weights.

    ``u = g * min(1, clipping * max(norm(p), eps) / norm(g))``, with the norms over all axes but the last,
    which counts the units of a layer; of a parameter with one axis or none, over all of it.

    Args:
        clipping: in (0, inf).
        eps: in (0, inf); so that weights of 0 can grow.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Brock et al., "High-Performance Large-Scale Image Recognition Without Normalization", 2021,
    arXiv:2102.06171.

    >>> params = np.array([[3.0, 1.0], [4.0, 0.0]])
    >>> adaptive_clip(0.5).update(np.array([[5.0, 0.25], [0.0, 0.0]]), (), params)[0]
    array([[2.5 , 0.25],
           [0.  , 0.  ]])
    """
    clipping = positive(name, "the clipping", clipping)
    eps = positive(name, "eps", eps)

    def limit(param: Array, grad: Array, clipping: Array, eps: Array) -> Array:
        largest = clipping * np.sqrt(np.maximum(_unit_squares(param), eps * eps))
        excess = _unit_squares(grad) / largest / largest
        return grad / np.sqrt(np.maximum(excess, 1.0))

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        where = f"{name}.update"
        require_params(where, "their norms", params)
        return map_leaves(where, limit, params, grads, scalars=(clipping, eps)), state

    return Optimizer(no_state, update)


def per_example_clip(grads: Tree, max_norm: float) -> Tree:
    """Limit the norm of each example's gradient, and add them up.

    ``sum(g[i] * min(1, max_norm / global_norm(g[i])) for i in examples)``

    Args:
        grads: a tree of arrays whose first axis counts examples, as ``vmap(grad(loss))`` returns it.
        max_norm: in (0, inf).

    Returns:
        A tree of arrays without that axis.

    Raises:
        ValueError: the first axes differ, or a leaf has none.

    Source: Abadi et al., "Deep Learning with Differential Privacy", 2016, arXiv:1607.00133.

    >>> per_example_clip({"w": np.array([[3.0, 4.0], [0.3, 0.4]])}, 1.0)
    {'w': array([0.9, 1.2])}
    """
    max_norm = positive("per_example_clip", "max_norm", max_norm)
    leaves = tree.leaves(grads)
    examples = _number_of_examples(leaves, tree.paths(grads))
    square = sum(np.sum(np.reshape(squared_magnitude(leaf), (examples, -1)), axis=1) for leaf in leaves)
    factor = 1.0 / np.sqrt(np.maximum(square / (max_norm * max_norm), 1.0))
    return tree.map(lambda leaf: np.tensordot(factor.astype(leaf.real.dtype), leaf, axes=1), grads)


class PrivateAggregateState(NamedTuple):
    """State of `private_aggregate`.

    Attributes:
        key: the random key of the next update, uint32, shape (2,).
    """

    key: Array


def private_aggregate(
    max_norm: float, noise_multiplier: float, key: Array, *, name: str = "private_aggregate"
) -> Optimizer:
    """Average the gradients of examples such that no single one can be told from the result.

    ``u = (sum(clipped g[i]) + max_norm * noise_multiplier * n) / examples``, with the clipping of
    `per_example_clip` and standard normal ``n``. It takes gradients with a leading axis of examples, and
    must be the first of a `chain`.

    Args:
        max_norm: limit of the norm of an example's gradient, in (0, inf).
        noise_multiplier: in [0, inf); how much privacy it gives depends on batch size and steps as well.
        key: a random key, uint32, shape (2,).
        name: what error messages call it.

    Source: Abadi et al., "Deep Learning with Differential Privacy", 2016, arXiv:1607.00133.

    >>> optimizer = private_aggregate(1.0, 0.0, random.key(0))
    >>> state = optimizer.init({"w": np.zeros(2)})
    >>> optimizer.update({"w": np.array([[3.0, 4.0], [0.3, 0.4]])}, state)[0]
    {'w': array([0.45, 0.6 ])}
    """
    max_norm = positive(name, "max_norm", max_norm)
    deviation = max_norm * non_negative(name, "noise_multiplier", noise_multiplier)

    def init(params: Tree) -> PrivateAggregateState:
        return PrivateAggregateState(key)

    def update(
        grads: Tree, state: PrivateAggregateState, params: Tree = None
    ) -> tuple[Tree, PrivateAggregateState]:
        examples = _number_of_examples(tree.leaves(grads), tree.paths(grads))
        sums, structure = tree.flatten(per_example_clip(grads, max_norm))
        keys = random.split(state.key, len(sums) + 1)
        noisy = [
            (leaf + like(deviation, leaf) * random.normal(keys[i], leaf.shape, leaf.dtype)) / examples
            for i, leaf in enumerate(sums, 1)
        ]
        return tree.unflatten(structure, noisy), PrivateAggregateState(keys[0])

    return Optimizer(init, update)


def _unit_squares(x: Array) -> Array:
    axes = tuple(range(x.ndim - 1)) if x.ndim > 1 else None
    return np.sum(squared_magnitude(x), axis=axes, keepdims=True)


def _number_of_examples(leaves: list[Array], paths: list[str]) -> int:
    lengths = {path: leaf.shape[:1] for path, leaf in zip(paths, leaves, strict=True)}
    if len(set(lengths.values())) != 1 or () in lengths.values():
        rule = "share the length of their first axis, which counts examples"
        remedy = "take them with vmap(grad(loss), in_axes=(None, 0))"
        got = {path: shape[0] if shape else None for path, shape in lengths.items()}
        raise ValueError(message("per_example_clip", "the gradients", rule, got, remedy))
    return int(leaves[0].shape[0])
