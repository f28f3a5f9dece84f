"""The state that a training step takes and returns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl import random
from funcdl.nn import Layer
from funcdl.optim import Optimizer
from funcdl.training.arguments import check_model, check_optimizer
from transforms.tree import Tree
from transforms.types import Array, ArrayType


class TrainState(NamedTuple):
    """All that a step of training changes.

    Attributes:
        params: the parameters that the optimizer updates.
        state: what the model's forward pass updates, `()` where there is nothing.
        opt_state: the optimizer's state.
        key: the random key from which the next steps draw, uint32 of shape [2].
        step: number of steps taken, int32.
    """

    params: Tree
    state: Tree
    opt_state: Tree
    key: Array
    step: Array


def init(model: Layer, optimizer: Optimizer, key: Array, x: Array | ArrayType) -> TrainState:
    """Return the state from which training starts.

    Args:
        model: the layer to train.
        optimizer: what will update its parameters.
        key: a random key, uint32 of shape [2]; one half initializes, the other is kept for the steps.
        x: an example batch, or its `ArrayType`.

    Returns:
        A `TrainState` at step 0.

    Raises:
        TypeError: the model is no layer, or the optimizer none.

    >>> from funcdl import nn, optim
    >>> start = init(nn.dense(3), optim.sgd(0.1), random.key(0), np.ones((1, 2), np.float32))
    >>> start.params["kernel"].shape, int(start.step)
    ((2, 3), 0)
    """
    check_model("training.init", model)
    check_optimizer("training.init", optimizer)
    model_key, key = random.split(key)
    params, state = model.init(model_key, x)
    return TrainState(params, state, optimizer.init(params), key, np.int32(0))
