"""Programs that XLA compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from transforms.backends.placement import Placement
from transforms.backends.xla.interpret import interpret
from transforms.backends.xla.registry import struct
from transforms.graph.ir import Graph, Variable
from transforms.types import Array


class DeviceExecutable:
    """A program whose results are JAX arrays, and stay where it ran.

    JAX traces and runs it with 64-bit types enabled, whatever the user's setting, because a program's dtypes
    are part of it.

    Args:
        graph: the program.
        placement: which inputs it may write over, and where inputs and outputs are.
    """

    def __init__(self, graph: Graph, placement: Placement) -> None:
        self._graph = graph
        self._boxed = [i for i, x in enumerate(graph.inputs) if x.type.dtype.kind == "O"]
        shardings: dict[str, Any] = {}
        if placement.in_shardings is not None:
            shardings["in_shardings"] = placement.in_shardings
        if placement.out_shardings is not None:
            shardings["out_shardings"] = placement.out_shardings

        def program(*inputs: Array) -> tuple[Array, ...]:
            return tuple(interpret(graph, inputs))

        self._jitted = jax.jit(program, donate_argnums=placement.donated, **shardings)

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program on NumPy or JAX arrays."""
        with jax.enable_x64(True):
            if self._boxed:
                inputs = tuple(x[()] if i in self._boxed else x for i, x in enumerate(inputs))
            results: Sequence[Array] = self._jitted(*inputs)
        return results

    def source(self) -> str:
        """Return the program as StableHLO."""
        with jax.enable_x64(True):
            return str(self._jitted.lower(*self._input_types()).as_text())

    def _input_types(self) -> list[Any]:
        return [struct(variable.type) for variable in self._graph.inputs]


class HostExecutable:
    """A program that takes and gives NumPy arrays, for what goes on with them in NumPy.

    What a transform computes with must not be JAX arrays, whose own arithmetic has other dtypes.
    """

    def __init__(self, graph: Graph) -> None:
        self._device = DeviceExecutable(graph, Placement())
        self._outputs = graph.outputs

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program."""
        return [
            _boxed(result) if isinstance(x, Variable) and x.type.dtype.kind == "O" else np.asarray(result)
            for result, x in zip(self._device(*inputs), self._outputs, strict=True)
        ]

    def source(self) -> str:
        """Return the program as StableHLO."""
        return self._device.source()


def _boxed(value: Any) -> Array:
    """Return an array of shape () that holds an object which is no array."""
    box = np.empty((), object)
    box[()] = value
    return box


def compile_graph(graph: Graph, placement: Placement | None = None) -> DeviceExecutable | HostExecutable:
    """Compile a graph; with a placement, its results stay on their devices."""
    return HostExecutable(graph) if placement is None else DeviceExecutable(graph, placement)
