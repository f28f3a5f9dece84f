"""Means over the examples of several batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.errors import message

# The entry of a step's logs that says by how much they count, if it is not the number of examples.
EXAMPLES = "examples"


class Means(NamedTuple):
    """Means of named values over batches, each batch weighted by its examples.

    The last batch of an epoch may be smaller than the others; equal weights would favour its examples.

    Attributes:
        totals: the weighted sum of each value, by name.
        weights: the sum of its weights, likewise.
    """

    totals: Mapping[str, float] = MappingProxyType({})
    weights: Mapping[str, float] = MappingProxyType({})

    def add(self, values: Mapping[str, float], weight: float) -> Means:
        """Return the means with what was measured on one batch more."""
        totals = {name: self.totals.get(name, 0.0) + value * weight for name, value in values.items()}
        weights = {name: self.weights.get(name, 0.0) + weight for name in values}
        return Means({**self.totals, **totals}, {**self.weights, **weights})

    def result(self) -> dict[str, float]:
        """Return the means so far, by name; empty before the first batch, NaN where nothing counted."""
        weights = self.weights
        return {
            name: total / weights[name] if weights[name] else math.nan for name, total in self.totals.items()
        }


def number_of_examples(batch: Any) -> float:
    """Return the length of the first axis of a batch, a tree of arrays."""
    shapes = [np.shape(leaf) for leaf in tree.leaves(batch)]
    return float(shapes[0][0]) if shapes and shapes[0] else 1.0


def as_scalars(where: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Return named scalars as floats.

    Raises:
        ValueError: one is not a scalar.

    >>> as_scalars("example", {"loss": np.float32(0.5)})
    {'loss': 0.5}
    """
    for name, value in values.items():
        if np.shape(value) != ():
            got = f"shape {np.shape(value)}"
            raise ValueError(
                message(where, f"{name!r}", "be a scalar", got, "reduce it, for instance with np.mean")
            )
    return {name: float(value) for name, value in values.items()}
