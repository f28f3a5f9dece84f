"""The loop primitive: a known number of steps that carry state along and stack what each gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.control.program import Program, call_program, make_program
from transforms.graph.cut import cut
from transforms.graph.ir import Graph
from transforms.graph.passes import optimize
from transforms.graph.passes.dead import has_effect
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.tracer import bind
from transforms.types import Array, ArrayType, is_differentiable, type_of


class Loop(NamedTuple):
    """The options of the scan primitive.

    Its operands are ``consts`` values that each step reads, the first carry, and the stacks whose entries
    the steps take one by one. Its results are the last carry and the stacks of the steps' outputs.

    Attributes:
        program: one step: from consts, carry and entries to carry and outputs.
        consts: the number of consts.
        carries: the number of arrays in the carry.
        length: the number of steps.
        reverse: whether to take, and stack, the entries from the last to the first.
        backend: what compiles the step.
    """

    program: Program
    consts: int
    carries: int
    length: int
    reverse: bool
    backend: str

    @property
    def graph(self) -> Graph:
        """The graph of one step."""
        return self.program.graph

    @property
    def optimized(self) -> Graph:
        """The graph of one step, after all passes."""
        return self.program.derive("optimized", lambda: optimize(self.graph))  # type: ignore[no-any-return]

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graph of one step, for printing."""
        return {"step": self.graph}

    def __repr__(self) -> str:
        direction = " reverse" if self.reverse else ""
        return f"[{self.consts} consts, {self.carries} carried, {self.length} steps{direction}]"

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Split the operands, or something for each of them, into consts, carry and stacks."""
        carry_end = self.consts + self.carries
        return list(values[: self.consts]), list(values[self.consts : carry_end]), list(values[carry_end:])


def run_loop(
    loop: Loop, consts: Sequence[Array], carry: Sequence[Array], stacks: Sequence[Array]
) -> list[Array]:
    """Bind the scan primitive; returns the last carry and then the stacked outputs."""
    return list(bind(scan_p, *consts, *carry, *stacks, loop=loop))


def _evaluate(*operands: Array, loop: Loop) -> tuple[Array, ...]:
    consts, carry, stacks = loop.split(operands)
    step = loop.program.compiled(loop.backend)
    output_types = loop.program.output_types[loop.carries :]
    outputs = [np.empty((loop.length, *t.shape), t.dtype) for t in output_types]
    order = range(loop.length - 1, -1, -1) if loop.reverse else range(loop.length)
    for index in order:
        results = step(*consts, *carry, *(stack[index] for stack in stacks))
        carry = list(results[: loop.carries])
        for output, result in zip(outputs, results[loop.carries :], strict=True):
            output[index] = result
    return (*carry, *outputs)


def _infer(*operands: Any, loop: Loop) -> tuple[ArrayType, ...]:
    types = loop.program.output_types
    stacked = (ArrayType((loop.length, *t.shape), t.dtype) for t in types[loop.carries :])
    return (*types[: loop.carries], *stacked)


# --- forward mode


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], loop: Loop) -> Any:
    consts, carry, stacks = loop.split(operands)
    const_tangents, carry_tangents, stack_tangents = loop.split(tangents)
    active_carry = [tangent is not None for tangent in carry_tangents]
    while True:
        active = tuple(
            [t is not None for t in const_tangents] + active_carry + [t is not None for t in stack_tangents]
        )
        pushed = loop.program.jvp(active)
        reached = [a or b for a, b in zip(active_carry, pushed.active, strict=False)]
        if reached == active_carry:
            break
        active_carry = reached
    started = [
        zeros_of(type_of(value)) if tangent is None else tangent
        for value, tangent, is_active in zip(carry, carry_tangents, active_carry, strict=True)
        if is_active
    ]
    step = _jvp_step(loop, active, active_carry, pushed.active, pushed.program)
    results = run_loop(
        step,
        [*consts, *(t for t in const_tangents if t is not None)],
        [*carry, *started],
        [*stacks, *(t for t in stack_tangents if t is not None)],
    )
    last, last_tangents = results[: loop.carries], results[loop.carries : step.carries]
    rest = results[step.carries :]
    count = len(loop.program.graph.outputs) - loop.carries
    outputs, output_tangents = rest[:count], iter(rest[count:])
    carry_result = iter(last_tangents)
    return [*last, *outputs], [
        *(next(carry_result) if is_active else None for is_active in active_carry),
        *(next(output_tangents) if is_active else None for is_active in pushed.active[loop.carries :]),
    ]


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
            parts = _Parts(args)
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


class _Parts:
    """Takes a sequence apart from the front."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    def take(self, count: int) -> list[Any]:
        taken, self.values = self.values[:count], self.values[count:]
        return taken

    def rest(self) -> list[Any]:
        return self.take(len(self.values))


# --- reverse mode


class _Halves(NamedTuple):
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
    """

    prologue: Program
    forward: Program
    backward: Program
    invariant: tuple[int | None, ...]
    passed: tuple[int, ...]
    differentiable: tuple[int, ...]
    wanted: tuple[int, ...]


def _halve(loop: Loop, wanted: tuple[int, ...]) -> _Halves:
    carried = range(loop.consts, loop.consts + loop.carries)
    floating = [i for i in carried if is_differentiable(loop.graph.inputs[i].type.dtype)]
    step_wanted = tuple(sorted({*wanted, *floating}))
    pulled = loop.program.vjp(step_wanted)
    whole = pulled.forward.graph
    # What a step does for its effect is done in each step.
    effects = any(map(has_effect, whole.equations))
    parts = cut(whole, 0 if effects else loop.consts, 0)
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
    return _Halves(
        Program(prologue, f"prologue_{name}"),
        Program(forward, f"forward_{name}"),
        pulled.backward,
        invariant,
        pulled.passed,
        pulled.differentiable,
        step_wanted,
    )


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], loop: Loop) -> Any:
    halves: _Halves = loop.program.derive(
        ("scan_vjp", wanted, loop.consts, loop.carries), lambda: _halve(loop, wanted)
    )
    consts, carry, stacks = loop.split(operands)
    hoisted = call_program(halves.prologue, loop.backend, *consts) if halves.prologue.graph.outputs else ()
    forward = loop._replace(program=halves.forward, consts=loop.consts + len(hoisted))
    results = run_loop(forward, [*hoisted, *consts], carry, stacks)
    count = len(loop.graph.outputs)
    parts = _Parts(results[count:])
    residuals = [(hoisted[i], False) if i is not None else (parts.take(1)[0], True) for i in halves.invariant]
    carry_end = loop.consts + loop.carries
    passed = [
        (parts.take(1)[0], True) if loop.consts <= i < carry_end else (operands[i], i >= carry_end)
        for i in halves.passed
    ]

    def pullback(cotangents: list[Array | None]) -> list[Array]:
        return _pull_back(loop, halves, wanted, operands, [*residuals, *passed], results, cotangents)

    return results[:count], pullback


def _pull_back(
    loop: Loop,
    halves: _Halves,
    wanted: tuple[int, ...],
    operands: Sequence[Array],
    saved: list[tuple[Array, bool]],
    results: Sequence[Array],
    cotangents: list[Array | None],
) -> list[Array]:
    """Run the backward loop.

    Its consts are what is saved once, its carry the cotangents of the carry and then the sums of the
    consts' cotangents, and its stacks what is saved for each step and the cotangents of the outputs.
    """
    carry_end = loop.consts + loop.carries
    seeds = {
        i: zeros_of(type_of(results[i])) if cotangents[i] is None else cotangents[i]
        for i in halves.differentiable
    }
    carried = [i for i in halves.wanted if loop.consts <= i < carry_end]
    summed = [i for i in halves.wanted if i < loop.consts]
    carry = [
        *(seeds[i - loop.consts] for i in carried),
        *(zeros_of(type_of(operands[i])) for i in summed),
    ]
    output_seeds = [seeds[i] for i in halves.differentiable if i >= loop.carries]
    once = [value for value, varies in saved if not varies]
    each = [value for value, varies in saved if varies]

    def step(*args: Array) -> list[Array]:
        parts = _Parts(args)
        fixed, carried_now, sums = parts.take(len(once)), parts.take(len(carried)), parts.take(len(summed))
        entries, output_now = parts.take(len(each)), parts.rest()
        values = [(entries if varies else fixed).pop(0) for _, varies in saved]
        pulled = call_program(halves.backward, loop.backend, *values, *carried_now, *output_now)
        shares = dict(zip(halves.wanted, pulled, strict=True))
        return [
            *(shares[i] for i in carried),
            *(total + shares[i] for total, i in zip(sums, summed, strict=True)),
            *(shares[i] for i in halves.wanted if i >= carry_end),
        ]

    types = [type_of(x) for x in (*once, *carry)] + [entry_type(x) for x in (*each, *output_seeds)]
    program = loop.program.derive(
        ("scan_backward", wanted, loop.consts, loop.carries),
        lambda: make_program(step, types, f"backward_{loop.program.name}")[0],
    )
    backward = Loop(program, len(once), len(carry), loop.length, not loop.reverse, loop.backend)
    pulled = run_loop(backward, once, carry, [*each, *output_seeds])
    order = (*carried, *summed, *(i for i in halves.wanted if i >= carry_end))
    shares = dict(zip(order, pulled, strict=True))
    return [shares[i] for i in wanted]


def entry_type(stack: Array) -> ArrayType:
    """Return the type of what one step takes of a stack."""
    return ArrayType(stack.shape[1:], stack.dtype)


# --- batching


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], loop: Loop
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    consts, carry, stacks = loop.split(operands)
    const_axes, carry_axes, stack_axes = loop.split(axes)
    outputs = len(loop.graph.outputs) - loop.carries
    # What no example's values reach stays the same for all: a counter, say, that a condition reads.
    spread = tuple(axis is not None for axis in carry_axes)
    while True:
        step_axes = (
            *const_axes,
            *(0 if is_spread else None for is_spread in spread),
            *(None if axis is None else 0 for axis in stack_axes),
        )
        step = loop.program.batch(size, step_axes, (*spread, *(False,) * outputs))
        reached = tuple(axis is not None for axis in step.axes[: loop.carries])
        if reached == spread:
            break
        spread = reached
    carry = [
        spread_out(x, axis, size) if is_spread else x
        for x, axis, is_spread in zip(carry, carry_axes, spread, strict=True)
    ]
    stacks = [
        x if axis is None else np.moveaxis(x, axis, 1) for x, axis in zip(stacks, stack_axes, strict=True)
    ]
    results = run_loop(loop._replace(program=step.program), consts, carry, stacks)
    out_axes = (
        *step.axes[: loop.carries],
        *(None if axis is None else 1 for axis in step.axes[loop.carries :]),
    )
    return tuple(results), out_axes


def spread_out(x: Array, axis: int | None, size: int) -> Array:
    """Return a value with the examples on axis 0; repeated if it has them nowhere."""
    return np.broadcast_to(x, (size, *type_of(x).shape)) if axis is None else np.moveaxis(x, axis, 0)


scan_p = Primitive(
    "scan", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)
