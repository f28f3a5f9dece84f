"""The order of equations: each as late as what reads it needs, and what frees memory as early as it can.

A program comes in the order in which it was traced. Two things in it keep memory for longer than need be.
What only leads to results, as the updates of parameters do, stands at the end, and all gradients wait for it:
it moves up to where its operands are there. And what is made long before it is read moves down to its first
reader, unless its operands would have to wait for it and are as large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transforms.backends.llvm.views import VIEWS
from transforms.graph.ir import Equation, Graph, Variable

# Results of fewer bytes than this are no reason to wait.
SMALL = 1 << 12

_REDUCTIONS = frozenset(("sum", "prod", "max", "min", "any", "all"))


class Ordered(NamedTuple):
    """A program in a new order.

    Attributes:
        graph: the program.
        late: results that must not be computed along with what came long before, though they could be.
    """

    graph: Graph
    late: frozenset[Variable]


def in_order(graph: Graph) -> Graph:
    """Return a program with its updates as early as possible."""
    return graph._replace(equations=_with_early_updates(graph))


def in_late_order(graph: Graph, copies: frozenset[Variable] = frozenset()) -> Ordered:
    """Return a program with everything as late as it should be; copies are late in any case."""
    equations = _sunk(graph)
    return Ordered(graph._replace(equations=equations), copies | _late(graph, equations))


def is_light(equation: Equation) -> bool:
    """Say whether an equation is computed along with others: an elementwise one, or a view."""
    primitive = equation.primitive
    return primitive.name in VIEWS or (primitive.elementwise and not primitive.multiple)


def is_anchor(equation: Equation) -> bool:
    """Say whether an equation is a step of its own, as a product is: neither elementwise nor a reduction."""
    return not is_light(equation) and equation.primitive.name not in _REDUCTIONS


def sources(graph: Graph) -> Callable[[object], Variable | None]:
    """Return a function that gives what an operand is stored in; None for what is given or a number."""
    given = {*graph.inputs, *(x for x, _ in graph.constants)}
    source: dict[Variable, Variable] = {}
    for equation in graph.equations:
        if equation.primitive.name in VIEWS and isinstance(equation.operands[0], Variable):
            x = equation.operands[0]
            source[equation.results[0]] = source.get(x, x)

    def find(operand: object) -> Variable | None:
        if not isinstance(operand, Variable):
            return None
        found = source.get(operand, operand)
        return None if found in given else found

    return find


def _with_early_updates(graph: Graph) -> tuple[Equation, ...]:
    """Move up what is small, and what only results depend on."""
    leads_on: set[Variable] = set()  # what something else than such equations reads
    outputs = {x for x in graph.outputs if isinstance(x, Variable)}
    ends: list[bool] = []
    for equation in reversed(graph.equations):
        ends.append(is_light(equation) and leads_on.isdisjoint(equation.results))
        if not ends[-1]:
            leads_on.update(x for x in equation.operands if isinstance(x, Variable))
    ends.reverse()
    last_read: dict[Variable, int] = {}  # of inputs, by anything else
    inputs = set(graph.inputs)
    place: dict[Variable, int] = {}
    places: list[int] = []
    for index, equation in enumerate(graph.equations):
        operands = [x for x in equation.operands if isinstance(x, Variable)]
        ready = max((place.get(x, -1) for x in operands), default=-1)
        if not is_light(equation):
            ready = index
        elif ends[index]:
            (result,) = equation.results
            if result in outputs:  # it may take the room of the input that it replaces
                replaced = (x for x in operands if x in inputs and x.type == result.type)
                ready = max(ready, *(last_read.get(x, -1) for x in replaced), -1)
        elif equation.results[0].type.nbytes > SMALL:
            ready = index
        if not ends[index]:
            last_read.update((x, ready) for x in operands if x in inputs)
        places.append(ready)
        place.update((x, ready) for x in equation.results)
    order = sorted(range(len(places)), key=places.__getitem__)
    return tuple(graph.equations[i] for i in order)


def _sunk(graph: Graph) -> tuple[Equation, ...]:
    """Move each light equation down to its first reader, unless that keeps alive more than it saves."""
    source = sources(graph)
    outputs = {x for x in graph.outputs if isinstance(x, Variable)}
    read_later = {source(x) for x in outputs}
    first_read: dict[Variable, int] = {}
    places: list[int] = []
    for index in range(len(graph.equations) - 1, -1, -1):
        equation = graph.equations[index]
        place = index
        operands = [x for x in equation.operands if isinstance(x, Variable)]
        stored = {source(x) for x in operands}
        if is_light(equation):
            result = equation.results[0]
            ending = sum(x.type.nbytes for x in stored if x is not None and x not in read_later)
            if result in first_read and (equation.primitive.name in VIEWS or ending < result.type.nbytes):
                place = first_read[result]
        for x in operands:
            first_read[x] = min(first_read.get(x, place), place)
        read_later |= stored
        places.append(place)
    places.reverse()
    order = sorted(range(len(places)), key=places.__getitem__)
    return tuple(graph.equations[i] for i in order)


def _late(graph: Graph, equations: tuple[Equation, ...]) -> frozenset[Variable]:
    """Return the results of equations that read only what was there before the last step of its own."""
    source = sources(graph)
    last_read = {source(x): index for index, equation in enumerate(equations) for x in equation.operands}
    last_read.update((source(x), len(equations)) for x in graph.outputs)
    made: dict[Variable | None, int] = {}
    anchor = 0
    late: set[Variable] = set()
    for index, equation in enumerate(equations):
        for x in equation.results:
            made[x] = index
        if is_anchor(equation):
            anchor = index
        if equation.primitive.name in VIEWS or not is_light(equation):
            continue
        (result,) = equation.results
        stored = {source(x) for x in equation.operands} - {None}
        old = all(made[x] < anchor for x in stored)
        ending = sum(x.type.nbytes for x in stored if x is not None and last_read[x] <= index)
        if old and result.type.nbytes > SMALL and ending < result.type.nbytes:
            late.add(result)
    return frozenset(late)
