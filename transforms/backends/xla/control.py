"""Lowerings of calls, loops and branches: their programs become functions that JAX traces."""

from __future__ import annotations

from typing import Any

from jax import lax

from transforms.backends.xla.interpret import as_inputs, interpret
from transforms.backends.xla.registry import lower
from transforms.types import Array


@lower("call")
def _call(*operands: Any, program: Any, backend: str) -> list[Array]:
    return interpret(program.graph, operands)


@lower("custom_call")
def _custom_call(*operands: Any, call: Any) -> list[Array]:
    (graph,) = call.graphs.values()
    return interpret(graph, operands)


@lower("checkpoint")
def _checkpoint(*operands: Any, recipe: Any) -> list[Array]:
    """Hide the operands behind a barrier: XLA would merge what is computed again with the first time."""
    graph = recipe.program.graph
    hide: Any = lax.optimization_barrier
    return interpret(graph, hide(as_inputs(graph, operands)))


@lower("switch")
def _switch(index: Any, *operands: Any, branches: Any) -> Any:
    graphs = [program.graph for program in branches.programs]
    functions = [lambda *inputs, graph=graph: tuple(interpret(graph, inputs)) for graph in graphs]
    return lax.switch(index, functions, *as_inputs(graphs[0], operands))


@lower("scan")
def _scan(*operands: Any, loop: Any) -> tuple[Array, ...]:
    consts, carry, stacks = loop.split(operands)

    def step(carry: Any, entries: Any) -> tuple[Any, Any]:
        results = interpret(loop.graph, [*consts, *carry, *entries])
        return tuple(results[: loop.carries]), tuple(results[loop.carries :])

    start = tuple(as_inputs(loop.graph, carry, loop.consts))
    last, outputs = lax.scan(step, start, tuple(stacks), loop.length, loop.reverse)
    return (*last, *outputs)


@lower("while")
def _while(*operands: Any, loop: Any) -> Any:
    condition_consts, consts, carry = loop.split(operands)

    def goes_on(carry: Any) -> Array:
        return interpret(loop.condition.graph, [*condition_consts, *carry])[0]

    def step(carry: Any) -> Any:
        return tuple(interpret(loop.step.graph, [*consts, *carry]))

    return lax.while_loop(goes_on, step, tuple(as_inputs(loop.step.graph, carry, len(consts))))
