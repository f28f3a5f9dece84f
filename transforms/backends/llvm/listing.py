"""Schedules as text."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.llvm.steps import (
    Access,
    Band,
    Check,
    Contraction,
    Function,
    Gather,
    Kernel,
    Load,
    Number,
    Region,
    Repeat,
    RepeatWhile,
    Schedule,
    Step,
    Switch,
    Value,
)
from transforms.graph.ir import Variable


def show(schedule: Schedule) -> str:
    """Return a schedule as text, a step a paragraph."""
    return "\n".join(_Printer().lines(schedule))


class _Printer:
    """Names the buffers in the order in which they are met."""

    def __init__(self) -> None:
        self.names: dict[Variable, str] = {}

    def lines(self, schedule: Schedule) -> list[str]:
        """Return the lines of a schedule."""
        inputs = ", ".join(f"{self._name(x)}: {x.type}" for x in schedule.inputs)
        steps = [f"  {line}" for step in schedule.steps for line in self._step(step)]
        outputs = [self._name(x[0]) if isinstance(x, tuple) else repr(x) for x in schedule.outputs]
        return [f"({inputs}) ->", *steps, f"  return {', '.join(outputs)}"]

    def _step(self, step: Step) -> list[str]:
        if isinstance(step, Kernel):
            return self._kernel(step)
        if isinstance(step, Contraction):
            return [self._contraction(step)]
        if isinstance(step, Band):
            if step.units == 1:
                return self._step(step.steps[0])
            order = "at once" if step.parallel else "in turn"
            lines = [f"  {line}" for inner in step.steps for line in self._step(inner)]
            return [f"for unit i0 in {step.units}, {order}:", *lines]
        if isinstance(step, Repeat):
            results = self._listed((*step.carried, *step.outputs))
            operands = self._listed((*step.consts, *step.start, *step.stacks))
            order = "backwards " if step.reverse else ""
            head = f"{results} = repeat {step.length} times {order}from {operands}"
            return [head, *(f"  {line}" for line in self.lines(step.step))]
        if isinstance(step, Switch):
            head = (
                f"{self._listed(step.results)} = one of {len(step.functions)}, by {self._name(step.chosen)}"
            )
            return [f"{head}, from {self._listed(step.operands)}", *self._functions(step.functions)]
        if isinstance(step, RepeatWhile):
            operands = self._listed((*step.condition_consts, *step.consts, *step.start))
            head = f"{self._listed(step.carried)} = repeat while the first, from {operands}"
            return [head, *self._functions((step.condition, step.step))]
        texts = [
            f"{self._place(x.access)}{list(x.shape)}" if isinstance(x, Region) else repr(x)
            for x in step.operands
        ]
        results = self._listed(step.equation.results)
        return [f"{results} = numpy {step.equation.primitive.name} {' '.join(texts)}"]

    def _functions(self, functions: Sequence[Function]) -> list[str]:
        return [f"  {line}" for function in functions for line in self.lines(function.schedule)]

    def _contraction(self, step: Contraction) -> str:
        """Write the rows' and the stack's loops, and the sum; columns come last."""
        outer = (*step.stack, *step.rows)
        loops = ", ".join(f"i{axis} in {n}" for axis, n in enumerate(outer))
        place = len(outer)
        summed = range(place + 1, place + 1 + len(step.inner))
        sums = ", ".join(f"i{axis} over {n}" for axis, n in zip(summed, step.inner, strict=True))
        left = [*range(place), *summed]
        right = [*range(len(step.stack)), *summed, place]
        product = f"{self._place(step.left, left)} * {self._place(step.right, right)}"
        out = self._place(step.out)
        near = ((step.wanted, "wanted"), (step.nonzero, "nonzero"))
        kept = "".join(f", {word} from {x.first} to {x.last} of the diagonal" for x, word in near if x)
        return f"for {loops}, i{place} in {step.columns}: {out} = sum {product}, {sums}{kept}"

    def _kernel(self, kernel: Kernel) -> list[str]:
        loops = ", ".join(
            f"i{axis} {'over' if reduced else 'in'} {length}"
            for axis, (length, reduced) in enumerate(zip(kernel.shape, kernel.reduced, strict=True))
        )
        return [
            f"for {loops or 'one element'}:",
            *(f"  v{i} = {self._value(value)}" for i, value in enumerate(kernel.values)),
            *(f"  {self._place(x.access)} = v{x.value}" for x in kernel.stores),
            *(f"  {self._place(x.access)} {x.operation}= v{x.value}" for x in kernel.reductions),
            *(
                f"  {self._place(x.access)[:-1]}{_moves(x.indices)}] {x.operation}= v{x.value}"
                for x in kernel.scatters
            ),
        ]

    def _value(self, value: Value) -> str:
        if isinstance(value, Load):
            return self._place(value.access)
        if isinstance(value, Number):
            return f"{value.value} ({value.dtype})"
        if isinstance(value, Check):
            return f"check v{value.value} in {value.length}"
        if isinstance(value, Gather):
            return f"{self._place(value.access)[:-1]}{_moves(value.indices)}]"
        return f"{value.operation} {' '.join(f'v{i}' for i in value.operands)} ({value.dtype})"

    def _name(self, buffer: Variable) -> str:
        return self.names.setdefault(buffer, f"b{len(self.names)}")

    def _listed(self, buffers: tuple[Variable, ...]) -> str:
        return ", ".join(map(self._name, buffers))

    def _place(self, access: Access, axes: Sequence[int] | None = None) -> str:
        """Write an element, given the loop of each stride if they are not all loops in order."""
        numbered = zip(axes or range(len(access.strides)), access.strides, strict=True)
        terms = [f"{n}*i{axis}" if n != 1 else f"i{axis}" for axis, n in numbered if n]
        if access.offset or not terms:
            terms.insert(0, str(access.offset))
        return f"{self._name(access.buffer)}[{' + '.join(terms)}]"


def _moves(indices: tuple[tuple[int, int], ...]) -> str:
    return "".join(f" + {stride}*v{value}" for value, stride in indices)
