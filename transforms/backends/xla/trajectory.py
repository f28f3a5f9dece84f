"""Lowerings of `record` and `replay`: the reverse mode of a while loop.

XLA knows no list that grows. So `record` keeps where the loop started and how many steps it took, and
`replay` computes the states again, from the last to the first, with a stack of snapshots: to get to a state
it runs on from the last snapshot before it, and takes another halfway. For n steps that is n log n steps
more, and log n snapshots.

Source: A. Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
differentiation (1992), doi:10.1080/10556789208805505.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from transforms.backends.xla.interpret import as_inputs, interpret
from transforms.backends.xla.registry import lower
from transforms.types import Array

# As each snapshot halves what is left, this is enough for 2**61 steps.
_SNAPSHOTS = 63


class Trajectory(NamedTuple):
    """What stands for the states of a while loop.

    Attributes:
        count: the number of steps.
        start: the first carry.
    """

    count: Array
    start: tuple[Array, ...]


@lower("record")
def _record(*operands: Any, reversal: Any) -> tuple[Any, ...]:
    loop = reversal.loop
    condition_consts, consts, carry = loop.split(operands)
    start = tuple(as_inputs(loop.step.graph, carry, len(consts)))

    def goes_on(state: Any) -> Array:
        return interpret(loop.condition.graph, [*condition_consts, *state[1]])[0]

    def step(state: Any) -> Any:
        count, carry = state
        return count + 1, tuple(interpret(loop.step.graph, [*consts, *carry]))

    count, last = lax.while_loop(goes_on, step, (jnp.zeros((), int), start))
    return (*last, Trajectory(count, start))


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
def _replay(trajectory: Trajectory, *operands: Any, reversal: Any) -> Any:
    loop, pulled = reversal.loop, reversal.pulled
    consts, start = operands[: loop.step_consts], operands[loop.step_consts :]
    inputs = loop.step.graph.inputs
    cotangents = tuple(
        jnp.asarray(x, inputs[i].type.dtype) for x, i in zip(start, reversal.wanted, strict=True)
    )
    summed = sum(i < len(consts) for i in reversal.wanted)

    def advance(_: Any, carry: Any) -> Any:
        return tuple(interpret(loop.step.graph, [*consts, *carry]))

    def pull(carry: Any, cotangents: Any) -> Any:
        operands = [*consts, *carry]
        residuals = interpret(pulled.forward.graph, operands)[len(carry) :]
        passed = [operands[i] for i in pulled.passed]
        shares = interpret(pulled.backward.graph, [*residuals, *passed, *cotangents[summed:]])
        sums = [total + share for total, share in zip(cotangents[:summed], shares, strict=False)]
        return (*sums, *shares[summed:])

    def step_back(state: Any) -> Any:
        goal, snapshots, cotangents = state

        def come_closer(snapshots: _Snapshots) -> _Snapshots:
            halfway = (snapshots.step + goal + 1) // 2
            carry = lax.fori_loop(snapshots.step, halfway, advance, snapshots.carry)
            return snapshots.push(halfway, carry)

        snapshots = lax.while_loop(lambda snapshots: snapshots.step < goal, come_closer, snapshots)
        return goal - 1, snapshots._replace(top=snapshots.top - 1), pull(snapshots.carry, cotangents)

    empty = _Snapshots(
        jnp.full((), -1),
        jnp.zeros(_SNAPSHOTS, int),
        tuple(jnp.zeros((_SNAPSHOTS, *x.shape), x.dtype) for x in trajectory.start),
    )
    first = empty.push(jnp.zeros((), int), trajectory.start)
    state = (trajectory.count - 1, first, cotangents)
    return lax.while_loop(lambda state: state[0] >= 0, step_back, state)[2]
