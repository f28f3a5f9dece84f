"""Means over the examples of several batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message


class RunningMeans:
    """Means of named values over batches, each batch weighted by the number of its examples.

    The last batch of an epoch may be smaller than the others; equal weights would favour its examples.
    """

    def __init__(self) -> None:
        self._totals: dict[str, float] = {}
        self._examples: dict[str, int] = {}

    def add(self, values: Mapping[str, Any], batch: Any, where: str) -> None:
        """Take in what was measured on one batch.

        Args:
            values: the means over the batch, scalars.
            batch: the batch, a tree of arrays whose first axis counts examples.
            where: the callable to name in an error.

        Raises:
            ValueError: a value is not a scalar.
        """
        examples = _number_of_examples(batch)
        for name, value in values.items():
            if np.shape(value) != ():
                remedy = "reduce it, for instance with np.mean"
                raise ValueError(
                    message(where, f"{name!r}", "be a scalar", f"shape {np.shape(value)}", remedy)
                )
            self._totals[name] = self._totals.get(name, 0.0) + float(value) * examples
            self._examples[name] = self._examples.get(name, 0) + examples

    def result(self) -> dict[str, float]:
        """Return the means so far, by name; empty before the first batch."""
        return {name: total / self._examples[name] for name, total in self._totals.items()}


def _number_of_examples(batch: Any) -> int:
    shapes = [np.shape(leaf) for leaf in tree.leaves(batch)]
    return shapes[0][0] if shapes and shapes[0] else 1
