"""`checkpoint`: keep little from the forward pass, and compute the rest again when it is needed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transforms import tree
from transforms.boundary import as_array
from transforms.control.cache import ProgramCache
from transforms.control.program import Program, call_program
from transforms.graph.ir import Equation, Graph, Variable
from transforms.graph.passes import remove_dead
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.primitives.declare import elementwise
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType, type_of

Policy = Callable[[Equation], bool]


def save_nothing(equation: Equation) -> bool:
    """Keep only the arguments: a policy for `checkpoint`.

    >>> import numpy as np
    >>> checkpoint(np.sin, policy=save_nothing)(0.0)
    array(0.)
    """
    return False


def save_matmuls(equation: Equation) -> bool:
    """Keep the results of matrix products and convolutions, which cost most to compute: a policy.

    >>> import numpy as np
    >>> checkpoint(lambda x: np.sum(np.tanh(x @ x)), policy=save_matmuls)(np.zeros((2, 2)))
    np.float64(0.0)
    """
    return equation.primitive.name in ("matmul", "conv")


def save_names(*names: str) -> Policy:
    """Return the policy that keeps what `checkpoint_name` has given one of these names.

    Args:
        *names: as given to `checkpoint_name`.

    >>> import numpy as np
    >>> f = checkpoint(lambda x: np.sin(checkpoint_name(np.exp(x), "kept")), policy=save_names("kept"))
    >>> f(0.0) == np.sin(1.0)
    np.True_
    """

    def policy(equation: Equation) -> bool:
        return equation.primitive is name_p and equation.attributes["tag"] in names

    return policy


name_p = elementwise(
    lambda x, tag: x,
    lambda d, _out, _x, tag: d,
    name="name",
    infer=lambda x, tag: type_of(x),
)


def checkpoint_name(x: Any, tag: str) -> Any:
    """Return a tree as it is, and give its arrays a name that the policy `save_names` knows.

    >>> checkpoint_name(1.0, "hidden")
    1.0
    """
    return tree.map(lambda leaf: bind(name_p, leaf, tag=tag) if isinstance(leaf, Tracer) else leaf, x)


class Recipe(NamedTuple):
    """The option of the checkpoint primitive, whose operands and results are the program's.

    Attributes:
        program: the program.
        policy: says of an equation whether its results are kept.
        backend: what compiles it.
    """

    program: Program
    policy: Policy
    backend: str

    @property
    def graphs(self) -> dict[str, Graph]:
        """The program's graph, for printing."""
        return self.program.graphs

    def __repr__(self) -> str:
        return self.program.name


def _run(recipe: Recipe, operands: Sequence[Array]) -> list[Array]:
    return list(bind_effect(checkpoint_p, *operands, recipe=recipe))


def _evaluate(*operands: Array, recipe: Recipe) -> tuple[Array, ...]:
    return tuple(recipe.program.compiled(recipe.backend)(*operands))


def _infer(*types: Any, recipe: Recipe) -> tuple[ArrayType, ...]:
    return tuple(recipe.program.output_types)


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], recipe: Recipe) -> Any:
    pushed = recipe.program.jvp(tuple(tangent is not None for tangent in tangents))
    both = recipe._replace(program=pushed.program)
    results = _run(both, [*operands, *(t for t in tangents if t is not None)])
    count = len(recipe.program.graph.outputs)
    out_tangents = iter(results[count:])
    return results[:count], [next(out_tangents) if is_active else None for is_active in pushed.active]


class _Halves(NamedTuple):
    """A checkpointed program's reverse mode.

    Attributes:
        forward: from inputs to outputs and what is kept.
        backward: from inputs, what is kept and cotangents to cotangents; computes again what it needs.
        differentiable: which outputs have cotangents.
    """

    forward: Program
    backward: Program
    differentiable: tuple[int, ...]


def _halve(recipe: Recipe, wanted: tuple[int, ...]) -> _Halves:
    program = recipe.program
    pulled = program.vjp(wanted)
    whole, back = pulled.forward.graph, pulled.backward.graph
    count = len(program.graph.outputs)
    chosen = {
        x: None
        for equation in whole.equations
        if recipe.policy(equation)
        # A name stands for its operand, and the rule that made that one may read it too.
        for x in (equation.operands if equation.primitive is name_p else equation.results)
        if isinstance(x, Variable)
    }
    # What runs for its effect has had it in the forward pass.
    again = [e for e in whole.equations if not e.primitive.effect and not chosen.keys() >= {*e.results}]
    given = len(whole.outputs) - count + len(pulled.passed)
    backward = remove_dead(
        Graph(
            (*whole.inputs, *chosen, *back.inputs[given:]),
            tuple(dict((*whole.constants, *back.constants)).items()),
            (*again, *back.equations),
            back.outputs,
        )
    )
    read = {x for equation in backward.equations for x in equation.operands} | {*backward.outputs}
    kept = tuple(x for x in chosen if x in read)
    return _Halves(
        Program(remove_dead(whole._replace(outputs=(*whole.outputs[:count], *kept))), program.name),
        Program(
            backward._replace(inputs=(*whole.inputs, *kept, *back.inputs[given:])),
            f"recompute_{program.name}",
        ),
        pulled.differentiable,
    )


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], recipe: Recipe) -> Any:
    halves: _Halves = recipe.program.derive(
        ("checkpoint_vjp", wanted, recipe.policy), lambda: _halve(recipe, wanted)
    )
    results = call_program(halves.forward, recipe.backend, *operands)
    types = recipe.program.output_types
    kept = results[len(types) :]

    def pullback(cotangents: list[Array | None]) -> list[Array]:
        seeds = [
            zeros_of(types[i]) if cotangents[i] is None else cotangents[i] for i in halves.differentiable
        ]
        # One operation that waits for the cotangents: nothing of it can move to the forward pass.
        again = recipe._replace(program=halves.backward)
        return _run(again, [*operands, *kept, *seeds])

    return results[: len(types)], pullback


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], recipe: Recipe
) -> tuple[tuple[Array, ...], tuple[int | None, ...]]:
    batched = recipe.program.batch(size, tuple(axes))
    return tuple(_run(recipe._replace(program=batched.program), operands)), batched.axes


checkpoint_p = Primitive(
    "checkpoint", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)


def checkpoint(
    f: Callable[..., Any] | None = None, *, policy: Policy = save_nothing, backend: str = "numpy"
) -> Any:
    """Make a function that is computed again for its pullback, instead of keeping what the pullback needs.

    Use it as ``checkpoint(f)``, ``@checkpoint`` or ``@checkpoint(policy=...)``. The function is traced once
    for each type of its arguments, as by `jit`.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        policy: what to keep nevertheless: `save_nothing`, `save_matmuls`, ``save_names("a", ...)``, or any
            function of an equation.
        backend: what compiles the function.

    Returns:
        A function like ``f``.

    Source: T. Chen et al., Training deep nets with sublinear memory cost (2016), arXiv:1604.06174.

    >>> import numpy as np
    >>> from transforms import grad
    >>> grad(checkpoint(lambda x: np.sin(np.sin(x))))(0.0)
    np.float64(1.0)
    """
    if f is None:
        return functools.partial(checkpoint, policy=policy, backend=backend)
    cache = ProgramCache(f, "checkpoint")

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        traced, leaves = cache.look_up(args, kwargs)
        arrays = [as_array(x) for x in leaves]
        outs = _run(Recipe(traced.program, policy, backend), [*arrays, *traced.captured])
        return traced.structure.unflatten(outs)

    return checkpointed
