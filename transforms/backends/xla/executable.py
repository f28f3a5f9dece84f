"""Programs that XLA compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from transforms.backends.placement import Placement
from transforms.backends.xla.host import HostCalls, call_on_host
from transforms.backends.xla.interpret import as_inputs, interpret
from transforms.backends.xla.registry import struct
from transforms.backends.xla.trajectory import Trajectory, needs_host
from transforms.backends.xla.waiting import check_threads
from transforms.control.history import boxed, history_of
from transforms.control.program import Program, call
from transforms.graph.ir import Equation, Graph, Variable
from transforms.graph.passes import optimize
from transforms.types import Array, type_of


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
        shardings: dict[str, Any] = {}
        if placement.in_shardings is not None:
            shardings["in_shardings"] = placement.in_shardings
        if placement.out_shardings is not None:
            shardings["out_shardings"] = placement.out_shardings

        self._shardings = list(shardings.values())
        self._calls_host: bool | None = None  # not known before it is traced
        run = _on_host(graph) if needs_host(graph) else lambda inputs: interpret(graph, inputs)

        def program(*inputs: Array) -> tuple[Array, ...]:
            with HostCalls() as calls:
                results = tuple(run(inputs))
            self._calls_host = calls.any
            return results

        self._jitted = jax.jit(program, donate_argnums=placement.donated, **shardings)

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program on NumPy or JAX arrays."""
        with jax.enable_x64(True):
            if self._calls_host is not False:
                self._check_threads(inputs)
            results: Sequence[Array] = self._jitted(*inputs)
        return results

    def _check_threads(self, inputs: Sequence[Array]) -> None:
        if jax.local_device_count() > 1:
            if self._calls_host is None:
                self._jitted.trace(*inputs)
            if self._calls_host:
                check_threads(jax.tree.leaves([*inputs, *self._shardings]))

    def source(self) -> str:
        """Return the program as StableHLO."""
        with jax.enable_x64(True):
            return str(self._jitted.lower(*self._input_types()).as_text())

    def _input_types(self) -> list[Any]:
        return [struct(variable.type) for variable in self._graph.inputs]


def _on_host(graph: Graph) -> Callable[[Sequence[Any]], Any]:
    """Return a function that calls the NumPy backend's program from the device."""
    results = tuple(Variable(x.type if isinstance(x, Variable) else type_of(x)) for x in graph.outputs)
    attributes = {"program": Program(graph, "program"), "backend": "numpy"}
    equation = Equation(results, call, graph.inputs, attributes)
    return lambda inputs: call_on_host(equation, as_inputs(graph, inputs))


class HostExecutable:
    """A program that takes and gives NumPy arrays, for what goes on with them in NumPy.

    What a transform computes with must not be JAX arrays, whose own arithmetic has other dtypes.
    """

    def __init__(self, graph: Graph) -> None:
        self._device = DeviceExecutable(graph, Placement())
        self._program = Program(graph, "program")
        self._histories = [i for i, x in enumerate(graph.inputs) if x.type.dtype.kind == "O"]
        self._needs_host = needs_host(graph)
        self._outputs = graph.outputs

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program."""
        values = list(inputs)
        for i in self._histories:
            values[i] = history_of(inputs[i])
        if self._needs_host or not all(isinstance(values[i], Trajectory) for i in self._histories):
            return self._program.compiled("numpy")(*inputs)  # type: ignore[no-any-return]
        return [
            boxed(result, x.type.shape)
            if isinstance(x, Variable) and x.type.dtype.kind == "O"
            else np.asarray(result)
            for result, x in zip(self._device(*values), self._outputs, strict=True)
        ]

    def source(self) -> str:
        """Return the program as StableHLO."""
        return self._device.source()


def compile_graph(graph: Graph, placement: Placement | None = None) -> DeviceExecutable | HostExecutable:
    """Compile a graph; with a placement, its results stay on their devices."""
    graph = optimize(graph)
    return HostExecutable(graph) if placement is None else DeviceExecutable(graph, placement)
