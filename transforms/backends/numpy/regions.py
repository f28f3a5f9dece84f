"""Which variables may share memory, and when that memory was last read."""

from __future__ import annotations

from transforms.graph.ir import Variable


class Regions:
    """Sets of variables whose values may share memory; each set is named by one of its members.

    Attributes:
        last_reads: for each set, the position of the last equation that reads any of it.
        foreign: sets with memory that is not the function's own: its inputs and constants.
    """

    def __init__(self) -> None:
        self._parents: dict[Variable, Variable] = {}
        self.last_reads: dict[Variable, int] = {}
        self.foreign: set[Variable] = set()

    def find(self, variable: Variable) -> Variable:
        """Return the name of a variable's set."""
        parents = self._parents
        while variable in parents:
            parent = parents[variable]
            if parent in parents:
                parents[variable] = parents[parent]
            variable = parent
        return variable

    def unite(self, first: Variable, second: Variable) -> None:
        """Say that two variables may share memory."""
        first, second = self.find(first), self.find(second)
        if first is second:
            return
        self._parents[second] = first
        self.last_reads[first] = max(self.last_reads.get(first, -1), self.last_reads.pop(second, -1))
        if second in self.foreign:
            self.foreign.discard(second)
            self.foreign.add(first)

    def read(self, variable: Variable, position: int) -> None:
        """Say that an equation, or the return after the last, reads a variable."""
        name = self.find(variable)
        self.last_reads[name] = max(self.last_reads.get(name, -1), position)

    def last_read(self, variable: Variable) -> int:
        """Return when the memory of a variable is read for the last time; -1 if it never is."""
        return self.last_reads.get(self.find(variable), -1)

    def is_foreign(self, variable: Variable) -> bool:
        """Whether a variable may share memory with an input or a constant."""
        return self.find(variable) in self.foreign

    def add_foreign(self, variable: Variable) -> None:
        """Say that a variable's memory is not the function's own."""
        self.foreign.add(self.find(variable))
