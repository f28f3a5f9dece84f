"""`cond` and `switch`: one of several programs runs, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable, check_outputs
from transforms.control.program import Program, call_program, make_program, weak_kind
from transforms.errors import message
from transforms.graph.ir import Graph, Variable
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.tracer import Tracer
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
    return list(bind_effect(switch_p, index, *operands, branches=branches))


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
    for position, branch in enumerate(branches):
        check_callable(where, branch, f"function {position}")
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
    staged = [_stage_branch(where, f, leaves, structure) for f in functions]
    for branch in staged[1:]:
        tree.check_same_structure(staged[0].out, branch.out, where, "the functions' outputs")
    columns = zip(*(branch.program.output_types for branch in staged), strict=True)
    if any(len(set(column)) > 1 for column in columns):
        dtypes = _common_dtypes(where, staged)
        staged = [_stage_branch(where, f, leaves, structure, dtypes) for f in functions]
    captured = list({id(x): x for branch in staged for x in branch.captured}.values())
    programs = []
    for program, mine, _, _ in staged:
        own = program.graph.inputs[: len(leaves)]
        by_identity = dict(zip(map(id, mine), program.graph.inputs[len(leaves) :], strict=True))
        extra = (by_identity.get(id(x), Variable(type_of(x))) for x in captured)
        programs.append(Program(program.graph._replace(inputs=(*own, *extra)), program.name))
    return tuple(programs), captured, tree.structure(staged[0].out)


class _Branch(NamedTuple):
    """A staged function.

    Attributes:
        program: from arguments and what is captured to the leaves of the output.
        captured: tracers that the function closes over.
        out: a tree like the output.
        numbers: which leaves of the output stand for Python numbers.
    """

    program: Program
    captured: list[Tracer]
    out: Any
    numbers: list[bool]


def _stage_branch(
    where: str, f: Any, leaves: list[Array], structure: Any, dtypes: Sequence[Any] | None = None
) -> _Branch:
    outs: list[Any] = []
    numbers: list[bool] = []

    def flat(*args: Array) -> list[Array]:
        out = f(*structure.unflatten(args))
        values, spec = tree.flatten(out)
        if values:  # None is a tree without leaves
            check_outputs(where, f, out, values)
        outs.append(spec.unflatten(range(len(values))))
        numbers[:] = [weak_kind(x) is not None for x in values]
        if dtypes is None:
            return values
        # A sum with zero is an array of the other branch's type, where a number alone is none.
        return [np.add(x, np.zeros((), t)) if t else x for x, t in zip(values, dtypes, strict=True)]

    program, captured = make_program(
        flat, [type_of(x) for x in leaves], getattr(f, "__name__", "branch"), where
    )
    return _Branch(program, captured, outs[0], numbers)


def _common_dtypes(where: str, staged: Sequence[_Branch]) -> list[np.dtype[Any] | None]:
    """Return for each output the dtype that Python numbers in some branches take from the other branches."""
    dtypes: list[np.dtype[Any] | None] = []
    for position, path in enumerate(tree.paths(staged[0].out)):
        types = [branch.program.output_types[position] for branch in staged]
        if len(set(types)) == 1:
            dtypes.append(None)
            continue
        strong = {t for t, branch in zip(types, staged, strict=True) if not branch.numbers[position]}
        if len(strong) != 1 or any(t.shape != types[0].shape for t in types):
            raise TypeError(
                message(
                    where,
                    "the functions' outputs" + (f" at {path!r}" if path else ""),
                    "have the same type",
                    " and ".join(map(str, types)),
                    "cast them or change their shapes",
                )
            )
        dtypes.append(next(iter(strong)).dtype)
    return dtypes
