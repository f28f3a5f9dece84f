"""Calls, loops and branches: programs within a program, as ONNX graphs within a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdl.export.onnx_writer import Writer, lower, output_type
from transforms.types import ArrayType


@lower("call")
def _call(write: Writer, operands: list[str], equation: Any) -> list[str]:
    return write.program(equation.attributes["program"].graph, operands)


@lower("custom_call")
def _custom_call(write: Writer, operands: list[str], equation: Any) -> list[str]:
    (graph,) = equation.attributes["call"].graphs.values()
    return write.program(graph, operands)


@lower("checkpoint")
def _checkpoint(write: Writer, operands: list[str], equation: Any) -> list[str]:
    return write.program(equation.attributes["recipe"].program.graph, operands)


@lower("switch")
def _switch(write: Writer, operands: list[str], equation: Any) -> list[str]:
    """Compare the index with one branch after the other."""
    index, *inputs = operands
    dtype = equation.operands[0].type.dtype
    graphs = [program.graph for program in equation.attributes["branches"].programs]
    count = len(equation.results)

    def choose(write: Writer, first: int) -> list[str]:
        if first == len(graphs) - 1:
            return write.program(graphs[first], inputs)
        inner = Writer(write.numbers)
        others = [inner.node("Identity", name) for name in choose(inner, first + 1)]
        types = [output_type(x) for x in graphs[0].outputs]
        declared = [inner.typed(name, t) for name, t in zip(others, types, strict=True)]
        is_first = write.node("Equal", index, write.constant(first, dtype))
        return write.nodes_of(
            "If",
            (is_first,),
            count,
            then_branch=write.nested(f"branch_{first}", graphs[first], inputs),
            else_branch=inner.graph(f"after_{first}", [], declared),
        )

    return choose(write, 0)


@lower("scan")
def _scan(write: Writer, operands: list[str], equation: Any) -> list[str]:
    loop = equation.attributes["loop"]
    consts, carry, stacks = loop.split(operands)
    variables = loop.graph.inputs[loop.consts :]
    names = [write.name() for _ in variables]
    declared = [write.typed(name, v.type) for name, v in zip(names, variables, strict=True)]
    if not stacks:
        # ONNX counts the steps by what there is to scan.
        stacks = [write.constant(np.zeros(loop.length, np.int64))]
        declared.append(write.typed(write.name(), ArrayType((), np.int64)))
    body = write.nested("step", loop.graph, [*consts, *names], declared)
    options = {"scan_input_directions": [int(loop.reverse)] * len(stacks)}
    if len(equation.results) > loop.carries:
        options["scan_output_directions"] = [int(loop.reverse)] * (len(equation.results) - loop.carries)
    starts = _starts(write, carry, variables, equation.operands[loop.consts :])
    return write.nodes_of(
        "Scan", [*starts, *stacks], len(equation.results), body=body, num_scan_inputs=len(stacks), **options
    )


def _starts(write: Writer, carry: list[str], variables: Any, operands: Any) -> list[str]:
    """Return the first carry in the types that the step has for it."""
    return [
        write.cast(name, output_type(operand).dtype, variable.type.dtype)
        for name, variable, operand in zip(carry, variables, operands, strict=False)
    ]


@lower("while")
def _while(write: Writer, operands: list[str], equation: Any) -> list[str]:
    loop = equation.attributes["loop"]
    condition_consts, consts, carry = loop.split(operands)
    variables = loop.step.graph.inputs[len(consts) :]
    carry = _starts(write, carry, variables, equation.operands[len(condition_consts) + len(consts) :])
    (going,) = write.program(loop.condition.graph, [*condition_consts, *carry])

    inner = Writer(write.numbers)
    step, was_going = inner.name(), inner.name()
    names = [inner.name() for _ in variables]
    after = [inner.node("Identity", name) for name in inner.program(loop.step.graph, [*consts, *names])]
    goes_on = inner.node("Identity", *inner.program(loop.condition.graph, [*condition_consts, *after]))
    boolean, number = ArrayType((), bool), ArrayType((), np.int64)
    declared = [inner.typed(step, number), inner.typed(was_going, boolean)]
    declared += [inner.typed(name, v.type) for name, v in zip(names, variables, strict=True)]
    outputs = [inner.typed(goes_on, boolean)]
    outputs += [inner.typed(name, v.type) for name, v in zip(after, variables, strict=True)]
    body = inner.graph("step", declared, outputs)
    return write.nodes_of("Loop", ["", going, *carry], len(carry), body=body)
