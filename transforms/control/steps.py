"""The step of a loop, and the steps that are made of it: with tangents, and cut into two halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from transforms.control.program import Program, call_program, make_program
from transforms.graph.cut import cut
from transforms.graph.ir import Graph
from transforms.primitive import zeros_of
from transforms.types import Array, ArrayType, Shape, is_differentiable, type_of


class Loop(NamedTuple):
    """The options of the primitives scan and replay.

    Its operands are ``consts`` values that each step reads, the first carry, and the stacks whose entries
    the steps take one by one. Its results are the last carry and the stacks of the steps' outputs.

    Attributes:
        program: one step: from consts, carry and entries to carry and outputs.
        consts: the number of consts.
        carries: the number of arrays in the carry.
        length: the number of steps; None for replay, whose stacks are histories. The first of these has for
            each step whether it counts: a step of an example that had stopped while others went on does not,
            and leaves the carry as it is.
        reverse: whether to take, and stack, the entries from the last to the first.
        backend: what compiles the step.
        examples: for replay, the shape of the batch of each output.
    """

    program: Program
    consts: int
    carries: int
    length: int | None
    reverse: bool
    backend: str
    examples: tuple[Shape, ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph of one step."""
        return self.program.graph

    @property
    def optimized(self) -> Graph:
        """The graph of one step, after all passes."""
        return self.program.optimized

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graph of one step, for printing."""
        return {"step": self.graph}

    def __repr__(self) -> str:
        direction = " reverse" if self.reverse else ""
        length = "as many" if self.length is None else self.length
        return f"[{self.consts} consts, {self.carries} carried, {length} steps{direction}]"

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Split the operands, or something for each of them, into consts, carry and stacks."""
        carry_end = self.consts + self.carries
        return list(values[: self.consts]), list(values[self.consts : carry_end]), list(values[carry_end:])


# --- forward mode


class Pushed(NamedTuple):
    """A loop over values and tangents.

    Attributes:
        step: the loop, whose consts, carry and stacks hold first the values and then the tangents.
        carry: which arrays of the carry have tangents.
        outputs: which outputs have tangents.
    """

    step: Loop
    carry: tuple[bool, ...]
    outputs: tuple[bool, ...]

    def started(self, carry: Sequence[Array], tangents: Sequence[Array | None]) -> list[Array]:
        """Return the first carry and its tangents."""
        return [
            *carry,
            *(
                zeros_of(type_of(value)) if tangent is None else tangent
                for value, tangent, is_active in zip(carry, tangents, self.carry, strict=True)
                if is_active
            ),
        ]

    def unpack(self, results: Sequence[Array]) -> tuple[list[Array], list[Array | None]]:
        """Return the results of the loop without tangents, and their tangents."""
        parts = Parts(results)
        last, last_tangents = parts.take(len(self.carry)), iter(parts.take(sum(self.carry)))
        outputs, output_tangents = parts.take(len(self.outputs)), iter(parts.rest())
        return [*last, *outputs], [
            *(next(last_tangents) if is_active else None for is_active in self.carry),
            *(next(output_tangents) if is_active else None for is_active in self.outputs),
        ]


def push(loop: Loop, tangents: Sequence[Array | None]) -> Pushed:
    """Return the loop over values and tangents, given the operands' tangents."""
    consts, carry, stacks = ([t is not None for t in part] for part in loop.split(tangents))
    while True:
        active = (*consts, *carry, *stacks)
        pushed = loop.program.jvp(active)
        reached = [a or b for a, b in zip(carry, pushed.active, strict=False)]
        if reached == carry:
            break
        carry = reached
    outputs = pushed.active[loop.carries :]
    step = _jvp_step(loop, active, carry, pushed.active, pushed.program)
    step = step._replace(examples=(*loop.examples, *_chosen(loop.examples, outputs[: len(loop.examples)])))
    return Pushed(step, tuple(carry), outputs)


def _jvp_step(
    loop: Loop,
    active: tuple[bool, ...],
    active_carry: list[bool],
    active_outputs: tuple[bool, ...],
    pushed: Program,
) -> Loop:
    """Return the loop over values and tangents, whose consts, carry and stacks hold both."""
    const_count = sum(active[: loop.consts])
    carry_count = sum(active_carry)
    stack_count = len(active) - loop.consts - loop.carries

    def make() -> Program:
        def step(*args: Array) -> list[Array]:
            parts = Parts(args)
            consts, const_tangents = parts.take(loop.consts), parts.take(const_count)
            carry, carry_tangents = parts.take(loop.carries), parts.take(carry_count)
            entries, entry_tangents = parts.take(stack_count), parts.rest()
            tangents = (*const_tangents, *carry_tangents, *entry_tangents)
            results = call_program(pushed, loop.backend, *consts, *carry, *entries, *tangents)
            count = len(loop.program.graph.outputs)
            outs, out_tangents = results[:count], list(results[count:])
            new_tangents = [
                out_tangents.pop(0) if has_tangent else zeros_of(type_of(out))
                for out, is_active, has_tangent in zip(outs, active_carry, active_outputs, strict=False)
                if is_active
            ]
            return [*outs[: loop.carries], *new_tangents, *outs[loop.carries :], *out_tangents]

        consts, carry, entries = loop.split(loop.program.input_types)
        const_active, carry_active, entry_active = loop.split(active)
        types = [
            *consts, *_chosen(consts, const_active),
            *carry, *_chosen(carry, carry_active),
            *entries, *_chosen(entries, entry_active),
        ]  # fmt: skip
        return make_program(step, types, f"jvp_{loop.program.name}")[0]

    program = loop.program.derive(("scan_jvp", active), make)
    return loop._replace(
        program=program, consts=loop.consts + const_count, carries=loop.carries + carry_count
    )


def _chosen(values: Sequence[Any], chosen: Sequence[bool]) -> list[Any]:
    return [value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen]


class Parts:
    """Takes a sequence apart from the front."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    def take(self, count: int) -> list[Any]:
        """Take the next values."""
        taken, self.values = self.values[:count], self.values[count:]
        return taken

    def rest(self) -> list[Any]:
        """Take what is left."""
        return self.take(len(self.values))


# --- reverse mode


class Halves(NamedTuple):
    """A loop's forward and backward steps.

    Attributes:
        prologue: from the consts to what the forward step computes from them alone; run before the loop.
        forward: from the prologue's results, consts, carry and entries to the new carry, the outputs, the
            residuals that vary from step to step, and the carried operands that the backward step reads.
        backward: from residuals, operands at ``passed`` and cotangents of the results at
            ``differentiable`` to the cotangents of the operands at ``wanted``.
        invariant: for each residual, which of the prologue's results it is, or None if it varies.
        passed: which operands of the step the backward step reads.
        differentiable: which results of the step have cotangents.
        wanted: which operands of the step have cotangents.
        counted: the type of what says, in a loop that has histories, whether a step counts.
    """

    prologue: Program
    forward: Program
    backward: Program
    invariant: tuple[int | None, ...]
    passed: tuple[int, ...]
    differentiable: tuple[int, ...]
    wanted: tuple[int, ...]
    counted: ArrayType | None

    def hoisted(self, consts: Sequence[Array], backend: str) -> Sequence[Array]:
        """Run the prologue."""
        return call_program(self.prologue, backend, *consts) if self.prologue.graph.outputs else ()

    def examples(self, loop: Loop) -> tuple[Shape, ...]:
        """Return for each output of the forward step the shape of its batch, if the loop has histories."""
        if loop.length is not None:
            return ()
        more = len(self.forward.graph.outputs) - loop.carries - len(loop.examples)
        return (*loop.examples, *((),) * more)


def halve(loop: Loop, wanted: tuple[int, ...]) -> Halves:
    """Return the halves of a loop's step with respect to some operands, made the first time."""
    # A history passes for differentiable even if its entries are not.
    wanted = tuple(i for i in wanted if is_differentiable(loop.graph.inputs[i].type.dtype))
    key = ("scan_vjp", wanted, loop.consts, loop.carries, loop.length is None)
    return loop.program.derive(key, lambda: _halve(loop, wanted))  # type: ignore[no-any-return]


def _halve(loop: Loop, wanted: tuple[int, ...]) -> Halves:
    carried = range(loop.consts, loop.consts + loop.carries)
    floating = [i for i in carried if is_differentiable(loop.graph.inputs[i].type.dtype)]
    step_wanted = tuple(sorted({*wanted, *floating}))
    pulled = loop.program.vjp(step_wanted)
    whole = pulled.forward.graph
    parts = cut(whole, loop.consts, 0, effects_wait=True)  # these belong to each step
    prologue = parts.first._replace(inputs=whole.inputs[: loop.consts])
    hoisted = parts.second.inputs[: len(parts.first.outputs)]
    count = len(loop.graph.outputs)
    residuals = parts.second.outputs[count:]
    invariant = tuple(hoisted.index(x) if x in hoisted else None for x in residuals)
    varying = [x for x, index in zip(residuals, invariant, strict=True) if index is None]
    passed_carry = [whole.inputs[i] for i in pulled.passed if i in carried]
    forward = parts.second._replace(
        inputs=(*hoisted, *whole.inputs), outputs=(*parts.second.outputs[:count], *varying, *passed_carry)
    )
    name = loop.program.name
    return Halves(
        Program(prologue, f"prologue_{name}"),
        Program(forward, f"forward_{name}"),
        pulled.backward,
        invariant,
        pulled.passed,
        pulled.differentiable,
        step_wanted,
        _type_of_counted(loop),
    )


def _type_of_counted(loop: Loop) -> ArrayType | None:
    """Return the type of what says whether a step counts: it is the first entry, or else the first output."""
    if loop.length is not None:
        return None
    entries = loop.split(loop.program.input_types)[2]
    return (entries or loop.program.output_types[loop.carries :])[0]
