"""The loop primitives: steps that carry state along, take entries of stacks and stack what each gives.

`scan` knows the number of its steps. `replay` has it from histories (`control/history.py`), which take the
place of stacks; it is what the reverse mode of a while loop, and of itself, goes back with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.control.history import collected, replayed
from transforms.control.program import Program, call_program, make_program
from transforms.control.steps import Halves, Parts, halve, push
from transforms.control.steps import Loop as Loop
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.types import Array, ArrayType, type_of


def run_loop(
    loop: Loop, consts: Sequence[Array], carry: Sequence[Array], stacks: Sequence[Array]
) -> list[Array]:
    """Bind the primitive; returns the last carry and then the stacked outputs."""
    return list(bind_effect(replay_p if loop.length is None else scan_p, *consts, *carry, *stacks, loop=loop))


def _evaluate(*operands: Array, loop: Loop) -> tuple[Array, ...]:
    assert loop.length is not None
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


def _evaluate_replay(*operands: Array, loop: Loop) -> tuple[Array, ...]:
    consts, carry, histories = loop.split(operands)
    step = loop.program.compiled(loop.backend)
    outputs: list[list[Array]] = [[] for _ in loop.examples]
    types = [(t.shape, t.dtype) for t in loop.split(loop.program.input_types)[2]]
    for entries in replayed(loop.reverse, types, *histories):
        results = step(*consts, *carry, *entries)
        carry = list(results[: loop.carries])
        for output, result in zip(outputs, results[loop.carries :], strict=True):
            output.append(result)
    if loop.reverse:
        outputs = [output[::-1] for output in outputs]
    return (*carry, *map(collected, outputs, loop.examples))


def _infer(*operands: Any, loop: Loop) -> tuple[ArrayType, ...]:
    types = loop.program.output_types
    if loop.length is None:
        return (*types[: loop.carries], *(ArrayType(shape, object) for shape in loop.examples))
    stacked = (ArrayType((loop.length, *t.shape), t.dtype) for t in types[loop.carries :])
    return (*types[: loop.carries], *stacked)


# --- forward mode


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], loop: Loop) -> Any:
    consts, carry, stacks = loop.split(operands)
    const_tangents, carry_tangents, stack_tangents = loop.split(tangents)
    pushed = push(loop, tangents)
    results = run_loop(
        pushed.step,
        [*consts, *(t for t in const_tangents if t is not None)],
        pushed.started(carry, carry_tangents),
        [*stacks, *(t for t in stack_tangents if t is not None)],
    )
    return pushed.unpack(results)


# --- reverse mode


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], loop: Loop) -> Any:
    halves = halve(loop, wanted)
    consts, carry, stacks = loop.split(operands)
    hoisted = halves.hoisted(consts, loop.backend)
    forward = loop._replace(
        program=halves.forward, consts=loop.consts + len(hoisted), examples=halves.examples(loop)
    )
    results = run_loop(forward, [*hoisted, *consts], carry, stacks)
    counted = stacks[:1] if loop.length is None else []
    pullback = pullback_of(loop, halves, wanted, operands, hoisted, results, counted)
    return results[: len(loop.graph.outputs)], pullback


def pullback_of(
    loop: Loop,
    halves: Halves,
    wanted: tuple[int, ...],
    operands: Sequence[Array],
    hoisted: Sequence[Array],
    results: Sequence[Array],
    counted: Sequence[Array],
) -> Callable[[list[Array | None]], list[Array | None]]:
    """Return the pullback of a loop: from cotangents of its results to those of the operands at ``wanted``.

    Args:
        loop: the loop.
        halves: of its step.
        wanted: positions of operands.
        operands: of the loop.
        hoisted: the prologue's results.
        results: of the forward loop.
        counted: the history that says which steps count, of a loop that has histories.
    """
    parts = Parts(results[len(loop.graph.outputs) :])
    residuals = [(hoisted[i], False) if i is not None else (parts.take(1)[0], True) for i in halves.invariant]
    carry_end = loop.consts + loop.carries
    passed = [
        (parts.take(1)[0], True) if loop.consts <= i < carry_end else (operands[i], i >= carry_end)
        for i in halves.passed
    ]

    def pullback(cotangents: list[Array | None]) -> list[Array | None]:
        saved = [*residuals, *passed]
        shares = _pull_back(loop, halves, operands, saved, results, cotangents, counted)
        return [shares.get(i) for i in wanted]

    return pullback


def _pull_back(
    loop: Loop,
    halves: Halves,
    operands: Sequence[Array],
    saved: list[tuple[Array, bool]],
    results: Sequence[Array],
    cotangents: list[Array | None],
    counted: Sequence[Array],
) -> dict[int, Array]:
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
    stacked = [i for i in halves.wanted if i >= carry_end]
    carry = [
        *(seeds[i - loop.consts] for i in carried),
        *(zeros_of(type_of(operands[i])) for i in summed),
    ]
    output_seeds = [seeds[i] for i in halves.differentiable if i >= loop.carries]
    once = [value for value, varies in saved if not varies]
    each = [value for value, varies in saved if varies]

    def step(*args: Array) -> list[Array]:
        parts = Parts(args)
        fixed, carried_now, sums = parts.take(len(once)), parts.take(len(carried)), parts.take(len(summed))
        parts.take(len(counted))
        entries, output_now = parts.take(len(each)), parts.rest()
        values = [(entries if varies else fixed).pop(0) for _, varies in saved]
        pulled = call_program(halves.backward, loop.backend, *values, *carried_now, *output_now)
        shares = dict(zip(halves.wanted, pulled, strict=True))
        return [
            *(shares[i] for i in carried),
            *(total + shares[i] for total, i in zip(sums, summed, strict=True)),
            *(shares[i] for i in stacked),
        ]

    def make() -> Program:
        types = halves.backward.input_types
        types = [
            *(type_of(x) for x in (*once, *carry)),
            *(halves.counted for _ in counted),
            *(t for t, (_, varies) in zip(types, saved, strict=False) if varies),
            *types[len(saved) + len(carried) :],
        ]
        return make_program(step, types, f"backward_{loop.program.name}")[0]

    program = loop.program.derive(
        ("scan_backward", halves.wanted, loop.consts, loop.carries, loop.length is None), make
    )
    examples = () if loop.length is not None else tuple(type_of(operands[i]).shape for i in stacked)
    backward = Loop(program, len(once), len(carry), loop.length, not loop.reverse, loop.backend, examples)
    pulled = run_loop(backward, once, carry, [*counted, *each, *output_seeds])
    return dict(zip((*carried, *summed, *stacked), pulled, strict=True))


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
    entry_axes = [None if axis is None else 0 for axis in stack_axes]
    masked = loop.length is None and stack_axes[0] is not None
    # What no example's values reach stays the same for all: a counter, say, that a condition reads.
    spread = tuple(masked or axis is not None for axis in carry_axes)
    while True:
        step_axes = (*const_axes, *(0 if is_spread else None for is_spread in spread), *entry_axes)
        step = loop.program.batch(size, step_axes, (*spread, *(False,) * outputs))
        reached = tuple(axis is not None for axis in step.axes[: loop.carries])
        if reached == spread:
            break
        spread = reached
    carry = [
        spread_out(x, axis, size) if is_spread else x
        for x, axis, is_spread in zip(carry, carry_axes, spread, strict=True)
    ]
    # A history stands on no axis of its own.
    first = 0 if loop.length is None else 1
    stacks = [
        x if axis is None else np.moveaxis(x, axis, first) for x, axis in zip(stacks, stack_axes, strict=True)
    ]
    out_axes = step.axes[loop.carries :]
    batched = loop._replace(
        program=_counting(loop, step.program, size) if masked else step.program,
        examples=tuple(
            shape if axis is None else (size, *shape)
            for shape, axis in zip(loop.examples, out_axes, strict=False)
        ),
    )
    results = run_loop(batched, consts, carry, stacks)
    return tuple(results), (
        *step.axes[: loop.carries],
        *(None if axis is None else first for axis in out_axes),
    )


def _counting(loop: Loop, step: Program, size: int) -> Program:
    """Return the step of many examples, which leaves the carry of those for which it does not count.

    Args:
        loop: the loop of one example.
        step: the step of many.
        size: how many.
    """
    position = loop.consts + loop.carries
    if loop.program.input_types[position].shape:
        return step  # an inner batch has made it so already

    def counting(*args: Array) -> list[Array]:
        results = call_program(step, loop.backend, *args)
        now = args[loop.consts : position]
        return [*choose(args[position], results[: loop.carries], now), *results[loop.carries :]]

    return step.derive(  # type: ignore[no-any-return]
        ("counting", loop.consts, loop.carries),
        lambda: make_program(counting, step.input_types, step.name)[0],
    )


def choose(which: Array, new: Sequence[Array], old: Sequence[Array]) -> list[Array]:
    """Return for each example the new arrays or the old ones."""
    return [
        np.where(which.reshape(which.shape + (1,) * (x.ndim - 1)), x, y)
        for x, y in zip(new, old, strict=True)
    ]


def spread_out(x: Array, axis: int | None, size: int) -> Array:
    """Return a value with the examples on axis 0; repeated if it has them nowhere."""
    return np.broadcast_to(x, (size, *type_of(x).shape)) if axis is None else np.moveaxis(x, axis, 0)


scan_p = Primitive(
    "scan", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)
replay_p = Primitive(
    "replay",
    _evaluate_replay,
    infer=_infer,
    jvp=Forward(_jvp),
    vjp=Forward(_vjp),
    batch=_batch,
    multiple=True,
)
