"""NAdam: Adam whose average of gradients looks one step ahead."""

from __future__ import annotations

from funcdl.optim.adam import scale_by_adam
from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.masks import Mask
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule


def nadam(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
) -> Optimizer:
    """NAdam: `adam` with ``nesterov=True``.

    ``u[t] = -learning_rate * n[t] / (sqrt(s[t] / (1 - b2**t) + eps_root) + eps)``, where
    ``n[t] = b1 * m[t] / (1 - b1**(t+1)) + (1 - b1) * g[t] / (1 - b1**t)`` and ``m`` and ``s`` are Adam's
    averages. The paper's schedule of ``b1`` is left out, as in optax.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    >>> import numpy as np
    >>> optimizer = nadam(0.1, b1=0.0)
    >>> optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)))[0].round(6)
    array([-0.1])
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=True, name="nadam"),
        scale_by_learning_rate(learning_rate, name="nadam"),
        name="nadam",
    )


def nadamw(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    weight_decay: float = 1e-4,
    mask: Mask | None = None,
) -> Optimizer:
    """NAdam with decoupled weight decay: ``u[t] = -learning_rate * (d[t] + weight_decay * p[t])``.

    Here ``-learning_rate * d[t]`` is the update of `nadam`.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: see `nadam` and `adamw`.

    >>> import numpy as np
    >>> optimizer = nadamw(0.1, b1=0.0, weight_decay=0.5)
    >>> params = np.array([2.0])
    >>> optimizer.update(np.array([3.0]), optimizer.init(params), params)[0].round(6)
    array([-0.2])
    """
    return chain(
        scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=True, name="nadamw"),
        add_decayed_weights(weight_decay, mask=mask, name="nadamw"),
        scale_by_learning_rate(learning_rate, name="nadamw"),
        name="nadamw",
    )
