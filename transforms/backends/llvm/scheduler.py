"""From a graph to a schedule: which equations run together, and what is stored between.

Each equation joins the latest group over its shape if all that it reads is there: an element computed in
the same group for the same index, or stored by an earlier step. Otherwise it opens a group behind all
others. The order of the groups is the order of the steps, so that one pass suffices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from transforms.backends.llvm.bands import form_bands
from transforms.backends.llvm.donation import can_hold_results, write_over
from transforms.backends.llvm.group import Group
from transforms.backends.llvm.hidden import near_diagonals
from transforms.backends.llvm.layouts import without_copies
from transforms.backends.llvm.loops import merge_outer
from transforms.backends.llvm.native import native_form
from transforms.backends.llvm.partials import in_stages
from transforms.backends.llvm.steps import (
    Access,
    Contraction,
    DType,
    HostCall,
    Kernel,
    Reduce,
    Region,
    Repeat,
    RepeatWhile,
    Schedule,
    Step,
    Store,
    Switch,
    Wait,
    reads,
    writes,
)
from transforms.backends.llvm.threads import get_threads
from transforms.backends.llvm.turning import in_whole_lines, with_turned_operands
from transforms.backends.llvm.views import broadcast, contiguous_strides, is_contiguous, whole
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.types import Array, ArrayType, Shape

Rule: TypeAlias = "Callable[[Scheduler, Equation], bool]"

# What copies operands that may be there for long, in order to read them with a rim or as another dtype.
_COPYING = frozenset({"conv", "window_route", "window_pick"})

# How many products and other steps of their own what is late may be ahead of.
_RECENT = 3

RULES: dict[str, Rule] = {}
"""For the name of a primitive: adds an equation to a schedule, and says whether that was possible."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate the rule of primitives."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


class Scheduler:
    """Writes the schedule of one graph."""

    def __init__(
        self,
        graph: Graph,
        late: frozenset[Variable] = frozenset(),
        *,
        apart: bool = False,
        donated: tuple[int, ...] = (),
    ) -> None:
        self.graph = graph
        self.late = late  # what may not join a group from before the last few steps of their own
        self.apart = apart or bool(donated)  # whether each result must be a buffer of its own
        self.donated = [x for x in (graph.inputs[i] for i in donated) if can_hold_results(x)]
        self.returned: set[Variable] = set()
        self.constants = list(graph.constants)
        self.steps: list[Group | Contraction | HostCall | Repeat | Switch | RepeatWhile] = []
        self.groups: dict[int, Group] = {}  # those among the steps
        # What writes a number to all of a buffer, before its first use.
        self.fills: dict[Variable, Group] = {}
        self.earliest = 0  # the first step that what is added now may join
        # The first steps after the last few of those of their own.
        self.fences = deque([0] * _RECENT, maxlen=_RECENT)
        self.latest: dict[Shape, int] = {}  # the group over each shape that equations may join
        self.made = dict.fromkeys((*graph.inputs, *(x for x, _ in graph.constants)), -1)  # by which step
        self.regions = {x: whole(x) for x in self.made}
        self.stored: set[Variable] = set()
        self.known = {x: np.asarray(value) for x, value in graph.constants}
        self.copies: dict[Region, Region] = {}
        self.checked: dict[tuple[Region, int], Region] = {}  # indices that were checked for an axis
        self.uniform = {x: number for x, value in graph.constants if (number := _uniform(value)) is not None}

    def run(self) -> Schedule:
        """Schedule all equations, and then the results."""
        for equation in self.graph.equations:
            self.equation(equation)
        outputs = tuple(self.output(x) for x in self.graph.outputs)
        # What is made of them takes as much memory as the steps do: so nothing here has a name.
        bands = form_bands(self._ready_for_bands(), self.returned, get_threads())
        schedule = Schedule(self.graph.inputs, tuple(self.constants), bands, outputs)
        return write_over(schedule, self.donated) if self.donated else schedule

    def _finished(self) -> list[Step]:
        """Return the steps, and forget them."""
        access = {x: whole(x).access for x in self.made}

        def finished(group: Group) -> Kernel:
            return merge_outer(group.kernel(self.stored, access))

        self.groups.clear()
        self.steps.reverse()
        steps: list[Step] = []
        while self.steps:
            step = self.steps.pop()
            steps.append(finished(step) if isinstance(step, Group) else step)
        return _with_fills(steps, {x: finished(group) for x, group in self.fills.items()})

    def _ready_for_bands(self) -> list[Step]:
        """Return the finished steps as they are to run, but for their order and their units."""
        steps = without_copies(with_turned_operands(self._finished()), self.returned)
        steps = in_stages(in_whole_lines(steps))
        return near_diagonals(steps, dict(self.constants), self.returned)

    def equation(self, equation: Equation) -> None:
        """Add an equation: by its primitive's rule, as an element of a group, or as a call of NumPy."""
        special = RULES.get(equation.primitive.name)
        self.earliest = self._earliest(equation)
        if special is not None and special(self, equation):
            return
        if not self.elementwise(equation):
            self.host_call(equation)

    def _earliest(self, equation: Equation) -> int:
        """Return the first step that an equation may become a part of."""
        if not self.late.isdisjoint(equation.results):
            return self.fences[0]
        if equation.primitive.name not in _COPYING:
            return 0
        buffers = (self.regions[x].access.buffer for x in variables_of(equation))
        return max((self.made[x] for x in buffers), default=0)

    def output(self, output: Operand) -> tuple[Variable, Shape] | Operand:
        """Return where a result is, after a copy if it is not a buffer of its own."""
        if not isinstance(output, Variable):
            return output
        region = self.regions[output]
        buffer = region.access.buffer
        taken = self.apart and buffer.type.dtype in NATIVE and not self._is_own(region)
        if taken or not is_contiguous(region):
            region = self.new_copy(region)
        self.stored.add(region.access.buffer)
        self.returned.add(region.access.buffer)
        return region.access.buffer, region.shape

    def _is_own(self, region: Region) -> bool:
        """Say whether a region is a buffer that can be one more result, and nothing else."""
        buffer = region.access.buffer
        given_away = buffer in self.donated and region.shape == buffer.type.shape
        return buffer not in self.returned and (self.made[buffer] >= 0 or given_away)

    # --- groups

    def ready(self, region: Region, shape: Shape) -> int:
        """Return the first step that can read a region in a loop over a shape."""
        buffer = region.access.buffer
        made = self.made[buffer]
        return made if self.register(made, region, shape) is not None else made + 1

    def register(self, index: int, region: Region, shape: Shape) -> int | None:
        """Return the value of a group that is the region's element for each index; None if there is none."""
        group = self.groups.get(index)
        buffer = region.access.buffer
        if group is None or buffer not in group.results or shape != buffer.type.shape:
            return None
        aligned = broadcast(region, shape) == broadcast(whole(buffer), shape)
        return group.results[buffer] if aligned else None

    def group(
        self, shape: Shape, regions: list[Region], axes: tuple[int, ...] | None = None, after: int = -1
    ) -> int:
        """Return the index of a group over a shape that can read regions, and reduce over axes."""
        bound = max((self.ready(region, shape) for region in regions), default=0)
        index = self.latest.get(shape, -1)
        if index >= max(bound, after + 1, self.earliest):
            group = self.groups[index]
            if not group.is_full and (axes is None or group.axes in (None, axes)):
                return index
        index = self.latest[shape] = len(self.steps)
        self.groups[index] = Group(shape)
        self.steps.append(self.groups[index])
        return index

    def read(self, index: int, operand: Region | bool | int | float, dtype: DType) -> int:
        """Return the value, in a group and a dtype, of an operand."""
        group = self.groups[index]
        if not isinstance(operand, Region):
            return group.number(operand, dtype)
        buffer = operand.access.buffer
        if buffer in self.uniform:
            return group.cast(group.number(self.uniform[buffer], buffer.type.dtype), dtype)
        value = self.register(index, operand, group.shape)
        if value is None:
            self.stored.add(buffer)
            value = group.load(broadcast(operand, group.shape), buffer.type.dtype)
        return group.cast(value, dtype)

    def assign(self, buffer: Variable, index: int) -> None:
        """Note that a step makes a variable, which is a buffer of its own."""
        self.made[buffer] = index
        self.regions[buffer] = whole(buffer)

    def operand(self, operand: Operand) -> Region | bool | int | float | complex:
        """Return where an operand is; a number stands for itself."""
        return self.regions[operand] if isinstance(operand, Variable) else operand

    def constant(self, value: Array) -> Variable:
        """Return a buffer with known elements."""
        variable = Variable(ArrayType(value.shape, value.dtype))
        self.add_constant(variable, value)
        return variable

    def add_constant(self, variable: Variable, value: Array) -> None:
        """Note the elements of a variable."""
        if variable in self.known:
            return
        self.constants.append((variable, value))
        self.known[variable] = np.asarray(value)
        self.made[variable] = -1
        self.regions[variable] = whole(variable)
        number = _uniform(value)
        if number is not None:
            self.uniform[variable] = number

    def copy(self, region: Region) -> Region:
        """Return a copy of a region, in order; the same each time."""
        if region not in self.copies:
            self.copies[region] = self.new_copy(region)
        return self.copies[region]

    def new_copy(self, region: Region) -> Region:
        """Store a region as a buffer of its own, by a kernel of its own: it may transpose."""
        buffer = Variable(ArrayType(region.shape, region.access.buffer.type.dtype))
        index = self.own_group(region.shape, [region.access.buffer])
        value = self.read(index, region, buffer.type.dtype)
        self.store(index, value, whole(buffer))
        return self.regions[buffer]

    def write(
        self,
        operand: Region | bool | int | float,
        target: Region,
        after: int = -1,
        waits: Sequence[Wait] = (),
    ) -> int:
        """Store an operand, which broadcasts, to a region; return the index of the group.

        A number that is all of a buffer for now is written before the buffer's first use: that is -1.
        """
        buffer = target.access.buffer
        if not isinstance(operand, Region) and buffer not in self.made:
            fill = self.fills[buffer] = Group(target.shape)
            fill.waits.update(dict.fromkeys(wait for wait in waits if wait.whole))
            number = fill.number(operand, buffer.type.dtype)
            fill.stores.append(Store(number, broadcast(target, target.shape)))
            self.assign(buffer, -1)
            self.stored.add(buffer)
            return -1
        regions = [operand] if isinstance(operand, Region) else []
        index = self.group(target.shape, regions, after=max((after, *(self.made[x.buffer] for x in waits))))
        self.wait(index, waits)
        value = self.read(index, operand, buffer.type.dtype)
        self.store(index, value, target)
        return index

    def element_of(self, region: Region, result: Variable) -> None:
        """Make a variable of a region: a loop over its elements, which others may join."""
        index = self.group(region.shape, [region])
        self.groups[index].results[result] = self.read(index, region, result.type.dtype)
        self.assign(result, index)

    def store(self, index: int, value: int, target: Region) -> None:
        """Store a value of a group to a region that is all of a variable, in whatever order."""
        buffer = target.access.buffer
        self.groups[index].stores.append(Store(value, broadcast(target, target.shape)))
        self.made[buffer] = max(index, self.made.get(buffer, -1))
        self.regions[buffer] = whole(buffer)
        self.stored.add(buffer)

    def wait(self, index: int, waits: Sequence[Wait]) -> None:
        """Let a group wait for buffers that earlier steps make."""
        self.groups[index].waits.update(dict.fromkeys(waits))
        self.stored.update(wait.buffer for wait in waits)

    def own_group(self, shape: Shape, reads: Sequence[Variable]) -> int:
        """Return the index of a new group over a shape, behind what makes buffers, that nothing may join."""
        latest = self.latest.pop(shape, None)
        index = self.group(shape, [], after=max(self.made[x] for x in reads))
        self.latest.pop(shape)
        if latest is not None:
            self.latest[shape] = latest
        return index

    def store_at(self, index: int, value: int, access: Access) -> None:
        """Store a value of a group to one of the places of a variable that the group writes."""
        self.groups[index].stores.append(Store(value, access))
        self.assign(access.buffer, index)
        self.stored.add(access.buffer)

    def contract(self, step: Contraction) -> None:
        """Add a contraction, to all of a buffer."""
        self.stored.update((step.left.buffer, step.right.buffer, step.out.buffer))
        self.steps.append(step)
        self.assign(step.out.buffer, len(self.steps) - 1)
        self.fences.append(len(self.steps))

    def sum_of_products(self, operands: list[Region], out: Access, summed: int) -> None:
        """Add the sum of products of two operands over the last axes of their shape."""
        shape, dtype = operands[0].shape, out.buffer.type.dtype
        axes = tuple(range(len(shape) - summed, len(shape)))
        index = self.group(shape, operands, axes)
        group = self.groups[index]
        group.axes = axes
        values = tuple(self.read(index, x, dtype) for x in operands)
        total = group.apply("multiply", values, dtype)
        group.reductions.append(Reduce("add", total, out, dtype))
        self.assign(out.buffer, index)
        self.stored.add(out.buffer)

    def total(self, region: Region, result: Variable) -> None:
        """Add the sum over the first axis of a region."""
        dtype = result.type.dtype
        index = self.group(region.shape, [region], (0,))
        group = self.groups[index]
        group.axes = (0,)
        out = Access(result, 0, (0, *contiguous_strides(result.type.shape)))
        group.reductions.append(Reduce("add", self.read(index, region, dtype), out, dtype))
        self.assign(result, index)
        self.stored.add(result)

    # --- kinds of equations

    def elementwise(self, equation: Equation) -> bool:
        """Add the equation to a group; say whether that was possible."""
        native = native_form(equation)
        if native is None:
            return False
        (result,) = equation.results
        operands = [self.operand(equation.operands[i]) for i in native.positions]
        index = self.group(result.type.shape, [x for x in operands if isinstance(x, Region)])
        group = self.groups[index]
        values = tuple(
            self.read(index, x, dtype)  # type: ignore[arg-type]
            for x, dtype in zip(operands, native.dtypes, strict=True)
        )
        dtype = result.type.dtype
        value = (
            group.cast(values[0], dtype)
            if native.operation == "cast"
            else group.apply(native.operation, values, dtype)
        )
        group.results[result] = value
        self.assign(result, index)
        return True

    def contiguous(self, region: Region) -> Variable:
        """Return a buffer that is a region, in order."""
        return (region if is_contiguous(region) else self.copy(region)).access.buffer

    def append(self, step: HostCall | Repeat | Switch | RepeatWhile, results: Sequence[Variable]) -> None:
        """Add a step that makes variables."""
        self.steps.append(step)
        for result in results:
            self.assign(result, len(self.steps) - 1)
            self.stored.add(result)
        self.fences.append(len(self.steps))

    def host_call(self, equation: Equation) -> None:
        """Add an equation as a call of NumPy."""
        operands = tuple(self.operand(x) for x in equation.operands)
        self.stored.update(x.access.buffer for x in operands if isinstance(x, Region))
        attributes = {key: _with_native_programs(value) for key, value in equation.attributes.items()}
        self.append(HostCall(equation._replace(attributes=attributes), operands), equation.results)


def _with_fills(steps: Sequence[Step], fills: dict[Variable, Kernel]) -> list[Step]:
    """Return steps in order, with what fills a buffer just before the first that touches it."""
    remaining = dict(fills)
    ordered: list[Step] = []
    for step in steps:
        ordered.extend(remaining.pop(x) for x in (*reads(step), *writes(step)) if x in remaining)
        ordered.append(step)
    return [*ordered, *remaining.values()]


def variables_of(equation: Equation) -> tuple[Variable, ...]:
    """Return the operands that are no numbers."""
    return tuple(x for x in equation.operands if isinstance(x, Variable))


def is_native(equation: Equation) -> bool:
    """Say whether all operands and results are of dtypes that kernels compute with."""
    return {x.type.dtype for x in (*equation.results, *variables_of(equation))} <= NATIVE


def _with_native_programs(attribute: Any) -> Any:
    """Return an attribute with this backend for the programs that it carries: the step of a loop, say."""
    return attribute._replace(backend="llvm") if "backend" in getattr(attribute, "_fields", ()) else attribute


def _uniform(value: object) -> bool | int | float | None:
    """Return the number that all elements of a constant are; None if there is none that a kernel can name."""
    array = np.asarray(value)
    if not array.size or array.dtype not in NATIVE:
        return None
    first = array[(0,) * array.ndim]
    bits = f"u{array.dtype.itemsize}"
    if array.size > 1 and np.ptp(np.ascontiguousarray(array).view(bits)):
        return None
    return first.item()  # type: ignore[no-any-return]
