"""Control flow as Python's own: ``for``, ``while`` and ``if`` around calls of the programs' functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from transforms.backends.numpy.writing import Block, as_array, is_array
from transforms.control.checkpoint import Recipe
from transforms.control.cond import Branches
from transforms.control.program import Program
from transforms.control.steps import Loop
from transforms.control.while_loop import While
from transforms.graph.ir import Equation, Operand, Variable
from transforms.types import Shape


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
    assert loop.length is not None
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
    """Write a while loop that also keeps, in lists, what the steps give."""
    loop: While = equation.attributes["loop"]
    condition, step = write(loop.condition), write(loop.step)
    condition_texts, consts, starts = loop.split(_arrays(texts, equation.operands))
    carried, histories = results[: loop.carries], results[loop.carries :]
    entries = [f"{history}_entry" for history in histories]
    lists = [f"{history}_list" for history in histories]
    kept = _kept(loop, step, [*consts, *carried], entries)
    call = f"{step.name}({', '.join([*consts, *carried])})"
    before = [name for name in carried if f"{name}_before" in kept]
    lines = (
        # What outlives the call must not lie in memory that changes after it.
        *(
            f"{name} = np.array({start})" if name in before else f"{name} = {start}"
            for name, start in zip(carried, starts, strict=True)
        ),
        *(f"{name} = []" for name in lists),
        f"while {condition.name}({', '.join([*condition_texts, *carried])})[0]:",
        *(f"    {name}_before = {name}" for name in before),
        f"    {_assignment([*carried, *entries], call)}",
        *(f"    {name}.append({text})" for name, text in zip(lists, kept, strict=True)),
        *_collected(histories, lists, loop.examples),
    )
    everything = range(len(carried))
    _, const_operands, carry = loop.split(equation.operands)
    now = [[x, equation.results[i]] for i, x in enumerate(carry)]
    shares = _shares(everything, step, [*([x] for x in const_operands), *now])
    shares += [(i, x) for i, x in enumerate(carry) if isinstance(x, Variable)]
    return Block(lines, shares=tuple(shares), foreign=_foreign(everything, step), imports=_HISTORIES)


_HISTORIES = ("from transforms.control.history import collected, replayed",)


def _collected(histories: Sequence[str], lists: Sequence[str], examples: Sequence[Shape]) -> list[str]:
    return [
        f"{history} = collected({entries}, {shape})"
        for history, entries, shape in zip(histories, lists, examples, strict=True)
    ]


def _kept(loop: While, step: Function, arguments: Sequence[str], entries: Sequence[str]) -> list[str]:
    """Return for each output of a step the text of what is kept of it."""
    graph = loop.step.graph
    carried = {x: arguments[i] for i, x in enumerate(graph.inputs) if i >= loop.step_consts}
    texts = []
    for position, name in enumerate(entries, start=loop.carries):
        output = graph.outputs[position]
        if output in carried:
            texts.append(f"{carried[output]}_before")
        else:
            texts.append(f"np.array({name})" if step.inputs[position] else name)
    return texts


@_control("replay")
def _replay(write: Write, texts: Sequence[str], results: Sequence[str], equation: Equation) -> Block:
    """Write a loop that goes through what `record` has kept."""
    loop: Loop = equation.attributes["loop"]
    function = write(loop.program)
    consts, starts, histories = loop.split(_arrays(texts, equation.operands))
    carried, outputs = results[: loop.carries], results[loop.carries :]
    types = [(t.shape, t.dtype.name) for t in loop.split(loop.program.input_types)[2]]
    entries = [f"{name}_entry" for name in outputs]
    lists = [f"{name}_list" for name in outputs]
    kept = [
        f"np.array({name})" if function.inputs[i] else name
        for i, name in enumerate(entries, start=loop.carries)
    ]
    call = f"{function.name}({', '.join([*consts, *carried, '*saved'])})"
    lines = (
        *_starts(carried, starts),
        *(f"{name} = []" for name in lists),
        f"for saved in replayed({loop.reverse}, {types}, {', '.join(histories)}):",
        f"    {_assignment([*carried, *entries], call)}",
        *(f"    {name}.append({text})" for name, text in zip(lists, kept, strict=True)),
        *(f"{name}.reverse()" for name in lists if loop.reverse),
        *_collected(outputs, lists, loop.examples),
    )
    everything = range(len(carried))
    const_operands, carry, stack_operands = loop.split(equation.operands)
    now = [[x, equation.results[i]] for i, x in enumerate(carry)]
    sources = [*([x] for x in const_operands), *now, *([x] for x in stack_operands)]
    shares = _shares(everything, function, sources)
    shares += [(i, x) for i, x in enumerate(carry) if isinstance(x, Variable)]
    return Block(lines, shares=tuple(shares), foreign=_foreign(everything, function), imports=_HISTORIES)
