"""Muon: momentum whose singular values are all brought near 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.adam import adamw
from funcdl.optim.clipping import squared_norm
from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.groups import partition
from funcdl.optim.hyperparameters import fraction, positive, steps
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, bias_correction_at, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

# Of the odd quintic polynomial that, iterated, takes [0.01, 1] to about [0.7, 1.2] fastest (Jordan, 2024).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class ScaleByMuonState(NamedTuple):
    """State of `scale_by_muon`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the gradients, a tree like the parameters.
    """

    count: Array
    mean: Tree


def orthogonalize(x: Array, *, iterations: int = 5, eps: float = 1e-8) -> Array:
    """Bring the singular values of a matrix near 1 by Newton-Schulz iterations.

    ``x = x / (norm(x) + eps)``, then ``iterations`` times ``x = a * x + (b * s + c * s @ s) @ x`` with
    ``s = x @ x.T`` and ``(a, b, c) = (3.4445, -4.7750, 2.0315)``: singular values above 0.01 end in about
    [0.7, 1.2].

    Args:
        x: array of shape ``(rows, columns)``.
        iterations: at least 1.
        eps: in (0, inf).

    Returns:
        An array like ``x``.

    Raises:
        ValueError: ``x`` is not a matrix.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Bernstein &
    Newhouse, "Old Optimizer, New Norm", 2024, arXiv:2409.20325.

    >>> values = np.linalg.svd(orthogonalize(np.array([[9.0, 0.0, 0.0], [0.0, 1.0, 0.0]])))[1]
    >>> bool(np.all((values > 0.6) & (values < 1.3)))
    True
    """
    if x.ndim != 2:
        raise ValueError(message("orthogonalize", "x", "be a matrix", f"shape {x.shape}"))
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    a, b, c = COEFFICIENTS
    x = x / (np.sqrt(squared_norm(x)) + eps)
    for _ in range(iterations):
        gram = x @ np.conj(x.T)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x if wide else x.T


def scale_by_muon(
    *,
    beta: float = 0.95,
    nesterov: bool = True,
    iterations: int = 5,
    eps: float = 1e-8,
    name: str = "scale_by_muon",
) -> Optimizer:
    """Replace the gradients of matrices by Muon's direction, the equation of `muon` without the rate.

    Args:
        beta: what is kept of the average of gradients in each step, in [0, 1).
        nesterov: whether the average looks one step ahead.
        iterations: of `orthogonalize`, at least 1.
        eps: in (0, inf); added to the norm that `orthogonalize` divides by.
        name: what error messages call it.

    Source: see `muon`.

    >>> optimizer = scale_by_muon()
    >>> grads = np.array([[3.0, 0.0], [0.0, -3.0]])
    >>> np.sign(optimizer.update(grads, optimizer.init(grads))[0])
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    beta = fraction(name, "beta", beta)
    iterations = steps(name, "iterations", iterations, least=1)
    eps = positive(name, "eps", eps)

    def direction(
        mean: Array, grad: Array, beta: Array, mean_weight: Array, grad_weight: Array
    ) -> tuple[Array, Array]:
        mean = average(mean, grad, beta)
        ascent = mean * mean_weight + grad * grad_weight if nesterov else mean * mean_weight
        rows, columns = grad.shape
        size = max(1.0, columns / rows) ** 0.5
        return size * orthogonalize(ascent, iterations=iterations, eps=eps), mean

    def init(params: Tree) -> ScaleByMuonState:
        for path, leaf in zip(tree.paths(params), tree.leaves(params), strict=True):
            if leaf.ndim != 2:
                remedy = "muon gives the others to adamw"
                raise ValueError(message(name, f"{path!r}", "be a matrix", f"shape {leaf.shape}", remedy))
        return ScaleByMuonState(np.int32(0), zeros(params))

    def update(grads: Tree, state: ScaleByMuonState, params: Tree = None) -> tuple[Tree, ScaleByMuonState]:
        count = increment(state.count)
        correction = bias_correction_at(count, beta)
        mean_weight = beta / bias_correction_at(increment(count), beta) if nesterov else 1.0 / correction
        scalars = (beta, mean_weight, (1.0 - beta) / correction)
        updates, mean = map_and_unzip(f"{name}.update", direction, 2, state.mean, grads, scalars=scalars)
        return updates, ScaleByMuonState(count, mean)

    return Optimizer(init, update)


def muon(
    learning_rate: float | Schedule,
    *,
    beta: float = 0.95,
    nesterov: bool = True,
    iterations: int = 5,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
    adam_learning_rate: float | Schedule | None = None,
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_weight_decay: float = 0.0,
) -> Optimizer:
    """Muon for matrices, `adamw` for all other parameters.

    ``m[t] = beta * m[t-1] + (1 - beta) * g[t]``, with the look ahead and the bias correction of `nadamw`;
    ``u[t] = -learning_rate * (sqrt(max(1, columns / rows)) * orthogonalize(m[t]) + weight_decay * p[t])``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        beta: what is kept of the average of gradients in each step, in [0, 1).
        nesterov: whether the averages of gradients look one step ahead.
        iterations: of `orthogonalize`, at least 1.
        eps: in (0, inf); added to the norm that `orthogonalize` divides by, and to the root of `adamw`.
        weight_decay: of matrices, in [0, inf).
        mask: which matrices decay, as in `add_decayed_weights`; without it, all do.
        adam_learning_rate: of the other parameters; ``learning_rate`` if left out.
        adam_b1: of the other parameters, in [0, 1).
        adam_b2: of the other parameters, in [0, 1).
        adam_weight_decay: of the other parameters, in [0, inf).

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.

    >>> optimizer = muon(0.1)
    >>> params = {"kernel": np.array([[3.0, 0.0], [0.0, -3.0]]), "bias": np.ones(1)}
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> np.sign(updates["kernel"])
    array([[-1.,  0.],
           [ 0.,  1.]])
    """
    matrices = chain(
        scale_by_muon(beta=beta, nesterov=nesterov, iterations=iterations, eps=eps, name="muon"),
        add_decayed_weights(weight_decay, mask=mask, name="muon"),
        scale_by_learning_rate(learning_rate, name="muon"),
        name="muon",
    )
    others = adamw(
        learning_rate if adam_learning_rate is None else adam_learning_rate,
        b1=adam_b1,
        b2=adam_b2,
        eps=eps,
        weight_decay=adam_weight_decay,
        nesterov=nesterov,
    )
    return partition({"matrices": matrices, "others": others}, _by_rank, name="muon")


def _by_rank(params: Tree) -> Tree:
    return tree.map(lambda param: "matrices" if param.ndim == 2 else "others", params)
