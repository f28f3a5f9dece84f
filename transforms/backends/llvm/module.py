"""From a schedule to an LLVM module: one function for each run of steps that needs no Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from transforms.backends.llvm.blas import product_declarations, product_function, product_name
from transforms.backends.llvm.body import Body
from transforms.backends.llvm.emit import NAME, kernel_function
from transforms.backends.llvm.memory import Plan
from transforms.backends.llvm.steps import HostCall, Kernel, Matrix, Product, Repeat, Schedule
from transforms.graph.ir import Variable

# A pointer that a kernel takes is the only one to its buffer as long as the kernel is not inlined.
_KERNEL_ATTRIBUTES = 'attributes #0 = { noinline nounwind "prefer-vector-width"="512" }'

NativeStep: TypeAlias = Kernel | Product | Repeat


class Layout(NamedTuple):
    """Where the buffers are when a segment runs.

    Attributes:
        plan: the arena, which is the first array of the tuple.
        slots: the places of other buffers in the tuple.
    """

    plan: Plan
    slots: dict[Variable, int]


class Segments(NamedTuple):
    """A schedule's code.

    Attributes:
        text: LLVM.
        parts: in order: the number of a segment, or a call of NumPy.
    """

    text: str
    parts: tuple[int | HostCall, ...]


def write_module(schedule: Schedule, layout: Layout) -> Segments:
    """Write the LLVM module of a schedule."""
    writer = _ModuleWriter(layout)
    parts: list[int | HostCall] = []
    for on_host, steps in itertools.groupby(schedule.steps, lambda step: isinstance(step, HostCall)):
        if on_host:
            parts.extend(step for step in steps if isinstance(step, HostCall))
        else:
            parts.append(writer.segment(step for step in steps if not isinstance(step, HostCall)))
    return Segments(writer.text(), tuple(parts))


class _ModuleWriter:
    """Writes one module."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.kernels: dict[str, str] = {}  # the name of each text; equal kernels are one function
        self.declarations: set[str] = set()
        self.products: dict[str, str] = {}
        self.segments: list[str] = []
        self.step_functions: list[str] = []

    def text(self) -> str:
        """Return the module."""
        functions = [text.replace(NAME, name, 1) for text, name in self.kernels.items()]
        return "\n\n".join(
            [
                *self.segments,
                *self.step_functions,
                *functions,
                *self.products.values(),
                "\n".join(sorted(self.declarations)),
                _KERNEL_ATTRIBUTES,
            ]
        )

    def segment(self, steps: Iterable[NativeStep]) -> int:
        """Write a segment and return its number."""
        lines = Body(self.layout.plan.offsets, self.layout.slots)
        self._steps(lines, steps)
        number = len(self.segments)
        self.segments.append(f"define void @segment{number}(ptr %arrays) {{\n{lines.text()}\n}}")
        return number

    def _steps(self, lines: Body, steps: Iterable[NativeStep]) -> None:
        for step in steps:
            if isinstance(step, Kernel):
                self._kernel(lines, step)
            elif isinstance(step, Product):
                self._product(lines, step)
            else:
                self._repeat(lines, step)

    def _repeat(self, lines: Body, loop: Repeat) -> None:
        """Write a loop that calls a function of one step, whose carry alternates between two buffers."""
        constants = [x for x, _ in loop.step.constants]
        function = self._step_function(loop, constants)
        label, before = lines.new_label("repeat")
        starts = [lines.pointer(x) for x in loop.start]
        homes, others = ([lines.pointer(x) for x in buffers] for buffers in (loop.carried, loop.others))
        # The last step must write to where the result belongs.
        first = homes if loop.length % 2 else others
        count = len(starts)
        lines.add(f"br label %{label}")
        lines.begin(label)
        lines.add(f"%{label}_i = phi i64 [0, %{before}], [%{label}_n, %{label}]")
        for i in range(count):
            source, target = f"%{label}_s{i}", f"%{label}_t{i}"
            lines.add(f"{source} = phi ptr [{starts[i]}, %{before}], [{target}, %{label}]")
            lines.add(f"{target} = phi ptr [{first[i]}, %{before}], [%{label}_u{i}, %{label}]")
        for i in range(count):
            lines.add(f"%{label}_e{i} = icmp eq ptr %{label}_t{i}, {homes[i]}")
            lines.add(f"%{label}_u{i} = select i1 %{label}_e{i}, ptr {others[i]}, ptr {homes[i]}")
        index = f"%{label}_i"
        if loop.reverse:
            lines.add(f"%{label}_r = sub i64 {loop.length - 1}, {index}")
            index = f"%{label}_r"
        pointers = [
            lines.pointer(loop.scratch),
            *(lines.pointer(x) for x in loop.consts),
            *(f"%{label}_s{i}" for i in range(count)),
            *(lines.entry(x, index, loop.length) for x in loop.stacks),
            *(f"%{label}_t{i}" for i in range(count)),
            *(lines.entry(x, index, loop.length) for x in loop.outputs),
            *(lines.pointer(x) for x in constants),
        ]
        lines.add(f"call void {function}({', '.join(f'ptr {x}' for x in pointers)})")
        lines.add(f"%{label}_n = add i64 %{label}_i, 1")
        lines.add(f"%{label}_c = icmp ult i64 %{label}_n, {loop.length}")
        lines.add(f"br i1 %{label}_c, label %{label}, label %{label}_end")
        lines.begin(f"{label}_end")

    def _step_function(self, loop: Repeat, constants: list[Variable]) -> str:
        """Write the function of one step of a loop and return its name."""
        outputs = [x[0] for x in loop.step.outputs if isinstance(x, tuple)]
        pointers = {x: f"%a{i}" for i, x in enumerate((*loop.step.inputs, *outputs, *constants))}
        lines = Body(loop.offsets, {}, pointers, scratch="%scratch")
        self._steps(lines, (x for x in loop.step.steps if not isinstance(x, HostCall)))
        name = f"@step{len(self.step_functions)}"
        arguments = ", ".join(f"ptr {x}" for x in ("%scratch", *pointers.values()))
        self.step_functions.append(f"define internal void {name}({arguments}) {{\n{lines.text()}\n}}")
        return name

    def _kernel(self, lines: Body, kernel: Kernel) -> None:
        function = kernel_function(kernel)
        self.declarations |= function.declarations
        name = self.kernels.setdefault(function.text, f"@kernel{len(self.kernels)}")
        arguments = ", ".join(f"ptr {lines.pointer(buffer)}" for buffer in function.buffers)
        lines.add(f"call void {name}({arguments})")

    def _product(self, lines: Body, product: Product) -> None:
        if 0 in (*product.stack, product.rows, product.columns):
            return
        name = product_name(product.dtype)
        if name not in self.products:
            self.products[name] = product_function(product.dtype)
            self.declarations.update(product_declarations(product.dtype))
        ends = [lines.open_loop() for _ in product.stack]
        indices = [index for index, _ in ends]
        pointers = [
            lines.element(access, indices, product.dtype.itemsize)
            for access in (product.left.access, product.right.access, product.out)
        ]
        numbers = [
            *(f"i8 {_flag(x)}" for x in (product.left, product.right)),
            *(f"i32 {n}" for n in (product.rows, product.inner, product.columns)),
            *(f"i32 {x.leading}" for x in (product.left, product.right)),
        ]
        lines.add(f"call void @{name}({', '.join([*(f'ptr {x}' for x in pointers), *numbers])})")
        for (_, label), length in zip(reversed(ends), reversed(product.stack), strict=True):
            lines.close_loop(label, length)


def _flag(matrix: Matrix) -> int:
    return ord("T" if matrix.transposed else "N")
