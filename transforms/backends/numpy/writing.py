"""How an equation can be written as NumPy source: the forms that a lowering chooses from.

In the text of `Into` and `Fill`, ``{out}`` stands for the array that the result goes into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from transforms.graph.ir import Equation, Operand, Variable


class View(NamedTuple):
    """An expression whose value shares memory with the first operand's."""

    text: str


class New(NamedTuple):
    """An expression whose value shares memory with nothing."""

    text: str


class Into(NamedTuple):
    """Two ways to write a call.

    Attributes:
        text: a call that writes its result into an array, and returns that.
        plain: a call that makes a new array.
        in_place: whether ``{out}`` may be an operand of the result's shape and dtype.
    """

    text: str
    plain: str
    in_place: bool


class Fill(NamedTuple):
    """Statements that fill an array.

    Attributes:
        start: sets all elements.
        rest: changes some of them.
        new: an expression for a new array that ``start`` has been applied to.
        in_place: whether the first operand, if it has the result's type, may take the place of ``start``.
    """

    start: str
    rest: tuple[str, ...]
    new: str
    in_place: bool = False


class Block(NamedTuple):
    """Statements that assign to the results' names.

    Attributes:
        lines: the statements.
        arrays: positions of results that must be arrays to write into before.
        shares: for a result's position, what it may share memory with.
        foreign: positions of results that may share memory with constants of another function.
        imports: lines that import what the statements use.
    """

    lines: tuple[str, ...]
    arrays: tuple[int, ...] = ()
    shares: tuple[tuple[int, Variable], ...] = ()
    foreign: tuple[int, ...] = ()
    imports: tuple[str, ...] = ()


Writing = View | New | Into | Fill | Block


class Names(Protocol):
    """What a lowering may ask of the module that is written."""

    def ufunc(self, function: np.ufunc) -> str | None:
        """Return an expression for a ufunc of NumPy or SciPy; None for another."""

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """Return an expression for a dtype."""

    def number(self, value: Any, dtype: np.dtype[Any]) -> str:
        """Return the name of an array of shape () that stands for a Python number."""


Lowering = Callable[[Names, Sequence[str], Equation], "Writing | None"]

LOWERINGS: dict[str, Lowering] = {}
"""How each primitive is written; None says that it is to be called as it is."""


def lower(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorate the lowering of primitives: ``lowering(names, texts of the operands, equation)``."""

    def register(lowering: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, lowering))
        return lowering

    return register


def is_array(operand: Operand) -> bool:
    """Whether an operand is an array and no Python number, nor stands for one."""
    return isinstance(operand, Variable) and operand.weak is None


def as_array(text: str, operand: Operand) -> str:
    """Return the text of an operand as an array's."""
    return text if is_array(operand) else f"np.asarray({text})"
