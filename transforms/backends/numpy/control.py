"""Control flow as Python's own: ``for``, ``while`` and ``if`` around calls of the programs' functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from transforms.backends.numpy.writing import Block, as_array, is_array
from transforms.control.checkpoint import Recipe
from transforms.control.cond import Branches
from transforms.control.loop import Loop
from transforms.control.program import Program
from transforms.control.while_loop import Reversal, While
from transforms.graph.ir import Equation, Operand, Variable


class Function(NamedTuple):
    """A function of the module.

    Attributes:
        name: its name.
        inputs: for each result, the positions of the arguments that it may share memory with.
        constants: for each result, whether it may share memory with constants.
    """

    name: str
    inputs: tuple[tuple[int, ...], ...]
    constants: tuple[bool, ...]


Write = Callable[[Program], Function]
"""Writes the function of a program, or returns the one that is written."""

Control = Callable[[Write, Sequence[str], Sequence[str], Equation], Block]
CONTROL: dict[str, Control] = {}
"""Writes an equation with programs, given the texts of its operands and the names of its results."""


def _control(name: str) -> Callable[[Control], Control]:
    def register(control: Control) -> Control:
        CONTROL[name] = control
        return control

    return register


def _call(function: Function, program: Program, texts: Sequence[str], operands: Sequence[Operand]) -> str:
    """Return the call of a program's function; the operands are arrays unless the program wants a number."""
    arguments = [
        _as_number(text, operand) if variable.weak else as_array(text, operand)
        for text, operand, variable in zip(texts, operands, program.graph.inputs, strict=True)
    ]
    return f"{function.name}({', '.join(arguments)})"


def _as_number(text: str, operand: Operand) -> str:
    return f"{text}.item()" if is_array(operand) else text


def _assignment(targets: Sequence[str], call: str) -> str:
    comma = "," if len(targets) == 1 else ""
    return f"{', '.join(targets)}{comma} = {call}" if targets else call


def _shares(
    results: Iterable[int], function: Function, sources: Sequence[Sequence[Operand]]
) -> list[tuple[int, Variable]]:
    """Return what results share memory with if each argument has the memory of its sources."""
    return [
        (result, source)
        for result in results
        for argument in function.inputs[result]
        for source in sources[argument]
        if isinstance(source, Variable)
    ]


def _foreign(results: Iterable[int], function: Function) -> tuple[int, ...]:
    return tuple(result for result in results if function.constants[result])


# --- calls and branches


@_control("checkpoint")
def _checkpoint(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    recipe: Recipe = equation.attributes["recipe"]
    function = write(recipe.program)
    everything = range(len(results))
    return Block(
        (_assignment(results, _call(function, recipe.program, texts, equation.operands)),),
        shares=tuple(_shares(everything, function, [[x] for x in equation.operands])),
        foreign=_foreign(everything, function),
    )


@_control("switch")
def _switch(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    branches: Branches = equation.attributes["branches"]
    lines: list[str] = []
    shares: list[tuple[int, Variable]] = []
    foreign: list[int] = []
    last = len(branches.programs) - 1
    operands = equation.operands[1:]
    everything = range(len(results))
    for index, program in enumerate(branches.programs):
        function = write(program)
        test = "else:" if 0 < index == last else f"{'elif' if index else 'if'} {texts[0]} == {index}:"
        lines += [test, f"    {_assignment(results, _call(function, program, texts[1:], operands))}"]
        shares += _shares(everything, function, [[x] for x in operands])
        foreign += _foreign(everything, function)
    return Block(tuple(lines), shares=tuple(shares), foreign=tuple(foreign))


# --- loops


def _arrays(texts: Sequence[str], operands: Sequence[Operand]) -> list[str]:
    return [as_array(text, x) for text, x in zip(texts, operands, strict=True)]


def _starts(targets: Sequence[str], starts: Sequence[str]) -> list[str]:
    return [f"{target} = {start}" for target, start in zip(targets, starts, strict=True)]


@_control("scan")
def _scan(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    loop: Loop = equation.attributes["loop"]
    function = write(loop.program)
    consts, starts, stacks = loop.split(_arrays(texts, equation.operands))
    carried, outputs = results[: loop.carries], results[loop.carries :]
    steps = f"range({loop.length - 1}, -1, -1)" if loop.reverse else f"range({loop.length})"
    arguments = ", ".join([*consts, *carried, *(f"{stack}[i]" for stack in stacks)])
    targets = [*carried, *(f"{output}[i]" for output in outputs)]
    lines = (
        *_starts(carried, starts),
        f"for i in {steps}:",
        f"    {_assignment(targets, f'{function.name}({arguments})')}",
    )
    const_operands, carry, stack_operands = loop.split(equation.operands)
    now = [[x, equation.results[i]] for i, x in enumerate(carry)]
    sources = [*([x] for x in const_operands), *now, *([x] for x in stack_operands)]
    shares = _shares(range(loop.carries), function, sources)
    if not loop.length:
        shares += [(i, x) for i, x in enumerate(carry) if isinstance(x, Variable)]
    filled = tuple(range(loop.carries, len(results)))
    return Block(lines, filled, tuple(shares), _foreign(range(loop.carries), function))


@_control("while")
def _while(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    loop: While = equation.attributes["loop"]
    condition, step = write(loop.condition), write(loop.step)
    condition_texts, step_texts, starts = loop.split(_arrays(texts, equation.operands))
    _, consts, carry = loop.split(equation.operands)
    call = f"{step.name}({', '.join([*step_texts, *results])})"
    lines = (
        *_starts(results, starts),
        f"while {condition.name}({', '.join([*condition_texts, *results])})[0]:",
        f"    {_assignment(results, call)}",
    )
    everything = range(len(results))
    now = [[x, equation.results[i]] for i, x in enumerate(carry)]
    shares = _shares(everything, step, [*([x] for x in consts), *now])
    shares += [(i, x) for i, x in enumerate(carry) if isinstance(x, Variable)]
    return Block(lines, shares=tuple(shares), foreign=_foreign(everything, step))


@_control("record")
def _record(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    """Write a while loop that also keeps, in a list, what the pullback of each step needs."""
    reversal: Reversal = equation.attributes["reversal"]
    loop, pulled = reversal.loop, reversal.pulled
    condition, forward = write(loop.condition), write(pulled.forward)
    condition_texts, consts, starts = loop.split(_arrays(texts, equation.operands))
    carried, stack = results[:-1], results[-1]
    residuals = [f"{stack}_{i}" for i in range(len(pulled.forward.graph.outputs) - len(carried))]
    passed = [f"{carried[i - len(consts)]}_" for i in pulled.passed if i >= len(consts)]
    kept = [
        # What outlives the call must not lie in memory that changes after it.
        f"np.array({name})" if forward.inputs[len(carried) + i] else name
        for i, name in enumerate(residuals)
    ]
    saved = "".join(f"{name}, " for name in [*kept, *passed])
    call = f"{forward.name}({', '.join([*consts, *carried])})"
    lines = [
        *(f"{target} = np.array({start})" for target, start in zip(carried, starts, strict=True)),
        f"{stack}_ = []",
        f"while {condition.name}({', '.join([*condition_texts, *carried])})[0]:",
        *(f"    {name} = {name.removesuffix('_')}" for name in passed),
        f"    {_assignment([*carried, *residuals], call)}",
        f"    {stack}_.append(({saved}))",
        f"{stack} = np.empty((), object)",
        f"{stack}[()] = {stack}_",
        *([f"{stack} = np.broadcast_to({stack}, {reversal.examples})"] if reversal.examples else []),
    ]
    everything = range(len(carried))
    _, const_operands, _ = loop.split(equation.operands)
    now = [[equation.results[i]] for i in everything]
    shares = _shares(everything, forward, [*([x] for x in const_operands), *now])
    return Block(tuple(lines), shares=tuple(shares), foreign=_foreign(everything, forward))


@_control("replay")
def _replay(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    """Write a loop that goes back through what `record` has kept."""
    reversal: Reversal = equation.attributes["reversal"]
    loop, pulled = reversal.loop, reversal.pulled
    backward = write(pulled.backward)
    stack, *others = _arrays(texts, equation.operands)
    consts, starts = others[: loop.step_consts], others[loop.step_consts :]
    summed = sum(i < len(consts) for i in reversal.wanted)
    residuals = len(pulled.forward.graph.outputs) - len(loop.step.graph.outputs)
    entries = iter(range(residuals, residuals + len(pulled.passed)))
    arguments = [
        *(f"saved[{i}]" for i in range(residuals)),
        *(consts[i] if i < len(consts) else f"saved[{next(entries)}]" for i in pulled.passed),
        *results[summed:],
    ]
    shares_of_consts = [f"{name}_" for name in results[:summed]]
    call = f"{backward.name}({', '.join(arguments)})"
    # The examples of a batch share one list, and some may have none, where another branch ran for them.
    shared = f"next((entry for entry in np.ravel({stack}) if isinstance(entry, list)), [])"
    kept = shared if reversal.examples else f"{stack}[()]"
    lines = [
        *_starts(results, starts),
        f"for saved in reversed({kept}):",
        f"    {_assignment([*shares_of_consts, *results[summed:]], call)}",
        *(f"    {total} = {total} + {total}_" for total in results[:summed]),
    ]
    everything = range(len(results))
    operands: list[Any] = list(equation.operands[1:])
    const_operands, start_operands = operands[: loop.step_consts], operands[loop.step_consts :]
    sources = [x for x in (*const_operands, *start_operands) if isinstance(x, Variable)]
    shares = [(result, x) for result in everything for x in sources]
    return Block(tuple(lines), shares=tuple(shares), foreign=_foreign(everything, backward))
