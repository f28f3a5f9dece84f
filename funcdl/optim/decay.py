"""Weight decay, classical and decoupled."""

from __future__ import annotations

from funcdl.optim.hyperparameters import non_negative
from funcdl.optim.leaves import like, matching_leaves
from funcdl.optim.masks import Mask, flags_of
from funcdl.optim.optimizer import Optimizer, State, no_state, require_params
from transforms import tree
from transforms.tree import Tree


def add_decayed_weights(
    weight_decay: float, *, mask: Mask | None = None, name: str = "add_decayed_weights"
) -> Optimizer:
    """Add a multiple of the parameters to their gradients: ``u = g + weight_decay * p``.

    Where it stands in a `chain` decides what it is:

    - in front, it is the gradient of an L2 penalty ``weight_decay / 2 * sum(p**2)``, which then goes
      through momentum and adaptive scaling like the rest of the gradient:
      ``chain(add_decayed_weights(1e-3), sgd(0.1, momentum=0.9))``, PyTorch's ``SGD(weight_decay=1e-3)``;
    - behind these and before the learning rate, it is decoupled weight decay, which shrinks every
      parameter by the same fraction: ``chain(scale_by_adam(), add_decayed_weights(1e-2),
      scale_by_learning_rate(1e-3))``, which is `adamw`.

    For plain gradient descent the two are the same.

    Args:
        weight_decay: in [0, inf).
        mask: which parameters decay: a tree of Python booleans, each for a parameter or for all that
            lie below its place; or a function that makes such a tree from the parameters, as
            `path_mask` returns it. Without it, all decay.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Krogh & Hertz, "A Simple Weight Decay Can Improve Generalization", 1991; decoupled: Loshchilov &
    Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.

    >>> import numpy as np
    >>> params = {"kernel": np.array([10.0]), "bias": np.array([10.0])}
    >>> grads = {"kernel": np.array([1.0]), "bias": np.array([1.0])}
    >>> decay = add_decayed_weights(0.5, mask={"kernel": True, "bias": False})
    >>> decay.update(grads, decay.init(params), params)[0]
    {'kernel': array([6.]), 'bias': array([1.])}
    """
    weight_decay = non_negative(name, "weight_decay", weight_decay)
    where = f"{name}.update"

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        require_params(where, "weight decay", params)
        (param_leaves, grad_leaves), structure = matching_leaves(where, params, grads)
        flags = [True] * len(param_leaves) if mask is None else flags_of(f"{where} (mask)", mask, params)
        decayed = [
            grad + like(weight_decay, param) * param if flag else grad
            for param, grad, flag in zip(param_leaves, grad_leaves, flags, strict=True)
        ]
        return tree.unflatten(structure, decayed), state

    return Optimizer(no_state, update)
