"""Backends: each turns a graph into something that runs it.

A backend is a module ``transforms.backends.<name>`` with a function ``compile_graph(graph)`` that optimizes a
graph and returns an `Executable` on NumPy arrays. It is imported when it is first asked for. One of
`DONATING_BACKENDS` also takes a `Placement` as second argument; then one of `DEVICE_BACKENDS` gives results
that stay on their device.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any, Protocol

from transforms.backends.placement import Placement
from transforms.errors import message
from transforms.graph.ir import Graph
from transforms.types import Array

BACKENDS = ("numpy", "llvm", "xla")
DEVICE_BACKENDS = ("xla",)
DONATING_BACKENDS = ("llvm", "xla")
IMPORTED = time.time_ns()
"""When the library was imported: files that are newer may not be what runs."""


class Executable(Protocol):
    """A compiled graph."""

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program on arrays."""

    def source(self) -> str:
        """Return what was compiled, as text."""


def compile_graph(graph: Graph, backend: str, placement: Placement | None = None) -> Executable:
    """Compile a graph with the backend of a name; a placement is for `DONATING_BACKENDS`.

    Raises:
        ValueError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise ValueError(message("jit", "backend", f"be one of {', '.join(BACKENDS)}", repr(backend)))
    module: Any = importlib.import_module(f"transforms.backends.{backend}")
    options = () if placement is None else (placement,)
    return module.compile_graph(graph, *options)  # type: ignore[no-any-return]
