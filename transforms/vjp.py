"""Reverse-mode differentiation: a tape is written while the function runs, and then read backwards.

Complex numbers follow JAX: a pullback multiplies by the derivative without conjugating, so that
``grad`` of a real function of ``x + iy`` is ``df/dx - i df/dy``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable, check_outputs, split_aux
from transforms.errors import message
from transforms.primitive import VALUE, Attributes, Forward, Primitive, PullbackPlan
from transforms.tape import Entry, Input, Result, Tape, fit_dtype
from transforms.tracer import PLAIN, Level, Tracer, dispatch
from transforms.types import Array, ArrayType, Shape, is_differentiable, type_of

_NO_ATTRIBUTES: Attributes = {}


class VJPTracer(Tracer):
    """A value, and the entry of the tape that made it."""

    __slots__ = ("entry", "value")

    level: VJPLevel
    value: Array
    entry: int

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        return ArrayType(self.value.shape, self.value.dtype)

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.value.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.ndim  # type: ignore[no-any-return]

    def concrete(self) -> Array:
        """The value: eager tracing always has one."""
        return self.value.concrete() if isinstance(self.value, Tracer) else self.value

    def __repr__(self) -> str:
        return f"Traced({self.value!r}, {self.level.transform})"


class VJPLevel(Level):
    """One run of reverse mode."""

    __slots__ = ("tape",)

    def __init__(self, transform: str) -> None:
        super().__init__(transform)
        self.tape = Tape()

    def record(self, value: Array, entry: Entry) -> VJPTracer:
        """Write an entry, and return the tracer of its value."""
        entries = self.tape.entries
        tracer = VJPTracer()
        tracer.level, tracer.value, tracer.entry = self, value, len(entries)
        entries.append(entry)
        return tracer

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Apply the primitive to the values, and write an entry."""
        if not self.alive:
            self.check_alive()
        values: list[Array] = []
        parents: list[int] = []
        key, bit = 0, 1
        for operand in operands:
            if operand.__class__ is VJPTracer and operand.level is self:
                values.append(operand.value)
                parents.append(operand.entry)
                key |= bit
            else:
                values.append(operand)
            bit += bit
        key |= bit
        if primitive.multiple:
            return self._process_multiple(primitive, key, parents, values, attributes)
        out = dispatch(primitive, values, attributes)
        if primitive.constant:
            return out
        plan = primitive.pullback_plans.get(key) or primitive.pullback_plan(key)
        plan.trim(values)
        kept_out = out if plan.keeps_out else None
        return self.record(out, (out.shape, out.dtype, parents, plan, kept_out, values, attributes))

    # Most operations of a program have one or two operands and no attributes. For them the following do
    # the same in fewer steps; an eager program of small arrays spends its time here.

    def unary(self, primitive: Primitive, operand: VJPTracer) -> Any:  # type: ignore[override]
        """Apply a primitive to a tracer of this level, and write an entry."""
        if not (self.direct and primitive.smooth):
            return self.process(primitive, (operand,), _NO_ATTRIBUTES)
        value = operand.value
        try:
            out = primitive.evaluate(value)
        except ValueError:
            return self.process(primitive, (operand,), _NO_ATTRIBUTES)  # and say what is wrong
        plan = primitive.pullback_plans.get(0b11) or primitive.pullback_plan(0b11)
        read = plan.reads[0]
        kept = value if read == VALUE else type_of(value) if read else None
        kept_out = out if plan.keeps_out else None
        tracer = VJPTracer()
        tracer.level = self
        tracer.value = out
        entries = self.tape.entries
        tracer.entry = len(entries)
        entries.append((out.shape, out.dtype, operand.entry, plan, kept_out, kept, None))
        return tracer

    def binary(self, primitive: Primitive, x: Array, y: Array) -> Any:
        """Apply a primitive to two operands, and write an entry if this is the youngest of their levels."""
        x_is_mine = x.__class__ is VJPTracer and x.level is self
        y_is_mine = y.__class__ is VJPTracer and y.level is self
        if not (
            self.direct
            and primitive.smooth
            and (x_is_mine or x.__class__ in PLAIN)
            and (y_is_mine or y.__class__ in PLAIN)
        ):
            return dispatch(primitive, (x, y), _NO_ATTRIBUTES)
        parents: tuple[int, ...]
        if x_is_mine and y_is_mine:
            parents, key = (x.entry, y.entry), 0b111
            x_value, y_value = x.value, y.value
        elif x_is_mine:
            parents, key = (x.entry,), 0b101
            x_value, y_value = x.value, y
        else:
            parents, key = (y.entry,), 0b110
            x_value, y_value = x, y.value
        try:
            out = primitive.evaluate(x_value, y_value)
        except ValueError:
            return self.process(primitive, (x, y), _NO_ATTRIBUTES)  # and say what is wrong
        plan = primitive.pullback_plans.get(key) or primitive.pullback_plan(key)
        x_read, y_read = plan.reads
        kept = (
            x_value if x_read == VALUE else type_of(x_value) if x_read else None,
            y_value if y_read == VALUE else type_of(y_value) if y_read else None,
        )
        kept_out = out if plan.keeps_out else None
        tracer = VJPTracer()
        tracer.level = self
        tracer.value = out
        entries = self.tape.entries
        tracer.entry = len(entries)
        entries.append((out.shape, out.dtype, parents, plan, kept_out, kept, _NO_ATTRIBUTES))
        return tracer

    # --- primitives with several results

    def _process_multiple(
        self,
        primitive: Primitive,
        key: int,
        parents: list[int],
        values: list[Array],
        attributes: Attributes,
    ) -> tuple[Array, ...]:
        if isinstance(primitive.vjp, Forward):
            return self._forward(primitive.vjp.rule, key, parents, values, attributes)
        outs = dispatch(primitive, values, attributes)
        if primitive.constant or not any(is_differentiable(out.dtype) for out in outs):
            return tuple(outs)
        plan = primitive.pullback_plan(key)
        plan.trim(values)
        kept_outs = tuple(outs) if plan.keeps_out else tuple(type_of(out) for out in outs)
        return self._split(outs, parents, plan, kept_outs, values, attributes)

    def _forward(
        self, rule: Any, key: int, parents: list[int], values: list[Array], attributes: Attributes
    ) -> tuple[Array, ...]:
        """Let a primitive with a `Forward` rule run itself."""
        wanted = tuple(position for position in range(len(values)) if key >> position & 1)
        outs, pullback = rule(values, wanted, **attributes)

        def joint(cotangents: list[Array | None], *_: Any, wanted: Any) -> dict[int, Array | None]:
            return dict(zip(wanted, pullback(cotangents), strict=True))

        plan = PullbackPlan(wanted, (joint,), True, False, ())
        return self._split(outs, parents, plan, None, (), _NO_ATTRIBUTES)

    def _split(self, outs: Sequence[Array], *operation: Any) -> tuple[Array, ...]:
        """Write an entry for an operation, and one for each of its results."""
        if not any(is_differentiable(out.dtype) for out in outs):
            return tuple(outs)
        index = self.record(None, ((), None, *operation)).entry
        return tuple(
            self.record(out, Result(out.shape, out.dtype, index, position, len(outs)))
            if is_differentiable(out.dtype)
            else out
            for position, out in enumerate(outs)
        )


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function and return the map that pulls cotangents of its output back to its arguments.

    The pullback computes ``v -> (v @ J,)`` for the Jacobian ``J`` at ``primals``.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        *primals: its arguments. Integer and boolean leaves are passed on; their cotangent is None.
        has_aux: whether ``f`` returns ``(out, aux)``, where ``aux`` is not differentiated.

    Returns:
        ``(out, pullback)``, or ``(out, pullback, aux)``. ``pullback(cotangent)`` takes a tree like
        ``out`` and returns a tuple with a tree like each of ``primals``. It can be called many times.

    Raises:
        TypeError: ``f`` returned something that is not a tree of arrays.

    Source: reverse accumulation, S. Linnainmaa (1970); A. Griewank and A. Walther, Evaluating
    Derivatives (2008), chapter 3.

    >>> out, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> float(out), [float(cotangent) for cotangent in pullback(1.0)]
    (12.0, [4.0, 3.0])
    """
    check_callable("vjp", f)
    recording = record(f, primals, "vjp", has_aux=has_aux)
    out_types = [type_of(value) for value in recording.values]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        shares = tree.flatten_up_to(recording.out_structure, cotangent, "pullback")
        seeds = [
            (entry, _as_cotangent(share, out_type))
            for entry, share, out_type in zip(recording.outputs, shares, out_types, strict=True)
            if entry is not None and share is not None
        ]
        return recording.pull(seeds)

    out = recording.out_structure.unflatten(recording.values)
    return (out, pullback, recording.aux) if has_aux else (out, pullback)


class Recording(NamedTuple):
    """One run of a function, and what it takes to go back through it.

    Attributes:
        tape: what the function did.
        leaves: of the arguments.
        structure: of the tuple of arguments.
        inputs: the tape's entry for each leaf; None for one that is not differentiated.
        values: the leaves of the output.
        out_structure: of the output.
        outputs: the tape's entry for each of these; None for one that does not depend on the inputs.
        aux: what the function returned besides.
    """

    tape: Tape
    leaves: list[Array]
    structure: tree.Structure
    inputs: list[int | None]
    values: list[Array]
    out_structure: tree.Structure
    outputs: list[int | None]
    aux: Any

    def pull(self, seeds: Sequence[tuple[int, Array]]) -> tuple[Any, ...]:
        """Pull cotangents of entries back to a tree like the tuple of arguments."""
        pulled = self.tape.pull(seeds)
        cotangents: list[Array | None] = []
        for leaf, entry in zip(self.leaves, self.inputs, strict=True):
            share = None if entry is None else pulled[entry]
            if share is None and entry is not None:
                share = np.zeros(leaf.shape, leaf.dtype)
            cotangents.append(share)
        return self.structure.unflatten(cotangents)  # type: ignore[return-value]


_LEAF = tree.structure(0)


def record(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    transform: str,
    *,
    has_aux: bool,
    check: Callable[[list[Array]], None] | None = None,
) -> Recording:
    """Run a function on a new tape, after a check of the arguments' leaves."""
    leaves, structure = tree.flatten(primals)
    leaves = [leaf if leaf.__class__ is np.ndarray else as_array(leaf) for leaf in leaves]
    if check is not None:
        check(leaves)
    inputs: list[int | None] = []
    tracers: list[Array] = []
    with VJPLevel(transform) as level:
        for leaf in leaves:
            differentiable = leaf.dtype.kind == "f" or is_differentiable(leaf.dtype)
            tracer = level.record(leaf, Input(leaf.shape, leaf.dtype)) if differentiable else leaf
            inputs.append(None if tracer is leaf else tracer.entry)
            tracers.append(tracer)
        out = f(*structure.unflatten(tracers))
        out, aux = split_aux(transform, f, out) if has_aux else (out, None)
        if out.__class__ is VJPTracer:  # the usual end of a loss
            out_leaves, out_structure = [out], _LEAF
        else:
            out_leaves, out_structure = tree.flatten(out)
            check_outputs(transform, f, out, out_leaves)
        mine = [leaf.__class__ is VJPTracer and leaf.level is level for leaf in out_leaves]
        if has_aux:
            aux = tree.map(lambda leaf: lower(level, leaf), aux)
    return Recording(
        level.tape,
        leaves,
        structure,
        inputs,
        [leaf.value if is_mine else leaf for leaf, is_mine in zip(out_leaves, mine, strict=True)],
        out_structure,
        [leaf.entry if is_mine else None for leaf, is_mine in zip(out_leaves, mine, strict=True)],
        aux,
    )


def lower(level: VJPLevel, leaf: Any) -> Any:
    """Return the value of a tracer of this level, or anything else as it is."""
    return leaf.value if isinstance(leaf, VJPTracer) and leaf.level is level else leaf


def _as_cotangent(cotangent: Any, out_type: ArrayType) -> Array:
    cotangent = as_array(cotangent)
    if cotangent.shape != out_type.shape:
        raise ValueError(
            message("pullback", "the cotangent", f"have the output's shape {out_type.shape}", cotangent.shape)
        )
    return fit_dtype(cotangent, out_type.dtype)
