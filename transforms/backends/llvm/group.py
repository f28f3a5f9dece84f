"""Kernels in the making: what several equations compute over the same shape, in one loop nest."""

from __future__ import annotations

from transforms.backends.llvm.steps import (
    Access,
    Apply,
    DType,
    Kernel,
    Load,
    Number,
    Reduce,
    Scatter,
    Store,
    Value,
    Wait,
)
from transforms.graph.ir import Variable
from transforms.types import Shape

# A loop over more than this has too many streams of memory to be fast.
_LARGE = 96


class Group:
    """Equations over one shape.

    Attributes:
        shape: lengths of the loops.
        axes: those that reductions run over; None as long as there is no reduction.
        values: what is computed for each index.
        results: the value of each buffer that an equation of the group assigns for each index.
        stores: what is written to parts of buffers.
        reductions: what is combined.
        scatters: what is combined at indices.
        waits: what has to be there before.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.axes: tuple[int, ...] | None = None
        self.values: list[Value] = []
        self.results: dict[Variable, int] = {}
        self.stores: list[Store] = []
        self.reductions: list[Reduce] = []
        self.scatters: list[Scatter] = []
        self.waits: dict[Wait, None] = {}
        self._positions: dict[tuple[object, ...], int] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more equations should join."""
        return len(self.values) >= _LARGE

    def load(self, access: Access, dtype: DType) -> int:
        """Return the value that is read at an access."""
        return self.add(Load(access, dtype))

    def number(self, value: bool | int | float, dtype: DType) -> int:
        """Return a known value; the text tells -0.0 from 0.0."""
        return self._value(Number(value, dtype), (repr(value), dtype))

    def apply(self, operation: str, operands: tuple[int, ...], dtype: DType) -> int:
        """Return the result of an operation."""
        return self.add(Apply(operation, operands, dtype))

    def add(self, value: Value) -> int:
        """Return a value of any kind."""
        return self._value(value, value)

    def cast(self, value: int, dtype: DType) -> int:
        """Return a value in another dtype."""
        return value if self.values[value].dtype == dtype else self.apply("cast", (value,), dtype)

    def kernel(self, stored: set[Variable], access: dict[Variable, Access]) -> Kernel:
        """Return the finished kernel, which writes those results that something else reads."""
        stores = [Store(value, access[x]) for x, value in self.results.items() if x in stored]
        axes = self.axes or ()
        return Kernel(
            self.shape,
            tuple(axis in axes for axis in range(len(self.shape))),
            tuple(self.values),
            (*stores, *self.stores),
            tuple(self.reductions),
            tuple(self.scatters),
            waits=tuple(self.waits),
        )

    def _value(self, value: Value, key: tuple[object, ...]) -> int:
        position = self._positions.setdefault(key, len(self.values))
        if position == len(self.values):
            self.values.append(value)
        return position
