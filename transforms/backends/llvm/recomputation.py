"""What is computed again rather than kept: cheap values that are read early and again much later.

In a training step most is alive where the forward pass ends. The program is cut there, and of the values
that cross the cut, those go that a few cheap equations give from others that cross it in any case: what reads
them behind the cut reads copies instead. Such a copy is part of the loop that reads it, and its operands are
mostly read there anyway, so that it costs arithmetic and saves memory and the way to it.

A relu leaves its sign in its result, so that a comparison of what it was given is one of what it gave.

A copy may differ from the first value in its last bit, because a loop may fuse a product with a sum. What is
compared for equality, as an array with its largest element, is therefore never copied.
"""

from __future__ import annotations

from typing import NamedTuple

from transforms.backends.llvm.order import is_anchor, is_light, sources
from transforms.backends.llvm.views import VIEWS
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.cut import ARITHMETIC
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.graph.passes import remove_dead

_CHEAP = ARITHMETIC | {"reciprocal"}
# For each comparison with zero which branch of a choice by it is zero in a relu.
_ZEROED = {"less_equal": 0, "greater": 1}
_MOST_EQUATIONS = 8  # for one value
# Values of fewer bytes are not worth it, nor are programs of which less is alive at once.
_FEWEST_BYTES = 1 << 14
_FEWEST_ALIVE = 1 << 19
# An operand that is so many times smaller is kept for the sake of a value.
_SMALLER = 8


class Recomputed(NamedTuple):
    """A program that keeps less where most is alive.

    Attributes:
        graph: the program.
        copies: results that are computed again.
    """

    graph: Graph
    copies: frozenset[Variable]


def recompute(graph: Graph) -> Recomputed:
    """Return a program that computes again what it need not keep."""
    place, alive = _fullest(graph)
    if alive < _FEWEST_ALIVE:
        return Recomputed(graph, frozenset())
    cut = _Cut(graph, place)
    return Recomputed(remove_dead(cut.graph()), frozenset(cut.copies))


def _fullest(graph: Graph) -> tuple[int, int]:
    """Return the equation after which most is alive, and its bytes."""
    source = sources(graph)
    change = [0] * (len(graph.equations) + 1)
    last: dict[Variable | None, int] = {}
    for index, equation in enumerate(graph.equations):
        for x in equation.operands:
            last[source(x)] = index
    returned = {source(x) for x in graph.outputs}
    for index, equation in enumerate(graph.equations):
        for x in equation.results:
            if source(x) is x and x not in returned and x in last:
                change[index] += x.type.nbytes
                change[last[x]] -= x.type.nbytes
    alive, most, place = 0, 0, 0
    for index, difference in enumerate(change):
        alive += difference
        if alive > most:
            most, place = alive, index
    return place, most


def _is_cheap(equation: Equation) -> bool:
    """Say whether a kernel computes an equation in little time."""
    variables = (*equation.results, *(x for x in equation.operands if isinstance(x, Variable)))
    return equation.primitive.name in _CHEAP and all(x.type.dtype in NATIVE for x in variables)


class _Cut:
    """A program cut in two after an equation.

    Attributes:
        early, late: its equations.
        source: gives what an operand is stored in.
        made: the early equation of each variable.
        views: the equation of each view.
        kept: what crosses the cut.
        dropped: what does not, with the equation that computes it again.
        copies: what stands for these.
    """

    def __init__(self, graph: Graph, place: int) -> None:
        self.whole = graph
        self.early, self.late = graph.equations[: place + 1], graph.equations[place + 1 :]
        self.source = sources(graph)
        self.made = {x: equation for equation in self.early for x in equation.results}
        self.views = {x.results[0]: x for x in graph.equations if x.primitive.name in VIEWS}
        self.kept: set[Variable] = set()
        self.dropped: dict[Variable, Equation] = {}
        self.copies: set[Variable] = set()
        self._choose()

    # --- what goes

    def _choose(self) -> None:
        """Go through the values that cross the cut, each after those that it is made of."""
        read = (self.source(x) for equation in self.late for x in equation.operands)
        crossing = {x for x in read if x in self.made}
        returned = {source for x in self.whole.outputs if (source := self.source(x)) is not None}
        exact = self._compared()
        masks = self._signs(crossing)
        self.kept = {x for x in crossing if x.type.nbytes < _FEWEST_BYTES} | returned
        for equation in self.early:
            for x in equation.results:
                if x not in crossing or x in self.kept:
                    continue
                if x in exact or not self._drops(x):
                    if x in masks and x not in exact and masks[x].operands[0] not in self.dropped:
                        self.kept.add(masks[x].operands[0])  # type: ignore[arg-type]
                        self.dropped[x] = masks[x]
                    else:
                        self.kept.add(x)

    def _drops(self, x: Variable) -> bool:
        """Say whether a value can be computed again, and note how."""
        found: dict[Variable, Equation] = {}
        smaller: set[Variable] = set()
        open_ends = [x]
        while open_ends:
            variable = open_ends.pop()
            if variable in found:
                continue
            equation = self.dropped.get(variable) or self.made[variable]
            if not _is_cheap(equation) or len(found) == _MOST_EQUATIONS:
                return False
            found[variable] = equation
            for operand in equation.operands:
                source = self.source(operand)
                if source is None or source in self.kept or source in smaller:
                    continue
                if source not in self.dropped and source.type.nbytes * _SMALLER <= x.type.nbytes:
                    smaller.add(source)
                else:
                    open_ends.append(source)
        self.kept |= smaller
        self.dropped.update(found)
        return True

    def _compared(self) -> set[Variable | None]:
        """Return what late equations may compare for equality."""
        exact: set[Variable | None] = set()
        for equation in reversed(self.late):
            name = equation.primitive.name
            if not is_light(equation):
                reads = is_anchor(equation) and name not in ("matmul", "conv")
            elif name in ("less", "less_equal", "greater", "greater_equal"):
                reads = all(isinstance(x, Variable) for x in equation.operands)
            else:
                reads = name in ("equal", "not_equal") or not exact.isdisjoint(equation.results)
            if reads:
                exact.update(x for x in equation.operands if isinstance(x, Variable))
        return {self.source(x) for x in exact}

    def _signs(self, crossing: set[Variable]) -> dict[Variable, Equation]:
        """Return for the comparison in each relu one of its result, if that crosses the cut."""
        signs: dict[Variable, Equation] = {}
        for equation in self.early:
            if equation.primitive.name != "where" or equation.results[0] not in crossing:
                continue
            mask, *branches = equation.operands
            compared = self.made.get(mask) if isinstance(mask, Variable) else None
            if compared is None or compared.primitive.name not in _ZEROED:
                continue
            x, threshold = compared.operands
            zeroed = _ZEROED[compared.primitive.name]
            numbers = (threshold, branches[zeroed])
            if branches[1 - zeroed] is not x or any(isinstance(n, Variable) or n != 0 for n in numbers):
                continue
            if compared.results[0].type.shape == equation.results[0].type.shape:
                signs[compared.results[0]] = compared._replace(operands=(equation.results[0], threshold))
        return signs

    # --- what is written instead

    def graph(self) -> Graph:
        """Return the program whose late equations read copies."""
        equations = [*self.early]
        lasting: dict[Variable, Variable] = {}  # copies that are stored
        passing: dict[Variable, Variable] = {}  # and those since the last equation that is a step of its own
        for equation in self.late:
            copies = lasting if is_anchor(equation) else passing
            if equation.primitive.name in VIEWS and self._is_gone(equation.operands[0]):
                continue
            operands = tuple(self._copied(x, copies, equations) for x in equation.operands)
            equations.append(equation._replace(operands=operands))
            if is_anchor(equation):
                passing = {}
        return self.whole._replace(equations=tuple(equations))

    def _is_gone(self, operand: Operand) -> bool:
        return self.source(operand) in self.dropped

    def _copied(
        self, operand: Operand, copies: dict[Variable, Variable], equations: list[Equation]
    ) -> Operand:
        """Return what stands for an operand, after the equations that it takes."""
        if not isinstance(operand, Variable) or not self._is_gone(operand):
            return operand
        if operand not in copies:
            equation = self.dropped.get(operand) or self.views[operand]
            operands = tuple(self._copied(x, copies, equations) for x in equation.operands)
            copies[operand] = Variable(operand.type, operand.weak)
            self.copies.add(copies[operand])
            equations.append(equation._replace(results=(copies[operand],), operands=operands))
        return copies[operand]
