"""From a schedule to an LLVM module: one function for each run of steps that needs no Python."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.body import Body
from transforms.backends.llvm.contraction import contraction_function
from transforms.backends.llvm.control import COPY, Callee, size_of, write_copy, write_switch, write_while
from transforms.backends.llvm.emit import NAME, kernel_function
from transforms.backends.llvm.layout import Layout
from transforms.backends.llvm.processor import host_processor
from transforms.backends.llvm.steps import (
    FAILURE,
    Band,
    Contraction,
    HostCall,
    Kernel,
    Plan,
    Repeat,
    RepeatWhile,
    Schedule,
    Step,
    Switch,
)
from transforms.backends.llvm.transposition import transposition_function
from transforms.backends.llvm.writer import PLAIN_LOOP
from transforms.graph.ir import Variable

# A pointer that a kernel takes is the only one to its buffer as long as the kernel is not inlined.
_KERNEL_ATTRIBUTES = """attributes #0 = { noinline nounwind "prefer-vector-width"="512" }
attributes #1 = { noinline nounwind optnone }"""

_LOOP = re.compile(re.escape(PLAIN_LOOP) + r"(\d*)")

_STAMP = """define i64 @stamp() {
  %now = call i64 @llvm.readcyclecounter()
  ret i64 %now
}"""


# Segments have no more steps than this: the time to compile a function grows faster than its length.
_MOST_STEPS = 256
# A function of so much text that only calls others is not worth optimizing.
_LONG = 1 << 15
# Modules with fewer functions are not divided, and into no more than this.
_CHUNK = 8
_MOST_CHUNKS = 8


class Segments(NamedTuple):
    """A schedule's code.

    Attributes:
        modules: LLVM; the first has the segments, and the others the functions that these call.
        parts: in order: the number of a segment, or a call of NumPy.
        timed: the steps whose cycles the code counts, in the order of the counters; none if it does not
            count.
    """

    modules: tuple[str, ...]
    parts: tuple[int | HostCall, ...]
    timed: tuple[Step, ...]


def write_module(schedule: Schedule, layout: Layout, *, timed: bool = False) -> Segments:
    """Write the LLVM modules of a schedule; a timed one adds up the cycles of each step in ``@cycles``."""
    writer = _ModuleWriter(layout, timed)
    parts: list[int | HostCall] = []
    for on_host, steps in itertools.groupby(schedule.steps, lambda step: isinstance(step, HostCall)):
        if on_host:
            parts.extend(step for step in steps if isinstance(step, HostCall))
        else:
            native = [step for step in steps if not isinstance(step, HostCall)]
            parts.extend(
                writer.segment(native[first : first + _MOST_STEPS])
                for first in range(0, len(native), _MOST_STEPS)
            )
    return Segments(writer.modules(), tuple(parts), tuple(writer.timed))


class _ModuleWriter:
    """Writes one module."""

    def __init__(self, layout: Layout, is_timed: bool) -> None:
        self.layout = layout
        self.is_timed = is_timed
        self.timed: list[Step] = []
        self.functions: dict[str, _Named] = {}  # of steps, by what they do
        self.declarations: set[str] = set()
        self.bands: list[_Calling] = []
        self.segments: list[_Calling] = []
        self.step_functions: list[str] = []

    def modules(self) -> tuple[str, ...]:
        """Return the modules: one, or if there are many functions more, which can be compiled at once."""
        counters = []
        if self.is_timed:
            self.declarations.add("declare i64 @llvm.readcyclecounter()")
            counters = [f"@cycles = global [{len(self.timed)} x i64] zeroinitializer", _STAMP]
        chunks = _chunks(list(self.functions.values()))
        callers = [x.text(optimized=len(chunks) == 1) for x in (*self.segments, *self.bands)]
        main = [*callers, *self.step_functions, *counters]
        if len(chunks) == 1:
            return (_module([*main, *(x.text for x in chunks[0])], self.declarations, chunks[0]),)
        called = {x.declaration for chunk in chunks for x in chunk}
        return (
            _module(main, self.declarations | called, []),
            *(_module([x.text for x in chunk], set(), chunk) for chunk in chunks),
        )

    def segment(self, steps: Sequence[Step]) -> int:
        """Write a segment and return its number."""
        lines = Body(self.layout.plan, self.layout.slots)
        self._steps(lines, steps)
        number = len(self.segments)
        failed = lines.failed()
        body = f"{lines.text().removesuffix('ret void')}ret i64 {failed}"
        self.segments.append(_Calling(f"define i64 @segment{number}(ptr %table)", body))
        return number

    def _steps(self, lines: Body, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Band):
                self._band(lines, step)
            elif isinstance(step, Repeat):
                self._repeat(lines, step)
            elif isinstance(step, Switch):
                write_switch(lines, step, [self._callee(*x) for x in step.functions])
            elif isinstance(step, RepeatWhile):
                self.declarations.add(COPY)
                write_while(lines, step, self._callee(*step.condition), self._callee(*step.step))

    def _repeat(self, lines: Body, loop: Repeat) -> None:
        """Write a loop that calls a function of one step, whose carry alternates between two buffers."""
        callee = self._callee(loop.step, loop.plan)
        label, before = lines.new_label("repeat")
        starts = [lines.pointer(x) for x in loop.start]
        homes, others = ([lines.pointer(x) for x in buffers] for buffers in (loop.carried, loop.others))
        # The last step must write to where the result belongs.
        first = homes if loop.length % 2 else others
        count = len(starts)
        for i in range(count):
            if starts[i] == first[i]:  # the result belongs where the first step would read
                starts[i] = others[i]
                self.declarations.add(COPY)
                write_copy(lines, others[i], homes[i], str(size_of(loop.start[i])))
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
            *(lines.pointer(x) for x in loop.consts),
            *(f"%{label}_s{i}" for i in range(count)),
            *(lines.entry(x, index, loop.length) for x in loop.stacks),
            *(f"%{label}_t{i}" for i in range(count)),
            *(lines.entry(x, index, loop.length) for x in loop.outputs),
        ]
        lines.add(callee.call(lines, lines.pointer(loop.scratch), pointers))
        lines.add(f"%{label}_n = add i64 %{label}_i, 1")
        lines.add(f"%{label}_c = icmp ult i64 %{label}_n, {loop.length}")
        lines.add(f"br i1 %{label}_c, label %{label}, label %{label}_end")
        lines.begin(f"{label}_end")

    def _callee(self, schedule: Schedule, plan: Plan) -> Callee:
        """Write the function of a program: of a step of a loop, say, or of a branch."""
        constants = tuple(dict.fromkeys(x for x, _ in schedule.constants))
        outputs = [x[0] for x in schedule.outputs if isinstance(x, tuple)]
        pointers = {x: f"%a{i}" for i, x in enumerate((*schedule.inputs, *outputs, *constants, FAILURE))}
        lines = Body(plan, {}, pointers, scratch="%scratch")
        self._steps(lines, (x for x in schedule.steps if not isinstance(x, HostCall)))
        name = f"@step{len(self.step_functions)}"
        arguments = ", ".join(f"ptr {x}" for x in ("%scratch", *pointers.values()))
        self.step_functions.append(f"define internal void {name}({arguments}) {{\n{lines.text()}\n}}")
        return Callee(name, constants)

    def _band(self, lines: Body, band: Band) -> None:
        """Write a call of each step for each unit; the pointers reach a function of units in an array."""
        calls = [self._function(step) for step in band.steps]
        if band.units == 1:
            for step, (name, buffers) in zip(band.steps, calls, strict=True):
                self._call(lines, step, name, [lines.pointer(x) for x in buffers], "0")
            return
        places = {x: i for i, x in enumerate(dict.fromkeys(y for _, buffers in calls for y in buffers))}
        name = f"@band{len(self.bands)}"
        head = ["entry:"]
        for x, i in places.items():
            head.append(f"  %p{i} = getelementptr ptr, ptr %context, i64 {i}")
            if x not in band.local:
                head.append(f"  %a{i} = load ptr, ptr %p{i}")
                continue
            head.append(f"  %b{i} = load ptr, ptr %p{i}")
            head.append(f"  %o{i} = mul i64 %thread, {lines.plan.parts[x]}")
            head.append(f"  %a{i} = getelementptr i8, ptr %b{i}, i64 %o{i}")
        body = Body(lines.plan, {}, {x: f"%a{i}" for x, i in places.items()})
        for step, (function, buffers) in zip(band.steps, calls, strict=True):
            self._call(body, step, function, [body.pointer(x) for x in buffers], "%unit")
        text = body.text().replace("entry:", "\n".join(head), 1)
        self.bands.append(
            _Calling(f"define internal void {name}(ptr %context, i64 %unit, i64 %thread)", text)
        )
        context = lines.context([lines.pointer(x) for x in places])
        if band.parallel:
            self.declarations.add("declare void @funcdl_parallel(ptr, ptr, i64, i64)")
            numbers = f"i64 {band.units}, i64 {lines.plan.threads}"
            lines.add(f"call void @funcdl_parallel(ptr {name}, ptr {context}, {numbers})")
            return
        index, label = lines.open_loop()
        lines.add(f"call void {name}(ptr {context}, i64 {index}, i64 0)")
        lines.close_loop(label, band.units)

    def _call(self, lines: Body, step: Step, function: str, pointers: list[str], unit: str) -> None:
        """Write a call of a step for a unit, and the count of its cycles."""
        arguments = "".join(f"ptr {x}, " for x in pointers)
        call = f"call void {function}({arguments}i64 {unit})"
        if not self.is_timed:
            lines.add(call)
            return
        label, _ = lines.new_label("%cycles")
        lines.add(f"{label}_b = call i64 @llvm.readcyclecounter()")
        lines.add(call)
        lines.add(f"{label}_e = call i64 @llvm.readcyclecounter()")
        lines.add(f"{label}_d = sub i64 {label}_e, {label}_b")
        lines.add(f"{label}_p = getelementptr i64, ptr @cycles, i64 {len(self.timed)}")
        lines.add(f"{label}_o = atomicrmw add ptr {label}_p, i64 {label}_d monotonic")
        self.timed.append(step)

    def _function(self, step: Kernel | Contraction) -> tuple[str, tuple[Variable, ...]]:
        """Write the function of a step, unless an equal one is there; return its name and its buffers."""
        if isinstance(step, Kernel):
            function = transposition_function(step, host_processor()) or kernel_function(step)
        else:
            function = contraction_function(step, host_processor())
        if function.text not in self.functions:
            name = f"@kernel{len(self.functions)}"
            arguments = ", ".join([*("ptr" for _ in function.buffers), "i64"])
            self.functions[function.text] = _Named(
                name,
                function.text.replace(NAME, name, 1),
                f"declare hidden void {name}({arguments})",
                function.declarations,
            )
        return self.functions[function.text].name, function.buffers


class _Calling(NamedTuple):
    """A function that calls those of steps.

    Attributes:
        head: its name and arguments.
        body: its instructions.
    """

    head: str
    body: str

    def text(self, *, optimized: bool) -> str:
        """Return its definition; a long one is not optimized in any case."""
        attribute = "" if optimized and len(self.body) < _LONG else "#1 "
        return f"{self.head} {attribute}{{\n{self.body}\n}}"


class _Named(NamedTuple):
    """The function of a step.

    Attributes:
        name: in LLVM.
        text: its definition.
        declaration: for other modules.
        needs: declarations and definitions of what it calls.
    """

    name: str
    text: str
    declaration: str
    needs: frozenset[str]


def _chunks(functions: list[_Named]) -> list[list[_Named]]:
    """Divide functions into parts about as long as each other."""
    count = min(_MOST_CHUNKS, len(functions) // _CHUNK)
    if count < 2:
        return [functions]
    chunks: list[list[_Named]] = [[] for _ in range(count)]
    lengths = [0] * count
    for function in sorted(functions, key=lambda x: -len(x.text)):
        shortest = lengths.index(min(lengths))
        chunks[shortest].append(function)
        lengths[shortest] += len(function.text)
    return chunks


def _module(parts: list[str], declarations: set[str], functions: list[_Named]) -> str:
    needs = declarations.union(*(x.needs for x in functions))
    text = "\n\n".join([*parts, "\n".join(sorted(needs)), _KERNEL_ATTRIBUTES])
    loops: list[str] = []

    def number(loop: re.Match[str]) -> str:
        """Give a loop its number, and say under it what is to be done with it."""
        name = f"!{len(loops) + 1}"
        woven = f', !{{!"llvm.loop.interleave.count", i32 {loop[1]}}}' if loop[1] else ""
        loops.append(f"{name} = distinct !{{{name}, !0{woven}}}")
        return f", !llvm.loop {name}"

    text = _LOOP.sub(number, text)
    return "\n".join([text, '!0 = !{!"llvm.loop.unroll.disable"}', *loops])
