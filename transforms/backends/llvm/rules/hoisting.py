"""What a loop need not do step by step: what does not change, products of entries, and sums over steps.

What depends on consts alone is computed once, before the loop. A product of each entry with the same matrix
is one product of all entries, before the loop. A carry that only adds up products, as the gradient of a
matrix that every step uses, is one product, over the steps as well, after the loop: a large product comes
nearer to what the processor can do than many small ones, and nothing is added up in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from transforms.backends.llvm.products import CONTRACTED, simplify
from transforms.backends.llvm.rules.reductions import add_reduction
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Contraction, Region
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Equation, Graph, Variable
from transforms.types import ArrayType


class Entry(NamedTuple):
    """An array of each step.

    Attributes:
        stack: which of the stacks, or, from the number of these on, of the steps' outputs.
        permutation: the order of the axes of one entry.
    """

    stack: int
    permutation: tuple[int, ...]


class Sum(NamedTuple):
    """A carry that adds up what each step gives: a product of two matrices, or a sum over axes of one array.

    Attributes:
        carry: which one.
        operands: of the product, or the one of the sum.
        axes: of the sum.
    """

    carry: int
    operands: tuple[Entry, ...]
    axes: tuple[int, ...]


class Product(NamedTuple):
    """A product of each entry of a stack with the same matrix, whose results are a further stack."""

    stack: int
    const: int
    result: ArrayType


class Divided(NamedTuple):
    """A loop's step, without what is done before and after the loop.

    Attributes:
        graph: the step; its last consts are what the invariant equations give, its last entries the products,
            and its last outputs what the sums need.
        invariant: equations before the loop.
        invariants: what the step reads of their results.
        products: before the loop.
        sums: after the loop.
        outputs: how many outputs were added.
    """

    graph: Graph
    invariant: tuple[Equation, ...]
    invariants: tuple[Variable, ...]
    products: tuple[Product, ...]
    sums: tuple[Sum, ...]
    outputs: int


def divide(graph: Graph, consts: int, carries: int) -> Divided:
    """Divide a step, given how many of its inputs are consts and carry."""
    return _Divider(graph, consts, carries).divide()


class _Divider:
    """Takes one step apart."""

    def __init__(self, graph: Graph, consts: int, carries: int) -> None:
        self.graph = graph
        self.carries = carries
        self.consts = graph.inputs[:consts]
        self.carry = graph.inputs[consts : consts + carries]
        self.entries = graph.inputs[consts + carries :]
        self.uses = Counter(x for e in graph.equations for x in e.operands if isinstance(x, Variable))
        self.uses.update(x for x in graph.outputs if isinstance(x, Variable))
        self.made = {x: e for e in graph.equations for x in e.results}
        self.gone: set[Variable] = set()
        self.added: list[Variable] = []  # outputs

    def divide(self) -> Divided:
        """Return the parts."""
        invariant = self._invariant()
        sums = [x for i in range(self.carries) if (x := self._sum(i)) is not None]
        products, stacks = self._products()
        summed = {x.carry for x in sums}
        kept = [i for i in range(self.carries) if i not in summed]
        outputs = (*(self.graph.outputs[i] for i in kept), *self.graph.outputs[self.carries :], *self.added)
        read = {x for e in self.graph.equations if not self.gone.intersection(e.results) for x in e.operands}
        invariants = tuple(x for e in invariant for x in e.results if x in read)
        inputs = (*self.consts, *invariants, *(self.carry[i] for i in kept), *self.entries, *stacks)
        equations = tuple(e for e in self.graph.equations if not self.gone.intersection(e.results))
        # The stacks of products come between the entries and the outputs.
        moved = tuple(
            x._replace(operands=tuple(_shifted(y, len(self.entries), len(stacks)) for y in x.operands))
            for x in sums
        )
        graph = Graph(inputs, self.graph.constants, equations, outputs)
        return Divided(graph, invariant, invariants, products, moved, len(self.added))

    def _invariant(self) -> tuple[Equation, ...]:
        """Take out the equations that depend on consts alone, but for those that only make them larger."""
        known = {*self.consts, *(x for x, _ in self.graph.constants)}
        invariant = []
        for equation in self.graph.equations:
            operands = {x for x in equation.operands if isinstance(x, Variable)}
            fixed = bool(operands & known) and operands <= known and not equation.primitive.effect
            if fixed and equation.primitive.name != "broadcast_to":
                known.update(equation.results)
                invariant.append(equation)
                self.gone.update(equation.results)
        outputs = self.gone.intersection(x for x in self.graph.outputs if isinstance(x, Variable))
        if outputs:  # an output is made in the step
            self.gone.clear()
            return ()
        return tuple(invariant)

    def _sum(self, index: int) -> Sum | None:
        carry, total = self.carry[index], self.graph.outputs[index]
        if not isinstance(total, Variable) or carry.type.dtype not in CONTRACTED:
            return None
        addition = self.made.get(total)
        if addition is None or addition.primitive.name != "add" or self.uses[total] != 1:
            return None
        others = [x for x in addition.operands if x is not carry]
        if self.uses[carry] != 1 or len(others) != 1 or not isinstance(others[0], Variable):
            return None
        term = self.made.get(others[0])
        if term is None or self.uses[others[0]] != 1 or others[0].type != carry.type:
            return None
        operands = [x for x in term.operands if isinstance(x, Variable)]
        if any(x.type.dtype != carry.type.dtype for x in operands):
            return None
        if term.primitive.name == "matmul" and all(len(x.type.shape) == 2 for x in operands):
            axes: tuple[int, ...] = ()
        elif term.primitive.name == "sum" and operands:
            axes = term.attributes["axes"]
        else:
            return None
        self.gone.update(addition.results, term.results)
        return Sum(index, tuple(map(self._entry, operands)), axes)

    def _entry(self, x: Variable) -> Entry:
        """Return where the values of a variable are after the loop; they become an output if need be."""
        permutation = tuple(range(len(x.type.shape)))
        view = self.made.get(x)
        if view is not None and view.primitive.name == "transpose" and isinstance(view.operands[0], Variable):
            x, permutation = view.operands[0], view.attributes["permutation"]
        if x in self.entries:
            return Entry(self.entries.index(x), permutation)
        outputs = [*self.graph.outputs[self.carries :], *self.added]
        for place, output in enumerate(outputs):
            if output is x:
                return Entry(len(self.entries) + place, permutation)
        self.added.append(x)
        return Entry(len(self.entries) + len(outputs), permutation)

    def _products(self) -> tuple[tuple[Product, ...], list[Variable]]:
        products, stacks = [], []
        for equation in self.graph.equations:
            if equation.primitive.name != "matmul" or self.gone.intersection(equation.results):
                continue
            left, right = equation.operands
            (result,) = equation.results
            if left in self.entries and right in self.consts and result.type.dtype in CONTRACTED:
                assert isinstance(left, Variable)
                assert isinstance(right, Variable)
                if len(left.type.shape) == len(right.type.shape) == 2:
                    products.append(Product(self.entries.index(left), self.consts.index(right), result.type))
                    stacks.append(result)
                    self.gone.add(result)
        return tuple(products), stacks


def _shifted(entry: Entry, entries: int, stacks: int) -> Entry:
    return entry._replace(stack=entry.stack + stacks) if entry.stack >= entries else entry


def add_sum(
    scheduler: Scheduler, total: Sum, stacks: Sequence[Variable], start: Region, result: Variable
) -> None:
    """Add the sum over all steps, and the first carry, as a result of the loop."""
    regions = [_in_order(stacks[x.stack], x.permutation) for x in total.operands]
    buffer = Variable(result.type)
    if len(regions) == 2:
        _product_over_steps(scheduler, regions[0], regions[1], buffer)
    else:
        _sum_over_steps(scheduler, regions[0], total.axes, buffer)
    shape, dtype = result.type.shape, result.type.dtype
    index = scheduler.group(shape, [start, whole(buffer)])
    group = scheduler.groups[index]
    operands = tuple(scheduler.read(index, x, dtype) for x in (start, whole(buffer)))
    group.results[result] = group.apply("add", operands, dtype)
    scheduler.assign(result, index)


def _in_order(stack: Variable, permutation: tuple[int, ...]) -> Region:
    access = whole(stack).access
    order = (0, *(axis + 1 for axis in permutation))
    strides = tuple(access.strides[axis] for axis in order)
    return Region(access._replace(strides=strides), tuple(stack.type.shape[axis] for axis in order))


def _product_over_steps(scheduler: Scheduler, left: Region, right: Region, result: Variable) -> None:
    if right.access.strides[-1] != 1:
        right = scheduler.copy(right)
    steps, rows, inner = left.shape
    by_step, by_row, by_inner = left.access.strides
    scheduler.contract(
        simplify(
            Contraction(
                (),
                (rows,),
                (steps, inner),
                right.shape[-1],
                left.access._replace(strides=(by_row, by_step, by_inner)),
                right.access,
                Access(result, 0, contiguous_strides(result.type.shape)),
                result.type.dtype,
            )
        )
    )


def _sum_over_steps(scheduler: Scheduler, region: Region, axes: tuple[int, ...], result: Variable) -> None:
    summed = (0, *(axis + 1 for axis in axes))
    add_reduction(scheduler, "add", region, summed, result)
