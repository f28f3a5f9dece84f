"""The native backend: a graph becomes one function of machine code, by LLVM.

    graph -> schedule (steps) -> plan (arena) -> module (LLVM) -> code -> executable

Each stage has a file, with a plain data type for what it makes.
"""

from __future__ import annotations

try:
    import llvmlite as llvmlite
except ImportError as error:
    raise ImportError(
        "jit: backend 'llvm' must have llvmlite, got none that can be imported; install it with "
        "`pip install llvmlite`, or use backend='numpy'"
    ) from error

from transforms.backends.llvm.executable import compile_graph as compile_graph
from transforms.backends.llvm.threads import get_threads as get_threads
from transforms.backends.llvm.threads import set_threads as set_threads
