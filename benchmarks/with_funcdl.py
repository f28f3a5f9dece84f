"""Steps in funcdl."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workload import Program, Step, Workload, stepping
from funcdl import losses, nn, optim, random
from transforms import jit, value_and_grad


def funcdl_step(workload: Workload, sizes: Any, backend: str) -> Step:
    """Return the step of funcdl on a backend."""
    program = workload.program(sizes)
    if not workload.jitted:
        return stepping(program, program.function)
    donated = tuple(range(program.carried))
    return stepping(program, jit(program.function, backend=backend, donate_argnums=donated))


def classification(model: nn.Layer, optimizer: optim.Optimizer, x: Any, labels: Any) -> Program:
    """Return a training step of a model without state: parameters and the optimizer's state go in and out."""

    def step(params: Any, opt_state: Any, x: Any, labels: Any) -> Any:
        def objective(params: Any) -> Any:
            return np.mean(losses.softmax_cross_entropy(model(params, x), labels))

        loss, grads = value_and_grad(objective)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optim.apply_updates(params, updates), opt_state, loss

    params = start(model, x)
    return Program(step, (params, optimizer.init(params), x, labels), carried=2)


def start(model: nn.Layer, x: Any) -> Any:
    """Return the parameters that every contender starts from."""
    params, _ = model.init(random.key(0), x)
    return params
