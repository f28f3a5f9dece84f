"""Lowerings of `record` and `replay`: the reverse mode of a while loop.

XLA knows no list that grows. So what stands for a history is where the loop started and how many steps it
took, and `replay` computes the states again, from the last to the first, with a stack of snapshots: to get to
a state it runs on from the last snapshot before it, and takes another halfway. For n steps that is n log n
steps more, and log n snapshots.

A history that `replay` itself gives, as reverse mode over reverse mode needs it, cannot be had so: a program
with such histories runs on the host (`needs_host`).

Source: A. Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
differentiation (1992), doi:10.1080/10556789208805505.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transforms.backends.xla.interpret import as_inputs, interpret
from transforms.backends.xla.registry import lower
from transforms.control.while_loop import While
from transforms.graph.ir import Equation, Graph, Variable, nested_graphs
from transforms.types import Array

# As each snapshot halves what is left, this is enough for 2**61 steps.
_SNAPSHOTS = 63
# What hands histories on, or makes and reads them, without a look at the array that they stand in.
_HANDS_ON = {"record", "replay", "call", "custom_call", "checkpoint", "switch", "scan"}


@jax.tree_util.register_pytree_node_class
class Trajectory:
    """What stands for the history of one output of a while loop's steps.

    Attributes:
        loop: the loop.
        position: of the output.
        count: the number of steps.
        consts: what each step reads.
        start: the first carry.
    """

    def __init__(
        self, loop: While, position: int, count: Array, consts: tuple[Array, ...], start: tuple[Array, ...]
    ) -> None:
        self.loop = loop
        self.position = position
        self.count = count
        self.consts = consts
        self.start = start

    def tree_flatten(self) -> Any:
        """Return the arrays, and what else there is."""
        return (self.count, self.consts, self.start), (self.loop, self.position)

    @classmethod
    def tree_unflatten(cls, other: Any, arrays: Any) -> Trajectory:
        """Put together what was taken apart."""
        return cls(*other, *arrays)

    @property
    def entries(self) -> list[Array]:
        """The history's entries, computed on the host."""
        step = self.loop.step.compiled("numpy")
        consts, results = list(map(np.asarray, self.consts)), list(map(np.asarray, self.start))
        entries = []
        for _ in range(int(self.count)):
            results = step(*consts, *results[: self.loop.carries])
            entries.append(results[self.loop.carries + self.position])
        return entries


def needs_host(graph: Graph) -> bool:
    """Whether a program does with histories what XLA cannot."""
    return any(_is_history(variable) for variable, _ in graph.constants) or any(
        _equation_needs_host(equation) for equation in graph.equations
    )


def _equation_needs_host(equation: Equation) -> bool:
    name = equation.primitive.name
    touches = any(map(_is_history, (*equation.operands, *equation.results)))
    if touches and (name not in _HANDS_ON or (name == "replay" and equation.attributes["loop"].examples)):
        return True
    return any(map(needs_host, nested_graphs(equation).values()))


def _is_history(operand: Any) -> bool:
    return isinstance(operand, Variable) and operand.type.dtype.kind == "O"


@lower("record")
def _record(*operands: Any, loop: While) -> tuple[Any, ...]:
    condition_consts, consts, carry = loop.split(operands)
    consts = as_inputs(loop.step.graph, consts)
    start = tuple(as_inputs(loop.step.graph, carry, len(consts)))

    def goes_on(state: Any) -> Array:
        return interpret(loop.condition.graph, [*condition_consts, *state[1]])[0]

    def step(state: Any) -> Any:
        count, carry = state
        return count + 1, tuple(interpret(loop.step.graph, [*consts, *carry])[: loop.carries])

    count, last = lax.while_loop(goes_on, step, (jnp.zeros((), int), start))
    return (*last, *(Trajectory(loop, i, count, tuple(consts), start) for i in range(len(loop.examples))))


class _Snapshots(NamedTuple):
    """A stack of states.

    Attributes:
        top: the index of the newest.
        steps: after how many steps each was taken.
        carries: for each array of the carry, those of all snapshots.
    """

    top: Array
    steps: Array
    carries: tuple[Array, ...]

    @property
    def step(self) -> Array:
        """After how many steps the newest was taken."""
        return self.steps[self.top]

    @property
    def carry(self) -> tuple[Array, ...]:
        """The newest."""
        return tuple(stack[self.top] for stack in self.carries)

    def push(self, step: Array, carry: Any) -> _Snapshots:
        """Return the stack with another snapshot."""
        top = self.top + 1
        stacks = tuple(stack.at[top].set(x) for stack, x in zip(self.carries, carry, strict=True))
        return _Snapshots(top, self.steps.at[top].set(step), stacks)


@lower("replay")
def _replay(*operands: Any, loop: Any) -> Any:
    consts, carry, histories = loop.split(operands)
    trajectory: Trajectory = histories[0]  # the others are of the same loop
    recorded = trajectory.loop
    start = tuple(as_inputs(loop.graph, carry, loop.consts))

    def run(state: Any) -> list[Array]:
        return interpret(recorded.step.graph, [*trajectory.consts, *state])

    def advance(_: Any, state: Any) -> Any:
        return tuple(run(state)[: recorded.carries])

    def take(state: Any, carry: Any) -> tuple[Any, Any]:
        """Return the carry after the step that begins with a state, and the next state."""
        results = run(state)
        entries = [results[recorded.carries + history.position] for history in histories]
        return tuple(interpret(loop.graph, [*consts, *carry, *entries])), tuple(results[: recorded.carries])

    if loop.reverse:
        return _backward(trajectory, advance, lambda state, carry: take(state, carry)[0], start)
    _, last = lax.fori_loop(0, trajectory.count, lambda _, now: take(*now)[::-1], (trajectory.start, start))
    return last


def _backward(trajectory: Trajectory, advance: Any, take: Any, start: Any) -> Any:
    """Go through the states from the last to the first; return the last carry."""

    def step_back(state: Any) -> Any:
        goal, snapshots, carry = state

        def come_closer(snapshots: _Snapshots) -> _Snapshots:
            halfway = (snapshots.step + goal + 1) // 2
            return snapshots.push(halfway, lax.fori_loop(snapshots.step, halfway, advance, snapshots.carry))

        snapshots = lax.while_loop(lambda snapshots: snapshots.step < goal, come_closer, snapshots)
        return goal - 1, snapshots._replace(top=snapshots.top - 1), take(snapshots.carry, carry)

    empty = _Snapshots(
        jnp.full((), -1),
        jnp.zeros(_SNAPSHOTS, int),
        tuple(jnp.zeros((_SNAPSHOTS, *x.shape), x.dtype) for x in trajectory.start),
    )
    first = empty.push(jnp.zeros((), int), trajectory.start)
    state = (trajectory.count - 1, first, start)
    return lax.while_loop(lambda state: state[0] >= 0, step_back, state)[2]
