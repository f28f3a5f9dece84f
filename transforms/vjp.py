"""Reverse-mode differentiation: a tape written while the function runs, and read backwards.

Each operation on a traced value adds an entry to its level's tape: which entries its operands are,
the rules that pull a cotangent back to them, and just those operands and outputs that the rules
read. `Tape.pull` goes through the entries from the last to the first, without recursion. A rule is
NumPy code, so pulling back inside another transform is traced by that one.

Complex numbers follow JAX: a pullback multiplies by the derivative without conjugating, so that
``grad`` of a real function of ``x + iy`` is ``df/dx - i df/dy``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_outputs
from transforms.errors import message
from transforms.primitive import Attributes, Forward, Primitive, PullbackPlan, Rule, zeros_of
from transforms.primitives.shape import broadcast_to
from transforms.tracer import Level, Tracer, bind, dispatch, shape_error
from transforms.types import Array, ArrayType, Shape, is_differentiable, type_of


class Entry(NamedTuple):
    """One operation on a tape.

    Attributes:
        parents: the entries of the differentiated operands.
        plan: the rules.
        out: the result, as far as a rule reads it.
        operands: the operands, as far as the rules read them.
        attributes: the primitive's options.
    """

    parents: list[int]
    plan: PullbackPlan
    out: Any
    operands: list[Any]
    attributes: Attributes


class Result(NamedTuple):
    """One result of an operation that has several; the operation's own entry stands before."""

    operation: int
    position: int
    total: int


class Tape:
    """What a function did to its inputs.

    Attributes:
        entries: in the order of time; None for an input.
        shapes: of each entry's value.
        dtypes: of each entry's value.
    """

    __slots__ = ("dtypes", "entries", "shapes")

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.shapes: list[Shape] = []
        self.dtypes: list[np.dtype[Any]] = []

    def pull(self, seeds: Sequence[tuple[int, Array]], inputs: Sequence[int]) -> list[Array | None]:
        """Pull cotangents of entries back to inputs; None for an input without influence."""
        shapes, dtypes = self.shapes, self.dtypes
        cotangents: list[Any] = [None] * len(shapes)
        for index, cotangent in seeds:
            earlier = cotangents[index]
            cotangents[index] = cotangent if earlier is None else earlier + cotangent
        index = len(shapes)
        for entry in reversed(self.entries):
            index -= 1
            cotangent = cotangents[index]
            if cotangent is None or entry is None:
                continue
            cotangents[index] = None
            if entry.__class__ is Result:
                shares = cotangents[entry.operation] or [None] * entry.total
                shares[entry.position] = cotangent
                cotangents[entry.operation] = shares
                continue
            parents, plan, out, operands, attributes = entry
            if plan.joint:
                pull_back = _pull_joint(plan, cotangent, out, operands, attributes)
            else:
                if cotangent.__class__ is list:
                    cotangent = _with_zeros(cotangent, out)
                pull_back = plan.rules
            for parent, rule in zip(parents, pull_back):  # noqa: B905  (equally long; the hot loop)
                share = rule(cotangent, out, *operands, **attributes)
                if share is None:
                    continue
                if share.shape != shapes[parent]:
                    share = fit_shape(share, shapes[parent])
                if share.dtype is not dtypes[parent]:
                    share = fit_dtype(share, dtypes[parent])
                earlier = cotangents[parent]
                cotangents[parent] = share if earlier is None else earlier + share
        return [cotangents[index] for index in inputs]


def _pull_joint(
    plan: PullbackPlan, cotangent: Any, out: Any, operands: list[Any], attributes: Attributes
) -> list[Rule]:
    """Call a joint rule once, and return for each parent a rule that gives its share."""
    shares = plan.rules[0](cotangent, out, *operands, wanted=plan.positions, **attributes)
    return [lambda *_, share=shares[position], **__: share for position in plan.positions]


def _with_zeros(cotangents: list[Array | None], outs: tuple[Array | ArrayType, ...]) -> tuple[Array, ...]:
    return tuple(
        zeros_of(type_of(out)) if cotangent is None else cotangent
        for cotangent, out in zip(cotangents, outs, strict=True)
    )


class VJPTracer(Tracer):
    """A value, and the entry of the tape that made it."""

    __slots__ = ("entry", "value")

    def __init__(self, level: VJPLevel, value: Array, entry: int) -> None:
        self.level = level
        self.value = value
        self.entry = entry

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

    def record(self, value: Array, entry: Entry | Result | None) -> VJPTracer:
        """Write an entry, None for an input, and return the tracer of its value."""
        tape = self.tape
        index = len(tape.entries)
        tape.entries.append(entry)
        tape.shapes.append(value.shape)
        tape.dtypes.append(value.dtype)
        return VJPTracer(self, value, index)

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Apply the primitive to the values, and write an entry."""
        if not self.alive:
            self.check_alive()
        if len(operands) == 1:  # then it is a tracer of this level
            values = [operands[0].value]
            parents = [operands[0].entry]
            key, bit = 1, 2
        else:
            values = []
            parents = []
            key, bit = 0, 1
            for operand in operands:
                if operand.__class__ is VJPTracer and operand.level is self:
                    values.append(operand.value)
                    parents.append(operand.entry)
                    key |= bit
                else:
                    values.append(operand)
                bit += bit
        if primitive.multiple and primitive.vjp.__class__ is Forward:
            return self._forward(primitive, key, parents, values, attributes)
        if self.outermost:
            try:
                out = primitive.evaluate(*values, **attributes)
            except np.linalg.LinAlgError:
                raise
            except ValueError as error:
                raise shape_error(primitive, values, error) from error
        else:
            out = dispatch(primitive, values, attributes)
        if primitive.constant:
            return out
        if primitive.multiple:
            return self._results(primitive, key | bit, parents, values, attributes, out)
        plan = primitive.pullback_plans.get(key | bit) or primitive.pullback_plan(key | bit)
        for position in plan.drops:
            values[position] = None
        if plan.types:
            for position in plan.types:
                values[position] = type_of(values[position])
        tape = self.tape
        entries = tape.entries
        tracer = VJPTracer(self, out, len(entries))
        tape.shapes.append(out.shape)
        tape.dtypes.append(out.dtype)
        entries.append((parents, plan, out if plan.keeps_out else None, values, attributes))
        return tracer

    def _forward(
        self, primitive: Primitive, key: int, parents: list[int], values: list[Any], attributes: Attributes
    ) -> tuple[Array, ...]:
        """Let a primitive with a `Forward` rule run itself."""
        wanted = tuple(position for position in range(len(values)) if key >> position & 1)
        rule: Any = primitive.vjp
        outs, pullback = rule.rule(values, wanted, **attributes)

        def joint(cotangents: list[Array | None], *_: Any, wanted: Any) -> dict[int, Array | None]:
            return dict(zip(wanted, pullback(cotangents), strict=True))

        plan = PullbackPlan(wanted, (joint,), True, False, (), ())
        return self._split(outs, Entry(parents, plan, None, [], {}))

    def _split(self, outs: Sequence[Array], entry: Entry) -> tuple[Array, ...]:
        """Write an entry for an operation, and one for each of its results."""
        if not any(is_differentiable(out.dtype) for out in outs):
            return tuple(outs)
        operation = self.record(outs[0], entry).entry
        return tuple(
            self.record(out, Result(operation, index, len(outs))) if is_differentiable(out.dtype) else out
            for index, out in enumerate(outs)
        )

    def _results(
        self,
        primitive: Primitive,
        key: int,
        parents: list[int],
        values: list[Any],
        attributes: Attributes,
        outs: Sequence[Array],
    ) -> tuple[Array, ...]:
        if not any(is_differentiable(out.dtype) for out in outs):
            return tuple(outs)
        plan = primitive.pullback_plan(key)
        for position in plan.drops:
            values[position] = None
        for position in plan.types:
            values[position] = type_of(values[position])
        kept_outs = tuple(outs) if plan.keeps_out else tuple(type_of(out) for out in outs)
        return self._split(outs, Entry(parents, plan, kept_outs, values, attributes))


def fit_shape(x: Array, shape: Shape) -> Array:
    """Sum out the axes along which a value was broadcast from ``shape``, or broadcast it to ``shape``."""
    extra, axes = _summed_axes(x.shape, shape)
    if extra:
        x = _sum(x, extra)
        if not axes and x.shape == shape:
            return x
    if axes:
        x = _sum(x, axes, None, None, True)
    return x if x.shape == shape else bind(broadcast_to, x, shape=shape)


_sum: Any = np.add.reduce  # of which the stubs do not know that it takes tracers


@functools.lru_cache(maxsize=4096)
def _summed_axes(wide: Shape, shape: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes that ``shape`` does not have, and of the others those that it has with length one."""
    extra = max(len(wide) - len(shape), 0)
    rest = wide[extra:]
    first = len(shape) - len(rest)
    axes = tuple(i for i, n in enumerate(rest) if n != 1 and shape[first + i] == 1)
    return tuple(range(extra)), axes


def fit_dtype(x: Array, dtype: np.dtype[Any]) -> Array:
    """Cast a derivative to the dtype of its primal; of a complex one for a real primal, the real part."""
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    return x if x.dtype == dtype else x.astype(dtype)


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
        pulled = iter(self.tape.pull(seeds, [entry for entry in self.inputs if entry is not None]))
        shares = [None if entry is None else next(pulled) for entry in self.inputs]
        cotangents = [
            np.zeros(leaf.shape, leaf.dtype) if share is None and entry is not None else share
            for leaf, entry, share in zip(self.leaves, self.inputs, shares, strict=True)
        ]
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
            tracer = level.record(leaf, None) if differentiable else leaf
            inputs.append(None if tracer is leaf else tracer.entry)
            tracers.append(tracer)
        out = f(*structure.unflatten(tracers))
        out, aux = out if has_aux else (out, None)
        if out.__class__ is VJPTracer:
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
