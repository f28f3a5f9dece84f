"""From a graph to a schedule: which equations run together, and what is stored between.

Each equation joins the latest group over its shape if all that it reads is there: an element computed in
the same group for the same index, or stored by an earlier step. Otherwise it opens a group behind all
others. The order of the groups is the order of the steps, so that one pass suffices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.backends.llvm.bands import form_bands
from transforms.backends.llvm.group import Group
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.native import native_form
from transforms.backends.llvm.products import CONTRACTED, matrix_product, with_few_rows
from transforms.backends.llvm.steps import (
    Access,
    Contraction,
    DType,
    HostCall,
    Reduce,
    Region,
    Repeat,
    Schedule,
    Store,
)
from transforms.backends.llvm.views import VIEWS, broadcast, contiguous_strides, is_contiguous, select, whole
from transforms.backends.llvm.writer import NATIVE
from transforms.control.loop import Loop
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.primitives.slicing import BasicIndex, Slice, full_slice
from transforms.types import ArrayType, Shape

# For fewer rows than this, a right operand whose columns are not adjacent is not copied.
_FEW_ROWS = 4

_REDUCTIONS = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "or",
    "all": "and",
}


def make_schedule(graph: Graph) -> Schedule:
    """Return the schedule of a graph."""
    return _Scheduler(graph).run()


class _Scheduler:
    """Writes the schedule of one graph."""

    def __init__(self, graph: Graph, *, apart: bool = False) -> None:
        self.graph = graph
        self.apart = apart  # whether each result must be a buffer of its own
        self.returned: set[Variable] = set()
        self.constants = list(graph.constants)
        self.steps: list[Group | Contraction | HostCall | Repeat] = []
        self.groups: dict[int, Group] = {}  # those among the steps
        self.latest: dict[Shape, int] = {}  # the group over each shape that equations may join
        self.made = dict.fromkeys((*graph.inputs, *(x for x, _ in graph.constants)), -1)  # by which step
        self.regions = {x: whole(x) for x in self.made}
        self.stored: set[Variable] = set()
        self.uniform = {x: number for x, value in graph.constants if (number := _uniform(value)) is not None}

    def run(self) -> Schedule:
        """Schedule all equations, and then the results."""
        for equation in self.graph.equations:
            self._equation(equation)
        outputs = tuple(self._output(x) for x in self.graph.outputs)
        access = {x: whole(x).access for x in self.made}
        steps = [x.kernel(self.stored, access) if isinstance(x, Group) else x for x in self.steps]
        return Schedule(self.graph.inputs, tuple(self.constants), form_bands(steps), outputs)

    def _equation(self, equation: Equation) -> None:
        name = equation.primitive.name
        if name in VIEWS and self._view(equation):
            return
        dtypes = {x.type.dtype for x in (*equation.results, *_variables(equation))}
        native = dtypes <= NATIVE
        if name in _REDUCTIONS and native:
            self._reduction(equation)
        elif name == "concatenate" and native:
            self._concatenate(equation)
        elif name == "setitem" and native:
            self._setitem(equation)
        elif name == "matmul" and dtypes <= CONTRACTED:
            self._product(equation)
        elif not self._elementwise(equation) and not self._repeat(equation):
            self._host_call(equation)

    def _output(self, output: Operand) -> tuple[Variable, Shape] | Operand:
        if not isinstance(output, Variable):
            return output
        region = self.regions[output]
        buffer = region.access.buffer
        taken = self.apart and (self.made[buffer] < 0 or buffer in self.returned)
        if taken or not is_contiguous(region):
            region = self._copy(region)
        self.stored.add(region.access.buffer)
        self.returned.add(region.access.buffer)
        return region.access.buffer, region.shape

    # --- groups

    def _ready(self, region: Region, shape: Shape) -> int:
        """Return the first step that can read a region in a loop over a shape."""
        buffer = region.access.buffer
        made = self.made[buffer]
        return made if self._register(made, region, shape) is not None else made + 1

    def _register(self, index: int, region: Region, shape: Shape) -> int | None:
        """Return the value of a group that is the region's element for each index; None if there is none."""
        group = self.groups.get(index)
        buffer = region.access.buffer
        if group is None or buffer not in group.results or shape != buffer.type.shape:
            return None
        aligned = broadcast(region, shape) == broadcast(whole(buffer), shape)
        return group.results[buffer] if aligned else None

    def _group(
        self, shape: Shape, regions: list[Region], axes: tuple[int, ...] | None = None, after: int = -1
    ) -> int:
        """Return the index of a group over a shape that can read regions, and reduce over axes."""
        bound = max((self._ready(region, shape) for region in regions), default=0)
        index = self.latest.get(shape, -1)
        if index >= max(bound, after + 1, 0):
            group = self.groups[index]
            if not group.is_full and (axes is None or group.axes in (None, axes)):
                return index
        index = self.latest[shape] = len(self.steps)
        self.groups[index] = Group(shape)
        self.steps.append(self.groups[index])
        return index

    def _read(self, index: int, operand: Region | bool | int | float, dtype: DType) -> int:
        """Return the value, in a group and a dtype, of an operand."""
        group = self.groups[index]
        if not isinstance(operand, Region):
            return group.number(operand, dtype)
        buffer = operand.access.buffer
        if buffer in self.uniform:
            return group.cast(group.number(self.uniform[buffer], buffer.type.dtype), dtype)
        value = self._register(index, operand, group.shape)
        if value is None:
            self.stored.add(buffer)
            value = group.load(broadcast(operand, group.shape), buffer.type.dtype)
        return group.cast(value, dtype)

    def _assign(self, buffer: Variable, index: int) -> None:
        self.made[buffer] = index
        self.regions[buffer] = whole(buffer)

    def _operand(self, operand: Operand) -> Region | bool | int | float | complex:
        return self.regions[operand] if isinstance(operand, Variable) else operand

    def _copy(self, region: Region) -> Region:
        """Store a region as a buffer of its own, by a kernel of its own: it may transpose."""
        buffer = Variable(ArrayType(region.shape, region.access.buffer.type.dtype))
        latest = self.latest.pop(region.shape, None)
        self._write(region, whole(buffer))
        self.latest.pop(region.shape)
        if latest is not None:
            self.latest[region.shape] = latest
        self.stored.add(buffer)
        return self.regions[buffer]

    def _write(self, operand: Region | bool | int | float, target: Region, after: int = -1) -> int:
        """Store an operand, which broadcasts, to a region; return the index of the group."""
        regions = [operand] if isinstance(operand, Region) else []
        index = self._group(target.shape, regions, after=after)
        buffer = target.access.buffer
        value = self._read(index, operand, buffer.type.dtype)
        group = self.groups[index]
        group.stores.append(Store(value, broadcast(target, target.shape)))
        self.made[buffer] = max(index, self.made.get(buffer, -1))
        self.regions[buffer] = whole(buffer)
        return index

    # --- kinds of equations

    def _view(self, equation: Equation) -> bool:
        """Make the result a view, of a copy if need be; say whether that was possible."""
        operand = equation.operands[0]
        (result,) = equation.results
        if not isinstance(operand, Variable) or result.type.dtype not in NATIVE:
            return False
        view = VIEWS[equation.primitive.name]
        region = view(self.regions[operand], equation)
        self.regions[result] = view(self._copy(self.regions[operand]), equation) if region is None else region
        return True

    def _elementwise(self, equation: Equation) -> bool:
        """Add the equation to a group; say whether that was possible."""
        native = native_form(equation)
        if native is None:
            return False
        (result,) = equation.results
        operands = [self._operand(equation.operands[i]) for i in native.positions]
        index = self._group(result.type.shape, [x for x in operands if isinstance(x, Region)])
        group = self.groups[index]
        values = tuple(
            self._read(index, x, dtype)  # type: ignore[arg-type]
            for x, dtype in zip(operands, native.dtypes, strict=True)
        )
        dtype = result.type.dtype
        value = (
            group.cast(values[0], dtype)
            if native.operation == "cast"
            else group.apply(native.operation, values, dtype)
        )
        group.results[result] = value
        self._assign(result, index)
        return True

    def _reduction(self, equation: Equation) -> None:
        region = self.regions[equation.operands[0]]  # type: ignore[index]
        (result,) = equation.results
        axes: tuple[int, ...] = equation.attributes["axes"]
        index = self._group(region.shape, [region], axes)
        group = self.groups[index]
        group.axes = axes
        kept = tuple(axis for axis in range(len(region.shape)) if axis not in axes)
        strides = [0] * len(region.shape)
        for axis, stride in zip(kept, contiguous_strides(tuple(region.shape[i] for i in kept)), strict=True):
            strides[axis] = stride
        value = self._read(index, region, result.type.dtype)
        operation = _REDUCTIONS[equation.primitive.name]
        group.reductions.append(
            Reduce(operation, value, Access(result, 0, tuple(strides)), result.type.dtype)
        )
        self._assign(result, index)
        self.stored.add(result)

    def _concatenate(self, equation: Equation) -> None:
        (result,) = equation.results
        axis: int = equation.attributes["axis"]
        start = 0
        for operand in equation.operands:
            region = self.regions[operand]  # type: ignore[index]
            stop = start + region.shape[axis]
            entries = [full_slice(n) for n in result.type.shape]
            entries[axis] = Slice(start, stop, 1)
            self._write(region, select(whole(result), BasicIndex(tuple(entries))))
            start = stop
        self.stored.add(result)

    def _setitem(self, equation: Equation) -> None:
        (result,) = equation.results
        base, updates = (self._operand(x) for x in equation.operands)
        first = self._write(base, whole(result))  # type: ignore[arg-type]
        target = select(whole(result), equation.attributes["index"])
        self._write(updates, target, after=first)  # type: ignore[arg-type]
        self.stored.add(result)

    def _product(self, equation: Equation) -> None:
        (result,) = equation.results
        left, right = (self._multiplicand(x, result.type.dtype) for x in equation.operands)
        if len(left.shape) == 1:
            left = Region(left.access._replace(strides=(0, *left.access.strides)), (1, *left.shape))
        if len(right.shape) == 1:
            right = Region(right.access._replace(strides=(*right.access.strides, 0)), (*right.shape, 1))
        product = matrix_product(left, right, result)
        inner, columns = left.shape[-1], product.right.strides[-1]
        if not inner or product.is_empty:
            self._write(0, whole(result))
        elif columns == 1 or product.columns == 1:
            self._contract(product, equation)
        elif math.prod(product.rows) < _FEW_ROWS and product.right.strides[-2] == 1:
            self._sum_of_products(product, result)
        else:
            self._contract(matrix_product(left, self._copy(right), result), equation)

    def _contract(self, product: Contraction, equation: Equation) -> None:
        """Add a contraction, or a sum if its result has no columns to fill vectors with."""
        turned = with_few_rows(product) or product
        if turned.columns == 1:
            self._sum_of_products(turned, equation.results[0])
            return
        self.stored.update((turned.left.buffer, turned.right.buffer))
        self._append(turned, equation)

    def _sum_of_products(self, product: Contraction, result: Variable) -> None:
        """Add a product as a sum along the inner axes of both operands."""
        stack, rows, inner = product.stack, product.rows, product.inner
        shape = (*stack, *rows, product.columns, *inner)
        left, right, out = product.left.strides, product.right.strides, product.out.strides
        count, last = len(stack), len(stack) + len(rows)
        none = (0,) * len(rows)
        operands = [
            Region(product.left._replace(strides=(*left[:last], 0, *left[last:])), shape),
            Region(
                product.right._replace(strides=(*right[:count], *none, right[-1], *right[count:-1])), shape
            ),
        ]
        axes = tuple(range(last + 1, len(shape)))
        index = self._group(shape, operands, axes)
        group = self.groups[index]
        group.axes = axes
        values = tuple(self._read(index, x, product.dtype) for x in operands)
        total = group.apply("multiply", values, product.dtype)
        access = product.out._replace(strides=(*out, *(0 for _ in inner)))
        group.reductions.append(Reduce("add", total, access, product.dtype))
        self._assign(result, index)
        self.stored.add(result)

    def _multiplicand(self, operand: Operand, dtype: DType) -> Region:
        assert isinstance(operand, Variable)
        region = self.regions[operand]
        if region.access.buffer.type.dtype == dtype:
            return region
        buffer = Variable(ArrayType(region.shape, dtype))
        self._write(region, whole(buffer))
        self.stored.add(buffer)
        return self.regions[buffer]

    def _repeat(self, equation: Equation) -> bool:
        """Add a loop if its steps need no Python; say whether that was possible."""
        loop = equation.attributes.get("loop")
        operands = _variables(equation)
        if not isinstance(loop, Loop) or not loop.length or len(operands) < len(equation.operands):
            return False
        step = _Scheduler(loop.optimized, apart=True).run()
        if any(isinstance(x, HostCall) for x in step.steps) or not _is_native(step):
            return False
        if any(x.type.dtype != y.type.dtype for x, y in zip(operands, step.inputs, strict=True)):
            return False
        self.constants += step.constants
        plan = plan_memory(step)
        given = [self._contiguous(self.regions[x]) for x in operands]
        self.stored.update(given)
        consts, start, stacks = loop.split(given)
        carried, outputs = equation.results[: loop.carries], equation.results[loop.carries :]
        repeat = Repeat(
            step,
            plan.offsets,
            Variable(ArrayType((plan.size,), np.uint8)),
            loop.length,
            loop.reverse,
            tuple(consts),
            tuple(start),
            tuple(stacks),
            carried,
            tuple(Variable(x.type) for x in carried),
            outputs,
        )
        self._append(repeat, equation)
        return True

    def _contiguous(self, region: Region) -> Variable:
        """Return a buffer that is a region, in order."""
        return (region if is_contiguous(region) else self._copy(region)).access.buffer

    def _append(self, step: HostCall | Repeat | Contraction, equation: Equation) -> None:
        self.steps.append(step)
        for result in equation.results:
            self._assign(result, len(self.steps) - 1)
            self.stored.add(result)

    def _host_call(self, equation: Equation) -> None:
        operands = tuple(self._operand(x) for x in equation.operands)
        self.stored.update(x.access.buffer for x in operands if isinstance(x, Region))
        attributes = {key: _with_native_programs(value) for key, value in equation.attributes.items()}
        self._append(HostCall(equation._replace(attributes=attributes), operands), equation)


def _variables(equation: Equation) -> tuple[Variable, ...]:
    return tuple(x for x in equation.operands if isinstance(x, Variable))


def _is_native(schedule: Schedule) -> bool:
    """Say whether all that goes in and out is what kernels compute with."""
    outputs = [x[0] for x in schedule.outputs if isinstance(x, tuple)]
    return len(outputs) == len(schedule.outputs) and all(
        x.type.dtype in NATIVE for x in (*schedule.inputs, *outputs)
    )


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
