"""Forward-mode differentiation: every value carries its tangent along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable, check_outputs, split_aux
from transforms.errors import message
from transforms.primitive import Attributes, Forward, Joint, Primitive, zeros_of
from transforms.tape import fit_dtype
from transforms.tracer import Level, Tracer, dispatch
from transforms.types import Array, ArrayType, is_differentiable, type_of


class JVPTracer(Tracer):
    """A value and its tangent, of the same shape and dtype."""

    __slots__ = ("tangent", "value")

    def __init__(self, level: JVPLevel, value: Array, tangent: Array) -> None:
        self.level = level
        self.value = value
        self.tangent = tangent

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        return ArrayType(self.value.shape, self.value.dtype)

    def concrete(self) -> Array:
        """The value: eager tracing always has one."""
        return self.value.concrete() if isinstance(self.value, Tracer) else self.value

    def __repr__(self) -> str:
        return f"Traced({self.value!r}, {self.level.transform})"


class JVPLevel(Level):
    """One run of forward mode."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Apply the primitive to the values, and its derivative to the tangents."""
        if not self.alive:
            self.check_alive()
        values = []
        tangents: list[Array | None] = []
        for operand in operands:
            if operand.__class__ is JVPTracer and operand.level is self:
                values.append(operand.value)
                tangents.append(operand.tangent)
            else:
                values.append(operand)
                tangents.append(None)
        if primitive.jvp.__class__ is Forward:
            rule: Any = primitive.jvp
            outs, pushed = rule.rule(values, tangents, **attributes)
            return tuple(self._attach(o, t) for o, t in zip(outs, pushed, strict=True))
        out = dispatch(primitive, values, attributes)
        if primitive.constant:
            return out
        if primitive.multiple:
            pushed = push_multiple(primitive, tangents, out, values, attributes)
            return tuple(self._attach(o, t) for o, t in zip(out, pushed, strict=True))
        if not is_differentiable(out.dtype):
            return out
        return self._attach(out, push(primitive, tangents, out, values, attributes))

    def _attach(self, out: Array, tangent: Array | None) -> Array:
        if tangent is None or not is_differentiable(out.dtype):
            return out
        if tangent.shape != out.shape:
            tangent = np.broadcast_to(tangent, out.shape)
        if tangent.dtype is not out.dtype:
            tangent = fit_dtype(tangent, out.dtype)
        return JVPTracer(self, out, tangent)


def push(
    primitive: Primitive,
    tangents: Sequence[Array | None],
    out: Array,
    operands: Sequence[Array],
    attributes: Attributes,
) -> Array | None:
    """Return the tangent of a primitive's result; None is zero."""
    if isinstance(primitive.jvp, Joint):
        return primitive.jvp.rule(tangents, out, *operands, **attributes)
    total = None
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            rule = primitive.rule(primitive.jvp, position, "jvp")
            share = rule(tangent, out, *operands, **attributes)
            total = share if total is None else total + share
    return total


def push_multiple(
    primitive: Primitive,
    tangents: Sequence[Array | None],
    outs: Sequence[Array],
    operands: Sequence[Array],
    attributes: Attributes,
) -> Sequence[Array | None]:
    """Return the tangents of the results of a primitive that has several; None is zero."""
    if isinstance(primitive.jvp, Joint):
        return primitive.jvp.rule(tangents, outs, *operands, **attributes)  # type: ignore[no-any-return]
    totals: list[Array | None] = [None] * len(outs)
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            rule = primitive.rule(primitive.jvp, position, "jvp")
            shares = rule(tangent, outs, *operands, **attributes)
            totals = [
                share if total is None else total + share for total, share in zip(totals, shares, strict=True)
            ]
    return totals


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """Evaluate a function and push tangents of its arguments forward to its output.

    Computes ``f(x)`` and ``J @ v`` for the Jacobian ``J`` of ``f`` at the primals ``x``, together.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        primals: its arguments, a tuple or list.
        tangents: for each argument a tree of the same structure and shapes. None stands for zero, and
            the tangent of an integer or boolean leaf is not read.
        has_aux: whether ``f`` returns ``(out, aux)``, where ``aux`` is not differentiated.

    Returns:
        ``(out, tangent)``, or ``(out, tangent, aux)``; ``tangent`` is a tree like ``out``.

    Raises:
        TypeError: ``primals`` or ``tangents`` is no tuple or list, or ``f`` returned no tree of arrays.
        TreeMismatchError: the trees of tangents differ from those of primals.
        ValueError: a tangent's shape differs from its primal's.

    Source: forward accumulation, R. E. Wengert (1964), doi:10.1145/355586.364791.

    >>> out, tangent = jvp(np.sin, (0.0,), (2.0,))
    >>> float(out), float(tangent)
    (0.0, 2.0)
    """
    check_callable("jvp", f)
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, (tuple, list)):
            raise TypeError(
                message("jvp", name, "be a tuple of arguments", type(value).__name__, f"write ({name},)")
            )
    leaves, structure = tree.flatten(tuple(primals))
    leaves = [as_array(leaf) for leaf in leaves]
    shares = tree.flatten_up_to(structure, tuple(tangents), "jvp")
    with JVPLevel("jvp") as level:
        inputs = [
            leaf
            if share is None or not is_differentiable(leaf.dtype)
            else JVPTracer(level, leaf, _as_tangent(share, leaf))
            for leaf, share in zip(leaves, shares, strict=True)
        ]
        result = f(*structure.unflatten(inputs))
        out, aux = split_aux("jvp", f, result) if has_aux else (result, None)
        out_leaves, out_structure = tree.flatten(out)
        check_outputs("jvp", f, out, out_leaves)
        pairs = [_split(level, leaf) for leaf in out_leaves]
        aux = tree.map(lambda leaf: leaf.value if _is_of(level, leaf) else leaf, aux)
    out = out_structure.unflatten(value for value, _ in pairs)
    tangent = out_structure.unflatten(tangent for _, tangent in pairs)
    return (out, tangent, aux) if has_aux else (out, tangent)


def _is_of(level: JVPLevel, leaf: Any) -> bool:
    return isinstance(leaf, JVPTracer) and leaf.level is level


def _split(level: JVPLevel, leaf: Any) -> tuple[Any, Any]:
    if _is_of(level, leaf):
        return leaf.value, leaf.tangent
    return leaf, zeros_of(type_of(leaf))


def _as_tangent(tangent: Any, primal: Array) -> Array:
    tangent = as_array(tangent)
    if tangent.shape != primal.shape:
        raise ValueError(
            message("jvp", "a tangent", f"have its primal's shape {primal.shape}", tangent.shape)
        )
    return fit_dtype(tangent, primal.dtype)
