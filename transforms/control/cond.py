"""`cond` and `switch`: one of several programs runs, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_leaves
from transforms.control.program import Program, call_program, make_program
from transforms.errors import message
from transforms.graph.ir import Graph, Variable
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType, is_differentiable, type_of


class Branches(NamedTuple):
    """The options of the switch primitive: programs with the same types of inputs and of outputs.

    Its operands are the index of the program to run, and the programs' inputs.

    Attributes:
        programs: one for each index.
        backend: what compiles them.
    """

    programs: tuple[Program, ...]
    backend: str

    @property
    def graphs(self) -> dict[str, Graph]:
        """The programs' graphs, for printing."""
        return {f"branch {i}": program.graph for i, program in enumerate(self.programs)}

    def __repr__(self) -> str:
        return f"[{len(self.programs)} branches]"

    @property
    def output_types(self) -> list[ArrayType]:
        """The types of the outputs."""
        return self.programs[0].output_types

    def derive(self, key: Any, make: Callable[[], Branches]) -> Branches:
        """Return what ``make`` gave for this key, and these other branches, the first time."""
        return self.programs[0].derive((key, self.programs), make)  # type: ignore[no-any-return]


def _run(branches: Branches, index: Array, operands: Sequence[Array]) -> list[Array]:
    return list(bind(switch_p, index, *operands, branches=branches))


def _evaluate(index: Array, *operands: Array, branches: Branches) -> tuple[Array, ...]:
    return tuple(branches.programs[int(index)].compiled(branches.backend)(*operands))


def _infer(index: Any, *operands: Any, branches: Branches) -> tuple[ArrayType, ...]:
    return tuple(branches.output_types)


def _stage(f: Callable[..., list[Array]], types: Sequence[Any], name: str) -> Program:
    return make_program(f, types, name)[0]


# --- forward mode


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], branches: Branches) -> Any:
    active = tuple(tangent is not None for tangent in tangents[1:])
    pushed = [program.jvp(active) for program in branches.programs]
    reached = [any(flags) for flags in zip(*(p.active for p in pushed), strict=True)]
    count = len(branches.output_types)

    def with_all_tangents(i: int) -> Callable[..., list[Array]]:
        def branch(*args: Array) -> list[Array]:
            results = list(call_program(pushed[i].program, branches.backend, *args))
            outs, out_tangents = results[:count], results[count:]
            for out, mine, anyones in zip(outs, pushed[i].active, reached, strict=True):
                if anyones:
                    results.append(out_tangents.pop(0) if mine else zeros_of(type_of(out)))
            return [*outs, *results[count + sum(pushed[i].active) :]]

        return branch

    types = pushed[0].program.input_types
    both = branches.derive(
        ("jvp", active),
        lambda: Branches(
            tuple(
                _stage(with_all_tangents(i), types, f"jvp_{program.name}")
                for i, program in enumerate(branches.programs)
            ),
            branches.backend,
        ),
    )
    results = _run(both, operands[0], [*operands[1:], *(t for t in tangents[1:] if t is not None)])
    out_tangents = iter(results[count:])
    return results[:count], [next(out_tangents) if is_active else None for is_active in reached]


# --- reverse mode: every branch gives the residuals of all, zeros for those of the others


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], branches: Branches) -> Any:
    index, inputs = operands[0], operands[1:]
    pulled = [program.vjp(tuple(w - 1 for w in wanted)) for program in branches.programs]
    count = len(branches.output_types)
    residual_types = [p.forward.output_types[count:] for p in pulled]

    def forward(i: int) -> Callable[..., list[Array]]:
        def branch(*args: Array) -> list[Array]:
            results = list(call_program(pulled[i].forward, branches.backend, *args))
            for j, types in enumerate(residual_types):
                results.extend(results[count : count + len(types)] if i == j else map(zeros_of, types))
            return [*results[:count], *results[count + len(residual_types[i]) :]]

        return branch

    def backward(i: int) -> Callable[..., list[Array]]:
        start = sum(map(len, residual_types[:i]))
        end = start + len(residual_types[i])
        total = sum(map(len, residual_types))

        def branch(*args: Array) -> list[Array]:
            residuals, rest = args[:total], args[total:]
            passed = [rest[position] for position in pulled[i].passed]
            seeds = rest[len(inputs) :]
            return list(
                call_program(pulled[i].backward, branches.backend, *residuals[start:end], *passed, *seeds)
            )

        return branch

    def stage_all(make: Callable[[int], Any], types: Sequence[Any], name: str) -> Branches:
        programs = (_stage(make(i), types, f"{name}_{p.name}") for i, p in enumerate(branches.programs))
        return Branches(tuple(programs), branches.backend)

    forwards = branches.derive(
        ("forward", wanted), lambda: stage_all(forward, branches.programs[0].input_types, "forward")
    )
    results = _run(forwards, index, inputs)
    residuals = results[count:]
    differentiable = [i for i, t in enumerate(branches.output_types) if is_differentiable(t.dtype)]

    def pullback(cotangents: list[Array | None]) -> list[Array]:
        seeds = [
            zeros_of(branches.output_types[i]) if cotangents[i] is None else cotangents[i]
            for i in differentiable
        ]
        values = [*residuals, *inputs, *seeds]
        backwards = branches.derive(
            ("backward", wanted), lambda: stage_all(backward, [type_of(x) for x in values], "backward")
        )
        return _run(backwards, index, values)

    return results[:count], pullback


# --- batching


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], branches: Branches
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    index, inputs = operands[0], operands[1:]
    if axes[0] is None:
        spread = [program.batch(size, tuple(axes[1:])).axes for program in branches.programs]
        differs = tuple(any(axis is not None for axis in column) for column in zip(*spread, strict=True))
        programs = (program.batch(size, tuple(axes[1:]), differs).program for program in branches.programs)
        results = _run(Branches(tuple(programs), branches.backend), index, inputs)
        return tuple(results), tuple(0 if d else None for d in differs)
    everywhere = (True,) * len(branches.output_types)
    batched = [program.batch(size, tuple(axes[1:]), everywhere).program for program in branches.programs]
    outs = [call_program(program, branches.backend, *inputs) for program in batched]
    chosen = list(outs[0])
    for i, candidates in enumerate(outs[1:], start=1):
        for position, candidate in enumerate(candidates):
            mask = (index == i).reshape((size,) + (1,) * (candidate.ndim - 1))
            chosen[position] = np.where(mask, candidate, chosen[position])
    return tuple(chosen), (0,) * len(chosen)


switch_p = Primitive(
    "switch", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)


# --- what users call


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, backend: str = "numpy") -> Any:
    """Run the function that an index names.

    All functions are traced, and one of them runs.

    Args:
        index: an integer, of shape (); one that is out of range means the first function or the last.
        branches: functions of the operands that return trees of the same structure and types.
        *operands: trees of arrays.
        backend: what compiles the functions.

    Returns:
        What the function returns.

    Raises:
        ValueError: there is no function.
        TypeError: the index is no integer of shape (), or the functions' outputs differ in type; the message
            has the path.

    >>> switch(1, [np.sin, np.cos], 0.0)
    np.float64(1.0)
    """
    if not branches:
        raise ValueError(message("switch", "branches", "have at least one function", "none"))
    index = as_array(index)
    if index.shape != () or index.dtype.kind not in "iu":
        raise TypeError(message("switch", "the index", "be an integer of shape ()", type_of(index)))
    return _choose("switch", np.clip(index, 0, len(branches) - 1), branches, operands, backend)


def _choose(
    where: str, index: Array, branches: Sequence[Callable[..., Any]], operands: Any, backend: str
) -> Any:
    leaves, structure = tree.flatten(operands)
    leaves = [as_array(x) for x in leaves]
    programs, captured, out_structure = _stage_branches(where, branches, leaves, structure)
    return out_structure.unflatten(_run(Branches(programs, backend), index, [*leaves, *captured]))


def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    backend: str = "numpy",
) -> Any:
    """Run one function or the other.

    Both are traced, and one of them runs; under `vmap` with different predicates both run, and the results
    are selected.

    Args:
        pred: a boolean or number of shape ().
        true_fun: runs where ``pred`` is true.
        false_fun: runs where it is not; it returns a tree of the same structure and types.
        *operands: trees of arrays that the functions take.
        backend: what compiles the functions.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``pred`` does not have shape (), or the functions' outputs differ in type; the message has
            the path.

    >>> cond(True, np.sin, np.cos, 0.0)
    np.float64(0.0)
    """
    pred = as_array(pred)
    if pred.shape != ():
        raise TypeError(
            message("cond", "pred", "have shape ()", pred.shape, "use np.where to choose elements")
        )
    return _choose("cond", (pred == 0).astype(np.int32), (true_fun, false_fun), operands, backend)


def _stage_branches(
    where: str, functions: Sequence[Callable[..., Any]], leaves: list[Array], structure: Any
) -> tuple[tuple[Program, ...], list[Tracer], tree.Structure]:
    """Stage functions of the same arguments; their programs take, after these, what any of them captures."""
    targets: list[np.dtype[Any] | None] | None = None
    while True:
        staged = [_stage_branch(where, f, leaves, structure, targets) for f in functions]
        outputs = [program.graph.outputs for program, _, _ in staged]
        first = staged[0][2]
        for _, _, out in staged[1:]:
            tree.check_same_structure(first, out, where)
        if targets is not None or all(_types(o) == _types(outputs[0]) for o in outputs):
            break
        targets = [_common_dtype(where, first, i, [o[i] for o in outputs]) for i in range(len(outputs[0]))]
    captured = list({id(x): x for _, xs, _ in staged for x in xs}.values())
    programs = []
    for program, mine, _ in staged:
        own = program.graph.inputs[: len(leaves)]
        by_identity = dict(zip(map(id, mine), program.graph.inputs[len(leaves) :], strict=True))
        extra = (by_identity.get(id(x), Variable(type_of(x))) for x in captured)
        programs.append(Program(program.graph._replace(inputs=(*own, *extra)), program.name))
    return tuple(programs), captured, tree.structure(first)


def _stage_branch(
    where: str, f: Any, leaves: list[Array], structure: Any, targets: Any
) -> tuple[Program, list[Tracer], Any]:
    outs: list[Any] = []

    def flat(*args: Array) -> list[Array]:
        out = f(*structure.unflatten(args))
        values, spec = tree.flatten(out)
        check_leaves(where, f, out, values)
        outs.append(spec.unflatten(range(len(values))))
        if targets is None:
            return values
        return [x if t is None else np.multiply(x, 1).astype(t) for x, t in zip(values, targets, strict=True)]

    program, captured = make_program(flat, [type_of(x) for x in leaves], getattr(f, "__name__", "branch"))
    return program, captured, outs[0]


def _types(outputs: Sequence[Any]) -> list[ArrayType]:
    return [x.type if isinstance(x, Variable) else type_of(x) for x in outputs]


def _common_dtype(where: str, out: Any, position: int, outputs: list[Any]) -> np.dtype[Any] | None:
    """Return the dtype that makes outputs alike, where Python numbers take the others' type."""
    types = _types(outputs)
    if all(t == types[0] for t in types):
        return None
    strong = {t for t, x in zip(types, outputs, strict=True) if isinstance(x, Variable) and x.weak is None}
    if len(strong) == 1 and all(t.shape == types[0].shape for t in types):
        return next(iter(strong)).dtype
    path = tree.paths(out)[position]
    raise TypeError(
        message(
            where,
            "the functions' outputs" + (f" at {path!r}" if path else ""),
            "have the same type",
            " and ".join(map(str, types)),
            "cast them or change their shapes",
        )
    )
