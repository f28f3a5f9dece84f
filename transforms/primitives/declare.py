"""Family constructors: state the mathematics of a primitive once, and its rules follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.primitive import UFUNCS, NoRule, Primitive, Rule
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape

_BOOL = np.dtype(bool)  # a Python bool is no weak number to NumPy
CONSTANT = NoRule("its derivative is zero wherever it exists")


def elementwise(
    function: Any,
    *differentials: Rule | NoRule,
    name: str | None = None,
    adjoints: tuple[Rule | NoRule, ...] | None = None,
    infer: Callable[..., Any] | None = None,
) -> Primitive:
    """Declare an elementwise function by what its differential does, operand by operand.

    The Jacobian of such a function is diagonal, so one rule serves both modes:
    ``differential(d, out, *operands)`` gives ``d`` times the partial derivative, whether ``d`` is a
    tangent or a cotangent. It is written as that product and not as the factor alone because the
    product is often cheaper, as in ``d / x`` for the logarithm.

    Args:
        function: what evaluates it. If it is a ufunc, a call of it on tracers binds the primitive.
        *differentials: one for each operand.
        name: if not the function's own.
        adjoints: the vjp rules where they are others: a function of complex numbers that is not
            holomorphic, a cast.
        infer: the type of the result, for a function that is no ufunc.
    """
    return _elementwise(function, differentials, adjoints or differentials, name, infer, constant=False)


def piecewise_constant(
    function: Any, *, name: str | None = None, infer: Callable[..., Any] | None = None
) -> Primitive:
    """Declare an elementwise function whose derivative is zero wherever it exists.

    So are all those whose result is an integer or a boolean. The arguments are those of `elementwise`.
    """
    return _elementwise(function, CONSTANT, CONSTANT, name, infer, constant=True)


def _elementwise(
    function: Any, jvp: Any, vjp: Any, name: str | None, infer: Any, *, constant: bool
) -> Primitive:
    is_ufunc = isinstance(function, np.ufunc)
    primitive = Primitive(
        name or function.__name__,
        function,
        infer=infer or _infer_ufunc(function),
        jvp=jvp,
        vjp=vjp,
        batch=lambda size, operands, axes, **attributes: batch_elementwise(
            primitive, operands, axes, attributes
        ),
        multiple=is_ufunc and function.nout > 1,
        constant=constant,
        elementwise=True,
    )
    if is_ufunc:
        UFUNCS[function] = primitive
    return primitive


def _infer_ufunc(ufunc: np.ufunc) -> Callable[..., Any]:
    def infer(*operands: Any) -> Any:
        dtypes = tuple(_BOOL if isinstance(x, bool) else getattr(x, "dtype", type(x)) for x in operands)
        results = ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout))[ufunc.nin :]
        shape = broadcast_shape(*operands)
        types = tuple(ArrayType(shape, dtype) for dtype in results)
        return types if ufunc.nout > 1 else types[0]

    return infer


def broadcast_shape(*operands: Any) -> Shape:
    """Return the shape to which operands broadcast; a Python scalar has shape ()."""
    shapes = {getattr(x, "shape", ()) for x in operands}
    shapes.discard(())
    return np.broadcast_shapes(*shapes) if len(shapes) > 1 else next(iter(shapes), ())


def promoted_dtype(*operands: Any) -> np.dtype[Any]:
    """Return the dtype to which NumPy promotes operands; a Python scalar promotes weakly."""
    return np.result_type(*(getattr(x, "dtype", x) for x in operands))


def batch_elementwise(
    primitive: Primitive, operands: Sequence[Array], axes: Sequence[int | None], attributes: dict[str, Any]
) -> tuple[Any, Any]:
    """Batch any function that broadcasts its operands: line their axes up and apply it once."""
    pairs = list(zip(operands, axes, strict=True))
    placed = [(_rank(x), axis) for x, axis in pairs if axis is not None or _rank(x)]
    if len(set(placed)) == 1:
        out_axis = placed[0][1]
    else:
        out_axis = 0
        rank = max(_rank(x) - (axis is not None) for x, axis in pairs)
        operands = [x if axis is None else _batch_first(x, axis, rank) for x, axis in pairs]
    out = bind(primitive, *operands, **attributes)
    return out, (out_axis,) * len(out) if primitive.multiple else out_axis


def _rank(x: Array) -> int:
    return len(getattr(x, "shape", ()))


def _batch_first(x: Array, axis: int, rank: int) -> Array:
    """Move the batch axis to the front, before enough axes of length one to give the others ``rank``."""
    moved = move_axis(x, axis, 0)
    missing = rank - (_rank(x) - 1)
    return moved.reshape(moved.shape[:1] + (1,) * missing + moved.shape[1:]) if missing else moved


def move_axis(x: Array, source: int, destination: int) -> Array:
    """Return ``x`` with one axis moved; ``x`` itself where that changes nothing."""
    return x if source == destination else np.moveaxis(x, source, destination)


def linear(
    name: str,
    evaluate: Callable[..., Array],
    adjoint: Rule,
    *,
    infer: Callable[..., ArrayType],
    batch: Callable[..., Any] | NoRule,
) -> Primitive:
    """Declare a function that is linear in its first operand and not differentiated in the others.

    Args:
        name: what graphs and errors call it.
        evaluate: on plain arrays.
        adjoint: the transposed map, as a vjp rule: ``adjoint(cotangent, _out, _x, *others, **attributes)``.
        infer: the type of the result.
        batch: the batching rule.
    """

    def push(tangent: Array, _out: Array, _x: Array, *others: Array, **attributes: Any) -> Array:
        return bind(primitive, tangent, *others, **attributes)

    primitive = Primitive(name, evaluate, infer=infer, jvp=(push,), vjp=(adjoint,), batch=batch)
    return primitive
