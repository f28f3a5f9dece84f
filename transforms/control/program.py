"""Programs as values: a graph, the programs derived from it, and the primitive that calls it."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.control.nans import are_checked
from transforms.graph.cut import cut
from transforms.graph.ir import Graph, Variable, has_effect
from transforms.graph.passes import optimize, remove_dead, share_common
from transforms.graph.stage import StageTracer, bind_effect, evaluate, stage_flat
from transforms.jvp import jvp
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.tracer import Tracer
from transforms.types import Array, ArrayType, is_differentiable, type_of
from transforms.vjp import vjp
from transforms.vmap import BatchLevel


class Program:
    """A graph whose constants are plain arrays, known by identity, with what was derived from it.

    Attributes:
        graph: what it computes.
        name: for printing.
        has_effect: whether it does more than to give results.
    """

    __slots__ = ("_derived", "graph", "has_effect", "name")

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.has_effect = any(map(has_effect, graph.equations))
        self._derived: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return self.name

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graph, for printing."""
        return {self.name: self.graph}

    @property
    def input_types(self) -> list[Any]:
        """The types of the inputs; a number type for what stands for a Python number."""
        return [variable.weak or variable.type for variable in self.graph.inputs]

    @property
    def output_types(self) -> list[ArrayType]:
        """The types of the outputs."""
        return [type_of(x.type if isinstance(x, Variable) else x) for x in self.graph.outputs]

    def captured_first(self, count: int) -> Program:
        """Return the program with its last inputs, which `make_program` captured, before the others."""
        own = len(self.graph.inputs) - count
        inputs = (*self.graph.inputs[own:], *self.graph.inputs[:own])
        return Program(self.graph._replace(inputs=inputs), self.name)

    def derive(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what ``make`` gave for this key the first time."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def compiled(self, backend: str) -> Any:
        """Return the graph compiled by a backend, a callable on plain arrays."""
        if are_checked():
            return functools.partial(evaluate, self.graph)
        # The backends stand above this floor; which one it is to be is known only now.
        backends = importlib.import_module("transforms.backends")
        return self.derive(("compiled", backend), lambda: backends.compile_graph(self.graph, backend))

    @property
    def optimized(self) -> Graph:
        """The graph after all passes."""
        return self.derive("optimized", lambda: optimize(self.graph))  # type: ignore[no-any-return]

    def jvp(self, active: tuple[bool, ...]) -> Pushed:
        """Return the program of outputs and tangents, given inputs and the tangents of active ones."""
        return self.derive(("jvp", active), lambda: _push(self, active))  # type: ignore[no-any-return]

    def vjp(self, wanted: tuple[int, ...]) -> Pulled:
        """Return the programs of the forward pass and the pullback with respect to some inputs."""
        return self.derive(("vjp", wanted), lambda: _pull(self, wanted))  # type: ignore[no-any-return]

    def batch(
        self, size: int, axes: tuple[int | None, ...], spread: tuple[bool, ...] | None = None
    ) -> Batched:
        """Return the program for many examples at once.

        Args:
            size: how many.
            axes: where the inputs have them; None for an input that is the same for all examples.
            spread: which outputs have them even if they are the same for all examples; None for no output.
        """
        return self.derive(("batch", size, axes, spread), lambda: _batch(self, size, axes, spread))  # type: ignore[no-any-return]


class Pushed(NamedTuple):
    """A program with tangents.

    Attributes:
        program: from inputs and the tangents of active inputs to outputs and the tangents of active outputs.
        active: which outputs have tangents.
    """

    program: Program
    active: tuple[bool, ...]


class Batched(NamedTuple):
    """A program for many examples at once.

    Attributes:
        program: from batched inputs to batched outputs.
        axes: where the outputs have the examples: 0, or None for an output that is the same for all.
    """

    program: Program
    axes: tuple[int | None, ...]


class Pulled(NamedTuple):
    """The two halves of a program's reverse mode.

    Attributes:
        forward: from inputs to outputs and residuals.
        backward: from residuals, the inputs at ``passed`` and the cotangents of the outputs at
            ``differentiable`` to the cotangents of the inputs that were wanted.
        passed: which inputs the pullback reads.
        differentiable: which outputs have cotangents.
    """

    forward: Program
    backward: Program
    passed: tuple[int, ...]
    differentiable: tuple[int, ...]


def make_program(
    f: Callable[..., Any], types: Sequence[Any], name: str, where: str = "stage"
) -> tuple[Program, list[Tracer]]:
    """Stage a function of arrays that returns a list of arrays, for the callable that errors are to name.

    Returns:
        the program, and the tracers of other transforms that the function closes over; the program
        takes these as further inputs, after the function's own. What the function returns as a Python
        number, the program gives as an array, like every result of a primitive.
    """
    graph = share_common(remove_dead(stage_flat(f, types, where)))
    numbers = {i: Variable(type_of(x)) for i, x in enumerate(graph.outputs) if not isinstance(x, Variable)}
    graph = graph._replace(
        constants=(*graph.constants, *((v, np.asarray(graph.outputs[i])) for i, v in numbers.items())),
        outputs=tuple(numbers.get(i, x) for i, x in enumerate(graph.outputs)),
    )
    captured = [(variable, value) for variable, value in graph.constants if isinstance(value, Tracer)]
    constants = tuple((v, x) for v, x in graph.constants if not isinstance(x, Tracer))
    inputs = (*graph.inputs, *(variable for variable, _ in captured))
    return Program(graph._replace(inputs=inputs, constants=constants), name), [x for _, x in captured]


def weak_kind(x: Any) -> type | None:
    """Return the type of the Python number that a value is, or stands for; None if it is an array."""
    if isinstance(x, StageTracer):
        return x.variable.weak
    return type(x) if type(x) in (bool, int, float, complex) else None


def _closed(f: Callable[..., Any], types: Sequence[Any], name: str) -> Program:
    program, captured = make_program(f, types, name)
    if captured:
        raise RuntimeError(f"{name}: a derived program must be closed, got {captured}")
    return program


def _push(program: Program, active: tuple[bool, ...]) -> Pushed:
    positions = [i for i, is_active in enumerate(active) if is_active]
    active_outputs: list[bool] = []

    def pushed(*args: Array) -> list[Array]:
        primals, tangents = args[: len(active)], args[len(active) :]

        def of_active(*values: Array) -> list[Array]:
            inputs = list(primals)
            for position, value in zip(positions, values, strict=True):
                inputs[position] = value
            return evaluate(program.graph, *inputs)

        outs, out_tangents = jvp(of_active, [primals[i] for i in positions], tangents)
        active_outputs[:] = [isinstance(tangent, Tracer) for tangent in out_tangents]
        return [*outs, *(t for t, is_active in zip(out_tangents, active_outputs, strict=True) if is_active)]

    types = [*program.input_types, *(program.graph.inputs[i].type for i in positions)]
    return Pushed(_closed(pushed, types, f"jvp_{program.name}"), tuple(active_outputs))


def _pull(program: Program, wanted: tuple[int, ...]) -> Pulled:
    output_types = program.output_types
    differentiable = tuple(i for i, t in enumerate(output_types) if is_differentiable(t.dtype))
    count = len(program.graph.inputs)

    def both(*args: Array) -> list[Array]:
        inputs, cotangents = args[:count], args[count:]

        def of_wanted(*values: Array) -> list[Array]:
            everything = list(inputs)
            for position, value in zip(wanted, values, strict=True):
                everything[position] = value
            return evaluate(program.graph, *everything)

        outs, pullback = vjp(of_wanted, *(inputs[i] for i in wanted))
        seeds: list[Array | None] = [None] * len(outs)
        for position, cotangent in zip(differentiable, cotangents, strict=True):
            seeds[position] = cotangent
        return [*outs, *pullback(seeds)]

    types = [*program.input_types, *(output_types[i] for i in differentiable)]
    whole = _closed(both, types, f"vjp_{program.name}")
    halves = cut(whole.graph, count, len(output_types))
    return Pulled(
        Program(halves.first, f"forward_{program.name}"),
        Program(halves.second, f"backward_{program.name}"),
        halves.passed,
        differentiable,
    )


def _batch(
    program: Program, size: int, axes: tuple[int | None, ...], spread: tuple[bool, ...] | None
) -> Batched:
    out_axes: list[int | None] = []

    def batched(*inputs: Array) -> list[Array]:
        with BatchLevel(size) as level:
            outs = evaluate(program.graph, *(level.attach(x, a) for x, a in zip(inputs, axes, strict=True)))
            wanted = spread or (False,) * len(outs)
            out_axes[:] = [0 if s or level.holds(x) else None for s, x in zip(wanted, outs, strict=True)]
            return [level.detach(x, axis) for x, axis in zip(outs, out_axes, strict=True)]

    types = [
        t if axis is None else ArrayType((*v.type.shape[:axis], size, *v.type.shape[axis:]), v.type.dtype)
        for t, v, axis in zip(program.input_types, program.graph.inputs, axes, strict=True)
    ]
    return Batched(_closed(batched, types, f"vmap_{program.name}"), tuple(out_axes))


# --- the primitive that calls a program


def call_program(program: Program, backend: str, *operands: Array) -> tuple[Array, ...]:
    """Run a program on operands that may be tracers."""
    return bind_effect(call, *operands, program=program, backend=backend)  # type: ignore[no-any-return]


def _evaluate_call(*operands: Array, program: Program, backend: str) -> tuple[Array, ...]:
    return tuple(program.compiled(backend)(*operands))


def _infer_call(*types: Any, program: Program, backend: str) -> tuple[ArrayType, ...]:
    return tuple(program.output_types)


def _jvp_call(
    operands: Sequence[Array], tangents: Sequence[Array | None], program: Program, backend: str
) -> Any:
    pushed = program.jvp(tuple(tangent is not None for tangent in tangents))
    results = call_program(pushed.program, backend, *operands, *(t for t in tangents if t is not None))
    count = len(program.graph.outputs)
    out_tangents = iter(results[count:])
    return results[:count], [next(out_tangents) if is_active else None for is_active in pushed.active]


def _vjp_call(operands: Sequence[Array], wanted: tuple[int, ...], program: Program, backend: str) -> Any:
    pulled = program.vjp(wanted)
    results = call_program(pulled.forward, backend, *operands)
    count = len(program.graph.outputs)
    residuals = (*results[count:], *(operands[i] for i in pulled.passed))
    types = program.output_types

    def pullback(cotangents: list[Array | None]) -> tuple[Array, ...]:
        seeds = [
            zeros_of(types[i]) if cotangents[i] is None else cotangents[i] for i in pulled.differentiable
        ]
        return call_program(pulled.backward, backend, *residuals, *seeds)

    return results[:count], pullback


def _batch_call(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], program: Program, backend: str
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    batched = program.batch(size, tuple(axes))
    return call_program(batched.program, backend, *operands), batched.axes


call = Primitive(
    "call",
    _evaluate_call,
    infer=_infer_call,
    jvp=Forward(_jvp_call),
    vjp=Forward(_vjp_call),
    batch=_batch_call,
    multiple=True,
)
