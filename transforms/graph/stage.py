"""Staging: run a function on tracers that have types but no values, and keep what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from typing import Any, Self

import numpy as np

from transforms import tree
from transforms.boundary import check_outputs
from transforms.errors import ShapeError
from transforms.graph.ir import Equation, Graph, Operand, Variable, has_effect, infer_results
from transforms.primitive import Attributes, Primitive
from transforms.tracer import Level, Tracer, bind, dispatch, shape_error
from transforms.types import Array, ArrayType, type_of


class StageTracer(Tracer):
    """A variable of a program that is being written."""

    __slots__ = ("variable",)

    def __init__(self, level: StageLevel, variable: Variable) -> None:
        self.level = level
        self.variable = variable

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        return self.variable.type

    _number_is_refused = (
        "no values are known while a function is traced",
        "make it a static argument of jit",
    )


class StageLevel(Level):
    """One run of staging.

    Attributes:
        equations: the program so far.
        constants: the variable of each array that the function closes over, by the array's identity.
    """

    __slots__ = ("_outer", "constants", "equations")

    def __init__(self, transform: str) -> None:
        super().__init__(transform)
        self.equations: list[Equation] = []
        self.constants: dict[int, tuple[Variable, Array]] = {}

    def __enter__(self) -> Self:
        self._outer: Token[StageLevel | None] = _innermost.set(self)
        return super().__enter__()

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        _innermost.reset(self._outer)

    def operand(self, x: Any) -> Operand:
        """Return what stands for a value in the program."""
        if isinstance(x, StageTracer) and x.level is self:
            return x.variable
        if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
            return x
        if id(x) not in self.constants:
            self.constants[id(x)] = (Variable(type_of(x)), x)
        return self.constants[id(x)][0]

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Write an equation."""
        self.check_alive()
        mine = tuple(self.operand(x) for x in operands)
        try:
            results = infer_results(primitive, mine, attributes)
        except ValueError as error:
            if not primitive.elementwise or isinstance(error, ShapeError):
                raise
            raise shape_error(primitive, operands, error) from error
        self.equations.append(Equation(results, primitive, mine, attributes))
        tracers = tuple(StageTracer(self, variable) for variable in results)
        return tracers if primitive.multiple else tracers[0]


_innermost: ContextVar[StageLevel | None] = ContextVar("the program that is written", default=None)


def is_staging() -> bool:
    """Whether a program is being written in this thread."""
    return _innermost.get() is not None


def staged_beside(x: Array, other: Any) -> Array:
    """Return an array as a variable of the program that computes another one; as it is if none does.

    What is made of it is then computed when the program runs, instead of being kept as a constant.
    """
    while isinstance(other, Tracer) and not isinstance(other, StageTracer):
        other = getattr(other, "value", None)
    if not isinstance(other, StageTracer):
        return x
    level: Any = other.level
    return StageTracer(level, level.operand(x))


def bind_effect(primitive: Primitive, *operands: Array, **attributes: Any) -> Any:
    """Apply a primitive that may have an effect, or carry a program with one.

    The effect belongs where it stands: to the program that is being written, even if none of the operands
    comes from there.
    """
    level = _innermost.get()
    if level is None or any(isinstance(x, Tracer) and x.level.birth >= level.birth for x in operands):
        return dispatch(primitive, operands, attributes)
    if not has_effect(Equation((), primitive, (), attributes)):
        return dispatch(primitive, operands, attributes)
    return level.process(primitive, operands, attributes)


def stage_flat(f: Callable[..., Any], types: Sequence[Any], where: str = "stage") -> Graph:
    """Stage a function of arrays that returns a list of arrays.

    Args:
        f: the function.
        types: an array or `ArrayType` for each argument, or a number type (``float``) for a Python number.
        where: what errors call the transform that traces the function.
    """
    with StageLevel(where) as level:
        inputs = tuple(
            Variable(type_of(t()), weak=t) if isinstance(t, type) else Variable(type_of(t)) for t in types
        )
        outs = f(*(StageTracer(level, variable) for variable in inputs))
        outputs = tuple(level.operand(out) for out in outs)
    return Graph(inputs, tuple(level.constants.values()), tuple(level.equations), outputs)


def stage(f: Callable[..., Any]) -> Callable[..., Graph]:
    """Return a function that gives the program which ``f`` runs on arguments of given types.

    The program's inputs and outputs are the leaves of the arguments and of the result.

    Args:
        f: a function of trees of arrays that returns a tree of arrays. It sees types, not values, so it
            must not branch on values.

    Returns:
        A function of arguments like those of ``f``, with arrays or `ArrayType` for leaves.

    >>> stage(lambda x, y: np.sin(x) + x * y)(1.0, 2.0)
    (a: float64[], b: float64[]) ->
      c: float64[] = sin a
      d: float64[] = multiply a b
      e: float64[] = add c d
      return e
    """

    def staged(*args: Any) -> Graph:
        return _stage(f, args, "stage")[0]

    return staged


def _stage(f: Callable[..., Any], args: tuple[Any, ...], where: str) -> tuple[Graph, tree.Structure]:
    leaves, structure = tree.flatten(args)
    out_structure: list[tree.Structure] = []

    def flat(*tracers: Array) -> list[Array]:
        out = f(*structure.unflatten(tracers))
        out_leaves, spec = tree.flatten(out)
        check_outputs(where, f, out, out_leaves)
        out_structure.append(spec)
        return out_leaves

    return stage_flat(flat, [type_of(leaf) for leaf in leaves], where), out_structure[0]


def eval_shape(f: Callable[..., Any], *args: Any) -> Any:
    """Return the types of what ``f`` would return, without computing it.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        *args: its arguments, with arrays or `ArrayType` for leaves.

    Returns:
        The tree that ``f`` returns, with an `ArrayType` for each leaf.

    >>> eval_shape(lambda a, b: a @ b, np.ones((2, 3)), ArrayType((3, 4), np.dtype("float64")))
    float64[2,4]
    """
    graph, structure = _stage(f, args, "eval_shape")
    return structure.unflatten(x.type if isinstance(x, Variable) else type_of(x) for x in graph.outputs)


def evaluate(graph: Graph, *inputs: Array) -> list[Array]:
    """Run a program, on arrays or on tracers of other transforms."""
    values: dict[Variable, Array] = dict(zip(graph.inputs, inputs, strict=True))
    values.update(graph.constants)

    def read(operand: Operand) -> Array:
        return values[operand] if isinstance(operand, Variable) else operand

    for equation in graph.equations:
        apply = bind_effect if equation.primitive.multiple else bind
        out = apply(equation.primitive, *map(read, equation.operands), **equation.attributes)
        results = out if equation.primitive.multiple else (out,)
        if results and equation.results[0].weak is not None and isinstance(out, (np.ndarray, np.generic)):
            results = (out.item(),)  # a Python number again, which promotes weakly
        values.update(zip(equation.results, results, strict=True))
    return [read(x) for x in graph.outputs]
