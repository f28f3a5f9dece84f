"""Compiled modules, one copy of the buffers for each call that runs at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.backends.numpy.source import write_module
from transforms.graph.ir import Graph
from transforms.graph.passes import optimize
from transforms.types import Array


class SourceExecutable:
    """A graph as Python source, compiled."""

    def __init__(self, graph: Graph) -> None:
        self._module = write_module(graph)
        self._code = compile(self._module.text(constants=False), "<jitted program>", "exec")
        self._numbers = [i for i, variable in enumerate(graph.inputs) if variable.weak is not None]
        self._idle: list[Callable[..., Any]] = []

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program; what it returns is read-only."""
        if self._numbers:
            inputs = self._with_numbers(inputs)
        try:
            function = self._idle.pop()
        except IndexError:
            function = self._instance()
        try:
            results = function(*inputs)
        finally:
            self._idle.append(function)
        for result in results:
            if result.__class__ is np.ndarray:
                result.setflags(False)  # type: ignore[call-arg]  # by position, which is quicker
        return results  # type: ignore[no-any-return]

    def source(self) -> str:
        """Return the module's text."""
        return self._module.text()

    def _with_numbers(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return inputs with Python numbers where the program has them promote like one."""
        changed = list(inputs)
        for i in self._numbers:
            if isinstance(changed[i], (np.ndarray, np.generic)):
                changed[i] = changed[i].item()
        return tuple(changed)

    def _instance(self) -> Callable[..., Any]:
        namespace: dict[str, Any] = {**self._module.constants, **self._module.objects}
        exec(self._code, namespace)  # what the module's text is, `write_module` alone decides
        return namespace["program"]  # type: ignore[no-any-return]


def compile_graph(graph: Graph) -> SourceExecutable:
    """Compile a graph."""
    return SourceExecutable(optimize(graph))
