"""The while loop: steps for as long as a condition holds, in every mode.

Reverse mode has to know what each step did. Where the values are there to be looked at, a Python loop runs
the forward steps and puts their residuals on a list that grows. Where they are not (under `jit`), the
primitive `record` does the same when the program runs, and its last result stands for that list; `replay`
goes back through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.control.loop import spread_out
from transforms.control.program import Program, Pulled, call_program, make_program
from transforms.errors import ConcreteValueError
from transforms.graph.ir import Graph, Variable
from transforms.primitive import Forward, NoRule, Primitive, zeros_of
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType, is_differentiable, type_of
from transforms.vmap import loop_rule

_ONCE = NoRule(
    "a while loop under jit is differentiated in reverse mode once; use scan or fori_loop, "
    "or differentiate outside of jit"
)


class While(NamedTuple):
    """The options of the while primitive.

    Its operands are consts of the condition, consts of the step, and the first carry; its results are the
    last carry.

    Attributes:
        condition: from its consts and the carry to one boolean.
        step: from its consts and the carry to the next carry.
        condition_consts: how many there are.
        step_consts: how many there are.
        backend: what compiles both.
    """

    condition: Program
    step: Program
    condition_consts: int
    step_consts: int
    backend: str

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs of condition and step, for printing."""
        return {"while": self.condition.graph, "step": self.step.graph}

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
    """Bind the while primitive; returns the last carry."""
    return list(bind(while_p, *operands, loop=loop))


def _evaluate(*operands: Array, loop: While) -> tuple[Array, ...]:
    condition_consts, step_consts, carry = loop.split(operands)
    condition, step = loop.condition.compiled(loop.backend), loop.step.compiled(loop.backend)
    while condition(*condition_consts, *carry)[0]:
        carry = step(*step_consts, *carry)
    return tuple(carry)


def _infer(*types: Any, loop: While) -> tuple[ArrayType, ...]:
    return tuple(loop.step.output_types)


# --- forward mode


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], loop: While) -> Any:
    condition_consts, consts, carry = loop.split(operands)
    _, const_tangents, carry_tangents = loop.split(tangents)
    active_consts = [tangent is not None for tangent in const_tangents]
    active_carry = [tangent is not None for tangent in carry_tangents]
    while True:
        pushed = loop.step.jvp((*active_consts, *active_carry))
        reached = [a or b for a, b in zip(active_carry, pushed.active, strict=True)]
        if reached == active_carry:
            break
        active_carry = reached
    started = [
        zeros_of(type_of(value)) if tangent is None else tangent
        for value, tangent, is_active in zip(carry, carry_tangents, active_carry, strict=True)
        if is_active
    ]
    count, active_count = len(carry), sum(active_consts)

    def condition(*args: Array) -> list[Array]:
        known = args[: len(args) - len(started)]
        return list(call_program(loop.condition, loop.backend, *known))

    def step(*args: Array) -> list[Array]:
        values, value_tangents = args[: len(consts)], args[len(consts) : len(consts) + active_count]
        now = args[len(consts) + active_count :]
        results = call_program(
            pushed.program, loop.backend, *values, *now[:count], *value_tangents, *now[count:]
        )
        outs, out_tangents = results[:count], list(results[count:])
        padded = [
            out_tangents.pop(0) if has_tangent else zeros_of(type_of(out))
            for out, is_active, has_tangent in zip(outs, active_carry, pushed.active, strict=True)
            if is_active
        ]
        return [*outs, *padded]

    present = [tangent for tangent in const_tangents if tangent is not None]
    types = [type_of(x) for x in (*condition_consts, *carry, *started)]
    key = ("while_jvp", loop, tuple(active_consts), tuple(active_carry))
    step_types = [type_of(x) for x in (*consts, *present, *carry, *started)]
    both = loop.step.derive(
        key,
        lambda: While(
            make_program(condition, types, loop.condition.name)[0],
            make_program(step, step_types, f"jvp_{loop.step.name}")[0],
            len(condition_consts),
            len(consts) + active_count,
            loop.backend,
        ),
    )
    results = run_while(both, [*condition_consts, *consts, *present, *carry, *started])
    out_tangents = iter(results[count:])
    return results[:count], [next(out_tangents) if is_active else None for is_active in active_carry]


# --- reverse mode


class Reversal(NamedTuple):
    """The options of the primitives `record` and `replay`.

    Attributes:
        loop: the loop.
        pulled: the halves of its step, with respect to ``wanted``.
        wanted: which inputs of the step have cotangents.
        examples: the shape of a batch, whose examples all share one stack.
    """

    loop: While
    pulled: Pulled
    wanted: tuple[int, ...]
    examples: tuple[int, ...] = ()

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs of both halves, for printing."""
        return {"forward": self.pulled.forward.graph, "backward": self.pulled.backward.graph}

    def __repr__(self) -> str:
        return repr(self.loop)


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], loop: While) -> Any:
    condition_consts, consts, carry = loop.split(operands)
    loop = _reading_all(loop)
    consts = [*condition_consts, *consts]
    carried = range(len(consts), len(operands))
    floating = [i for i in carried if is_differentiable(type_of(operands[i]).dtype)]
    summed = [i for i in wanted if len(condition_consts) <= i < len(consts)]
    chosen = (*summed, *floating)
    reversal = Reversal(loop, loop.step.vjp(chosen), chosen)
    stack: Any
    if _is_concrete(operands):
        results, stack = _record(reversal, [*condition_consts, *consts, *carry])
    else:
        *results, stack = bind(record_p, *condition_consts, *consts, *carry, reversal=reversal)

    def pullback(cotangents: list[Array | None]) -> list[Array | None]:
        start = [
            *(zeros_of(type_of(consts[i])) for i in summed),
            *(_or_zeros(cotangents[i - len(consts)], operands[i]) for i in floating),
        ]
        if isinstance(stack, list):
            pulled = _replay(reversal, stack, consts, start)
        else:
            pulled = list(bind(replay_p, stack, *consts, *start, reversal=reversal))
        shares = dict(zip(chosen, pulled, strict=True))
        return [shares.get(i) for i in wanted]

    return results, pullback


def _reading_all(loop: While) -> While:
    """Return the loop with the condition's consts among the step's, before its own."""

    def make() -> Program:
        extra = tuple(Variable(v.type) for v in loop.condition.graph.inputs[: loop.condition_consts])
        graph = loop.step.graph
        return Program(graph._replace(inputs=(*extra, *graph.inputs)), loop.step.name)

    step = loop.step.derive(("reading_all", loop.condition), make)
    return loop._replace(step=step, step_consts=loop.condition_consts + loop.step_consts)


def _or_zeros(cotangent: Array | None, value: Array) -> Array:
    return zeros_of(type_of(value)) if cotangent is None else cotangent


def _is_concrete(operands: Sequence[Array]) -> bool:
    """Whether Python may look at the values, and so at the condition."""
    values = [x for x in operands if isinstance(x, Tracer)]
    try:
        for value in values:
            value.concrete()
    except ConcreteValueError:
        return False
    return True


def _record(reversal: Reversal, operands: Sequence[Array]) -> tuple[list[Array], list[list[Array]]]:
    """Run the loop; returns the last carry and for each step what its pullback needs."""
    loop, pulled = reversal.loop, reversal.pulled
    condition_consts, consts, carry = loop.split(operands)
    stack: list[list[Array]] = []
    while call_program(loop.condition, loop.backend, *condition_consts, *carry)[0]:
        results = call_program(pulled.forward, loop.backend, *consts, *carry)
        passed = [carry[i - len(consts)] for i in pulled.passed if i >= len(consts)]
        stack.append([*results[len(carry) :], *passed])
        carry = list(results[: len(carry)])
    return carry, stack


def _replay(
    reversal: Reversal, stack: Sequence[list[Array]], consts: Sequence[Array], start: Sequence[Array]
) -> list[Array]:
    """Go back through the steps; takes and returns sums of the consts' cotangents, and the carry's."""
    loop, pulled, wanted = reversal.loop, reversal.pulled, reversal.wanted
    summed = sum(i < len(consts) for i in wanted)
    count = len(pulled.forward.graph.outputs) - len(loop.step.graph.outputs)
    sums, carried = list(start[:summed]), list(start[summed:])
    for saved in reversed(stack):
        entries = iter(saved[count:])
        passed = [consts[i] if i < len(consts) else next(entries) for i in pulled.passed]
        shares = call_program(pulled.backward, loop.backend, *saved[:count], *passed, *carried)
        sums = [total + share for total, share in zip(sums, shares, strict=False)]
        carried = list(shares[summed:])
    return [*sums, *carried]


def _evaluate_record(*operands: Array, reversal: Reversal) -> tuple[Any, ...]:
    condition_consts, consts, carry = reversal.loop.split(operands)
    # The stack outlives the call: a backend may write over the first carry after it.
    carry = [np.array(x) for x in carry]
    carry, stack = _record(reversal, [*condition_consts, *consts, *carry])
    box = np.empty((), object)
    box[()] = stack
    return (*carry, np.broadcast_to(box, reversal.examples))


def _infer_record(*types: Any, reversal: Reversal) -> tuple[ArrayType, ...]:
    return (*reversal.loop.step.output_types, ArrayType(reversal.examples, object))


def _evaluate_replay(stack: Any, *operands: Array, reversal: Reversal) -> tuple[Array, ...]:
    count = reversal.loop.step_consts
    return tuple(_replay(reversal, unbox(stack) or [], operands[:count], operands[count:]))


def unbox(box: Any) -> list[list[Array]] | None:
    """Return the stack in a box; None if there is none, because another branch ran.

    The examples of a batch share one stack, and a loop that stacks boxes may put one into another.
    """
    if isinstance(box, np.ndarray):
        stacks = (unbox(entry) for entry in box.flat)
        return next((stack for stack in stacks if stack is not None), None)
    return box if isinstance(box, list) else None


def _infer_replay(stack: Any, *types: Any, reversal: Reversal) -> tuple[ArrayType, ...]:
    inputs = reversal.loop.step.graph.inputs
    return tuple(inputs[i].type for i in reversal.wanted)


# --- batching


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], loop: While
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    """Run until no example goes on, unless the condition is the same for all."""
    condition_consts, consts, carry = loop.split(operands)
    condition_axes, const_axes, carry_axes = loop.split(axes)
    spread = tuple(axis is not None for axis in carry_axes)
    while True:
        now_axes = tuple(0 if is_spread else None for is_spread in spread)
        condition = loop.condition.batch(size, (*condition_axes, *now_axes))
        step = loop.step.batch(size, (*const_axes, *now_axes), spread)
        differs = condition.axes[0] is not None
        reached = tuple(differs or axis is not None for axis in step.axes)
        if reached == spread:
            break
        spread = reached
    carry = [
        spread_out(x, axis, size) if is_spread else x
        for x, axis, is_spread in zip(carry, carry_axes, spread, strict=True)
    ]
    if differs:
        masked = _mask(_reading_all(loop), size, condition_axes, (*condition_axes, *const_axes))
        return tuple(run_while(masked, [*condition_consts, *condition_consts, *consts, *carry])), now_axes
    batched = loop._replace(condition=condition.program, step=step.program)
    return tuple(run_while(batched, [*condition_consts, *consts, *carry])), now_axes


def _mask(
    loop: While, size: int, condition_axes: Sequence[int | None], step_axes: Sequence[int | None]
) -> While:
    """Return the loop for many examples, of which those that have stopped keep their carry.

    Args:
        loop: the loop of one example, whose step reads the condition's consts too.
        size: how many examples.
        condition_axes: where the condition's consts have them; the carry has them on axis 0.
        step_axes: where the step's consts have them.
    """
    consts, count = loop.condition_consts, len(loop.step.graph.outputs)
    carried = (0,) * count
    condition = loop.condition.batch(size, (*condition_axes, *carried), (True,)).program
    step = loop.step.batch(size, (*step_axes, *carried), (True,) * count).program

    def any_goes_on(*args: Array) -> list[Array]:
        (going,) = call_program(condition, loop.backend, *args)
        return [np.any(going)]

    def masked(*args: Array) -> list[Array]:
        now = args[len(args) - count :]
        (going,) = call_program(condition, loop.backend, *args[:consts], *now)
        after = call_program(step, loop.backend, *args)
        return [
            np.where(going.reshape((size,) + (1,) * (new.ndim - 1)), new, old)
            for new, old in zip(after, now, strict=True)
        ]

    def make() -> While:
        return loop._replace(
            condition=make_program(any_goes_on, condition.input_types, loop.condition.name)[0],
            step=make_program(masked, step.input_types, f"vmap_{loop.step.name}")[0],
        )

    return step.derive(("mask", condition, loop), make)  # type: ignore[no-any-return]


def _batched_reversal(reversal: Reversal, size: int, axes: tuple[int | None, ...]) -> Reversal:
    """Return the reversal of many examples, which have the step's consts on these axes."""
    loop = reversal.loop

    def make() -> Reversal:
        masked = _mask(loop, size, axes[: loop.condition_consts], axes)
        examples = (size, *reversal.examples)
        return Reversal(masked, masked.step.vjp(reversal.wanted), reversal.wanted, examples)

    return loop.step.derive(("reversal", reversal, size, axes), make)  # type: ignore[no-any-return]


def _spread_consts(
    reversal: Reversal, size: int, consts: Sequence[Array], axes: Sequence[int | None]
) -> tuple[list[Array], tuple[int | None, ...]]:
    """Return the step's consts with the examples on axis 0.

    Those with a cotangent have them there in any case: each example has its own of what they share.
    """
    differs = [axis is not None or i in reversal.wanted for i, axis in enumerate(axes)]
    spread = [spread_out(x, axis, size) if d else x for x, axis, d in zip(consts, axes, differs, strict=True)]
    return spread, tuple(0 if d else None for d in differs)


def _batch_record(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], reversal: Reversal
) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    _, consts, carry = reversal.loop.split(operands)
    _, const_axes, carry_axes = reversal.loop.split(axes)
    spread, spread_axes = _spread_consts(reversal, size, consts, const_axes)
    carry = [spread_out(x, axis, size) for x, axis in zip(carry, carry_axes, strict=True)]
    batched = _batched_reversal(reversal, size, spread_axes)
    # The condition's consts are the first of the step's.
    results = bind(record_p, *spread[: batched.loop.condition_consts], *spread, *carry, reversal=batched)
    return results, (0,) * len(results)


def _batch_replay(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], reversal: Reversal
) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    if axes[0] is None:  # one loop, and many cotangents of its result
        return loop_rule(replay_p)(size, operands, axes, reversal=reversal)  # type: ignore[no-any-return]
    end = 1 + reversal.loop.step_consts
    spread, spread_axes = _spread_consts(reversal, size, operands[1:end], axes[1:end])
    start = [spread_out(x, axis, size) for x, axis in zip(operands[end:], axes[end:], strict=True)]
    batched = _batched_reversal(reversal, size, spread_axes)
    results = bind(replay_p, operands[0], *spread, *start, reversal=batched)
    return results, (0,) * len(results)


while_p = Primitive(
    "while", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)
record_p = Primitive(
    "record",
    _evaluate_record,
    infer=_infer_record,
    jvp=_ONCE,
    vjp=_ONCE,
    batch=_batch_record,
    multiple=True,
)
replay_p = Primitive(
    "replay",
    _evaluate_replay,
    infer=_infer_replay,
    jvp=_ONCE,
    vjp=_ONCE,
    batch=_batch_replay,
    multiple=True,
)
