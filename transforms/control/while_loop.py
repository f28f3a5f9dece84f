"""The while loop: steps for as long as a condition holds, in every mode.

Reverse mode has to know what each step did, and how many there were. So a loop that is to be gone back
through gives histories (`control/history.py`) besides the last carry; then it is called `record`. Its
pullback is the loop `replay` (`control/loop.py`), which goes back through them. Both have derivatives of
their own, made of the same two, so that a while loop has derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.control.history import collected
from transforms.control.loop import choose, pullback_of, spread_out
from transforms.control.program import Program, call_program, make_program
from transforms.control.steps import Loop, halve, push
from transforms.graph.ir import Graph, Variable
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, Primitive
from transforms.types import Array, ArrayType, Shape


class While(NamedTuple):
    """The options of the primitives while and record.

    Their operands are consts of the condition, consts of the step, and the first carry; their results are the
    last carry, and of record the histories of the step's outputs. The first of these says for each step
    whether it counts, as for `Loop`.

    Attributes:
        condition: from its consts and the carry to one boolean.
        step: from its consts and the carry to the next carry and the outputs.
        condition_consts: how many there are.
        step_consts: how many there are.
        backend: what compiles both.
        examples: the shape of the batch of each output.
    """

    condition: Program
    step: Program
    condition_consts: int
    step_consts: int
    backend: str
    examples: tuple[Shape, ...] = ()

    @property
    def carries(self) -> int:
        """The number of arrays in the carry."""
        return len(self.step.graph.outputs) - len(self.examples)

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs of condition and step, for printing."""
        return {"while": self.condition.graph, "step": self.step.graph}

    @property
    def loop(self) -> Loop:
        """The steps alone, without what stops them."""
        return Loop(self.step, self.step_consts, self.carries, None, False, self.backend, self.examples)

    def __repr__(self) -> str:
        return f"[{self.condition_consts}+{self.step_consts} consts]"

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Split the operands, or something for each, into both kinds of consts and the carry."""
        end = self.condition_consts + self.step_consts
        return (
            list(values[: self.condition_consts]),
            list(values[self.condition_consts : end]),
            list(values[end:]),
        )


def run_while(loop: While, operands: Sequence[Array]) -> list[Array]:
    """Bind the primitive; returns the last carry and the histories."""
    return list(bind_effect(record_p if loop.examples else while_p, *operands, loop=loop))


def _evaluate(*operands: Array, loop: While) -> tuple[Array, ...]:
    condition_consts, step_consts, carry = loop.split(operands)
    condition, step = loop.condition.compiled(loop.backend), loop.step.compiled(loop.backend)
    count = len(carry)
    outputs: list[list[Array]] = [[] for _ in loop.examples]
    while condition(*condition_consts, *carry)[0]:
        results = step(*step_consts, *carry)
        carry = results[:count]
        for output, result in zip(outputs, results[count:], strict=True):
            output.append(result)
    return (*carry, *map(collected, outputs, loop.examples))


def _infer(*types: Any, loop: While) -> tuple[ArrayType, ...]:
    histories = (ArrayType(shape, object) for shape in loop.examples)
    return (*loop.step.output_types[: loop.carries], *histories)


# --- forward mode


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], loop: While) -> Any:
    condition_consts, consts, carry = loop.split(operands)
    _, const_tangents, carry_tangents = loop.split(tangents)
    pushed = push(loop.loop, [*const_tangents, *carry_tangents])
    started = pushed.started(carry, carry_tangents)
    active = [tangent for tangent in const_tangents if tangent is not None]
    both = While(
        _with_more_inputs(loop.condition, pushed.step.program.input_types[-len(started) :][len(carry) :]),
        pushed.step.program,
        loop.condition_consts,
        pushed.step.consts,
        loop.backend,
        pushed.step.examples,
    )
    results = run_while(both, [*condition_consts, *consts, *active, *started])
    return pushed.unpack(results)


def _with_more_inputs(program: Program, types: Sequence[ArrayType]) -> Program:
    """Return a program that takes further inputs, which it does not read."""
    if not types:
        return program

    def make() -> Program:
        more = tuple(Variable(t) for t in types)
        return Program(program.graph._replace(inputs=(*program.graph.inputs, *more)), program.name)

    return program.derive(("more inputs", tuple(types)), make)  # type: ignore[no-any-return]


# --- reverse mode


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], loop: While) -> Any:
    counted = loop if loop.examples else _counted(loop)
    condition_consts, consts, carry = loop.split(operands)
    of_step = tuple(i - loop.condition_consts for i in wanted if i >= loop.condition_consts)
    steps = counted.loop
    halves = halve(steps, of_step)
    hoisted = halves.hoisted(consts, loop.backend)
    forward = counted._replace(
        step=halves.forward, step_consts=loop.step_consts + len(hoisted), examples=halves.examples(steps)
    )
    results = run_while(forward, [*condition_consts, *hoisted, *consts, *carry])
    pullback_of_step = pullback_of(
        steps, halves, of_step, [*consts, *carry], hoisted, results, [results[len(carry)]]
    )
    nothing = [None] * (len(wanted) - len(of_step))  # for what only the condition reads

    def pullback(cotangents: list[Array | None]) -> list[Array | None]:
        return [*nothing, *pullback_of_step(cotangents)]

    return results[: len(carry) + len(loop.examples)], pullback


def _counted(loop: While) -> While:
    """Return the loop with a first output, which says that each step counts."""

    def make() -> Program:
        graph = loop.step.graph
        counts = Variable(ArrayType((), bool))
        return Program(
            graph._replace(
                constants=(*graph.constants, (counts, np.asarray(True))), outputs=(*graph.outputs, counts)
            ),
            loop.step.name,
        )

    return loop._replace(step=loop.step.derive("counted", make), examples=((),))


# --- batching


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], loop: While
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    """Run until no example goes on, unless the condition is the same for all."""
    condition_consts, consts, carry = loop.split(operands)
    condition_axes, const_axes, carry_axes = loop.split(axes)
    apart = (False,) * len(loop.examples)
    spread = tuple(axis is not None for axis in carry_axes)
    while True:
        now_axes = tuple(0 if is_spread else None for is_spread in spread)
        condition = loop.condition.batch(size, (*condition_axes, *now_axes))
        step = loop.step.batch(size, (*const_axes, *now_axes), (*spread, *apart))
        differs = condition.axes[0] is not None
        reached = tuple(differs or axis is not None for axis in step.axes[: loop.carries])
        if reached == spread:
            break
        spread = reached
    carry = [
        spread_out(x, axis, size) if is_spread else x
        for x, axis, is_spread in zip(carry, carry_axes, spread, strict=True)
    ]
    if differs:
        batched = _mask(loop, size, condition_axes, const_axes)
        operands = [*condition_consts, *condition_consts, *consts, *carry]
    else:
        batched = loop._replace(condition=condition.program, step=step.program)
        operands = [*condition_consts, *consts, *carry]
    output_axes = (0,) * len(loop.examples) if differs else step.axes[loop.carries :]
    batched = batched._replace(
        examples=tuple(
            shape if axis is None else (size, *shape)
            for shape, axis in zip(loop.examples, output_axes, strict=True)
        )
    )
    return tuple(run_while(batched, operands)), (*now_axes, *output_axes)


def _mask(
    loop: While, size: int, condition_axes: Sequence[int | None], const_axes: Sequence[int | None]
) -> While:
    """Return the loop for many examples, of which those that have stopped keep their carry.

    Its step reads the condition's consts too, before its own.

    Args:
        loop: the loop of one example.
        size: how many examples.
        condition_axes: where the condition's consts have them; the carry has them on axis 0.
        const_axes: where the step's consts have them.
    """
    consts, count = loop.condition_consts, loop.carries
    carried = (0,) * count
    condition = loop.condition.batch(size, (*condition_axes, *carried), (True,)).program
    everywhere = (True,) * len(loop.step.graph.outputs)
    step = loop.step.batch(size, (*const_axes, *carried), everywhere).program

    def any_goes_on(*args: Array) -> list[Array]:
        (going,) = call_program(condition, loop.backend, *args)
        return [np.any(going)]

    def masked(*args: Array) -> list[Array]:
        now = args[len(args) - count :]
        (going,) = call_program(condition, loop.backend, *args[:consts], *now)
        after = call_program(step, loop.backend, *args[consts:])
        outputs = list(after[count:])
        if outputs and outputs[0].ndim == 1:  # else an inner batch has made it differ already
            outputs[0] = going
        return [*choose(going, after[:count], now), *outputs]

    def make() -> While:
        step_types = [*condition.input_types[:consts], *step.input_types]
        return loop._replace(
            condition=make_program(any_goes_on, condition.input_types, loop.condition.name)[0],
            step=make_program(masked, step_types, f"vmap_{loop.step.name}")[0],
            step_consts=consts + loop.step_consts,
        )

    return step.derive(("mask", condition, loop), make)  # type: ignore[no-any-return]


while_p = Primitive(
    "while", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)
record_p = Primitive(
    "record", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)
