"""What a workload is: one thing to compute, and how each contender computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# Does the work once, and returns what it computed: a loss, or a tree of arrays.
Step = Callable[[], Any]


class Program(NamedTuple):
    """A pure function and its arguments, as one hands them to ``jit``.

    Attributes:
        function: what to compile.
        arguments: what the first call is given.
        carried: how many of the first arguments each call replaces. With 0, what the function returns is the
            result; else it returns a tuple of as many new arguments, and the result last.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    carried: int = 0


class Workload(NamedTuple):
    """One line of the table.

    Attributes:
        name: on the command line.
        title: a phrase for the table.
        target: how many times faster than the fastest peer funcdl has to be.
        full: the sizes that are measured; what they are is the workload's own affair.
        tiny: small ones, to try whether everything runs.
        program: makes the program in funcdl, for given sizes.
        peers: for each other contender, what makes its step, for given sizes.
        steps: how many steps of training one call takes, for given sizes; times are those of one.
        tolerance: how far results may differ, relative to the largest element.
        jitted: whether the program is compiled, and not called as it is.
    """

    name: str
    title: str
    target: float
    full: Any
    tiny: Any
    program: Callable[[Any], Program]
    peers: Mapping[str, Callable[[Any], Step]]
    steps: Callable[[Any], int] = lambda sizes: 1
    tolerance: float = 1e-3
    jitted: bool = True


def stepping(program: Program, function: Callable[..., Any]) -> Step:
    """Return a step that calls the program's function, compiled or not, and carries what it carries."""
    arguments = program.arguments
    if not program.carried:
        return lambda: function(*arguments)
    carried, rest = arguments[: program.carried], arguments[program.carried :]

    def step() -> Any:
        nonlocal carried
        *new, result = function(*carried, *rest)
        carried = tuple(new)
        return result

    return step
