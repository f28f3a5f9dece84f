"""Checks of what training is put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.errors import message


def check_model(where: str, model: Any) -> None:
    """Check that a model has the functions of a layer.

    Raises:
        TypeError: it has not.
    """
    if not (hasattr(model, "init") and hasattr(model, "apply")):
        raise TypeError(message(where, "model", "be a layer", described(model), "try nn.serial(nn.dense(3))"))


def check_optimizer(where: str, optimizer: Any) -> None:
    """Check that an optimizer has the functions of one.

    Raises:
        TypeError: it has not.
    """
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        remedy = "call what makes it, as in optim.adam(1e-3)"
        raise TypeError(message(where, "optimizer", "be an Optimizer", described(optimizer), remedy))


def check_metrics(where: str, metrics: Any) -> None:
    """Check that metrics have names.

    Raises:
        TypeError: they are no mapping.
    """
    if not isinstance(metrics, Mapping):
        remedy = "write {'accuracy': metrics.accuracy}"
        raise TypeError(
            message(where, "metrics", "be a dict of functions by name", described(metrics), remedy)
        )


def check_function(where: str, what: str, function: Any) -> None:
    """Check that a measure can be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(function):
        rule = "be a function of (predictions, y)"
        raise TypeError(message(where, what, rule, repr(function), "such as losses.mse"))


def described(value: Any) -> str:
    """Return what an error calls a value: a function by its name, anything else by its type."""
    name = getattr(value, "__name__", None)
    return f"the function {name}" if name else f"a {type(value).__name__}"
