"""How many threads native programs run on. The backend is imported when it is first asked."""

from __future__ import annotations

import importlib


def set_threads(count: int) -> None:
    """Set how many threads native programs run on, the calling one included.

    Without a call it is as many as the process may use processors. After a fork the child has one, until it
    calls this. Call it while no native program runs; programs that were compiled before it never use more
    threads than there were.

    Args:
        count: 1 or more.

    Raises:
        ValueError: ``count`` is not positive.
        ImportError: llvmlite cannot be imported.

    >>> set_threads(get_threads())
    """
    importlib.import_module("transforms.backends.llvm").set_threads(count)


def get_threads() -> int:
    """Return how many threads native programs run on.

    Raises:
        ImportError: llvmlite cannot be imported.

    >>> get_threads() >= 1
    True
    """
    count: int = importlib.import_module("transforms.backends.llvm").get_threads()
    return count
