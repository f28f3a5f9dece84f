"""Batching: a function of one example becomes a function of many, without a loop in Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array, check_callable
from transforms.errors import TreeMismatchError, message
from transforms.primitive import Attributes, NoRule, Primitive
from transforms.tracer import Level, Tracer, dispatch
from transforms.types import Array, ArrayType, type_of


class BatchTracer(Tracer):
    """A value with one axis more than the function sees."""

    __slots__ = ("axis", "value")

    def __init__(self, level: BatchLevel, value: Array, axis: int) -> None:
        self.level = level
        self.value = value
        self.axis = axis

    @property
    def type(self) -> ArrayType:
        """Shape, without the batch axis, and dtype."""
        shape = self.value.shape
        return ArrayType(shape[: self.axis] + shape[self.axis + 1 :], self.value.dtype)


class BatchLevel(Level):
    """One run of vmap.

    Attributes:
        size: the number of examples.
    """

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        super().__init__("vmap")
        self.size = size

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Apply the primitive to all examples at once."""
        self.check_alive()
        mine = [self.holds(x) for x in operands]
        values = [x.value if is_mine else x for x, is_mine in zip(operands, mine, strict=True)]
        axes = [x.axis if is_mine else None for x, is_mine in zip(operands, mine, strict=True)]
        rule = primitive.batch
        if isinstance(rule, NoRule):
            warn_of_loop(primitive, rule.reason)
            rule = loop_rule(primitive)
        out, axis = rule(self.size, values, axes, **attributes)
        if primitive.multiple:
            return tuple(self.attach(o, a) for o, a in zip(out, axis, strict=True))
        return self.attach(out, axis)

    def attach(self, value: Array, axis: int | None) -> Array:
        """Return a tracer of a value that has the examples on an axis; the value itself if on none."""
        return value if axis is None else BatchTracer(self, value, axis)

    def holds(self, x: Any) -> bool:
        """Whether a value differs from example to example."""
        return isinstance(x, BatchTracer) and x.level is self

    def detach(self, x: Any, axis: int | None) -> Any:
        """Return a value with the examples on an axis, repeated if it is the same for all of them.

        Raises:
            ValueError: ``axis`` is None and the value differs, or there is no such axis.
        """
        if axis is None:
            if self.holds(x):
                raise ValueError(
                    message(
                        "vmap",
                        "an output whose out_axes is None",
                        "be the same for all examples",
                        f"one of type {x.type} that differs",
                    )
                )
            return x
        shape = type_of(x).shape
        rank = len(shape) + 1
        if not -rank <= axis < rank:
            rule = f"be None or an axis of an output with {rank} axes, that of the examples included"
            raise ValueError(message("vmap", "an entry of out_axes", rule, axis))
        axis = axis % rank
        if self.holds(x):
            return x.value if x.axis == axis else np.moveaxis(x.value, x.axis, axis)
        return np.broadcast_to(np.expand_dims(x, axis), (*shape[:axis], self.size, *shape[axis:]))


_warned: set[str] = set()


def warn_of_loop(primitive: Primitive, reason: str) -> None:
    """Say once that a primitive is batched by a loop."""
    if primitive.name not in _warned:
        _warned.add(primitive.name)
        warnings.warn(f"vmap: {primitive.name} runs as a loop over the examples: {reason}", stacklevel=2)


def loop_rule(primitive: Primitive) -> Callable[..., Any]:
    """Return a batching rule that applies a primitive to one example after the other."""

    def rule(
        size: int, operands: Sequence[Array], axes: Sequence[int | None], **attributes: Any
    ) -> tuple[Any, Any]:
        outs = [
            dispatch(
                primitive,
                [
                    x if axis is None else x[(slice(None),) * axis + (example,)]
                    for x, axis in zip(operands, axes, strict=True)
                ],
                attributes,
            )
            for example in range(size)
        ]
        if not primitive.multiple:
            return np.stack(outs), 0
        stacked = tuple(np.stack(results) for results in zip(*outs, strict=True))
        return stacked, (0,) * len(stacked)

    return rule


class NamedAxis(NamedTuple):
    """The axis of a `vmap` that has a name.

    Attributes:
        position: of the example, an integer of shape ().
        size: the number of examples.
    """

    position: BatchTracer
    size: int


_named: ContextVar[Mapping[Any, NamedAxis]] = ContextVar("named axes", default=MappingProxyType({}))


@contextmanager
def _naming(level: BatchLevel, axis_name: Any) -> Iterator[None]:
    """Let collectives find the axis of a level by name, for the time of a ``with`` block."""
    axis = NamedAxis(BatchTracer(level, np.arange(level.size), 0), level.size)
    token = _named.set({**_named.get(), axis_name: axis})
    try:
        yield
    finally:
        _named.reset(token)


def named_axis(where: str, axis_name: Any) -> NamedAxis:
    """Return the axis that has a name.

    Raises:
        NameError: no `vmap` that runs has an axis of this name.
    """
    named = _named.get()
    if axis_name not in named:
        raise NameError(
            message(
                where,
                "the axis name",
                f"be that of a vmap around the call ({', '.join(map(repr, named)) or 'there is none'})",
                repr(axis_name),
                "pass axis_name to vmap",
            )
        )
    return named[axis_name]


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
    axis_name: Any = None,
) -> Callable[..., Any]:
    """Turn a function of one example into a function of a batch of them.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        in_axes: which axis of each argument holds the examples, and None where all examples share the
            argument: one value for all, a tuple with one for each argument, or trees of them that
            may stop above the leaves. Negative axes count from the end.
        out_axes: where the examples go in the output, likewise; None for an output that is the same for
            all of them.
        axis_size: the number of examples, needed where no argument has an axis of them.
        axis_name: a hashable by which collectives (`psum` and others) find the axis.

    Returns:
        A function like ``f``. Its keyword arguments are batched along axis 0.

    Raises:
        ValueError: an axis is out of range, the sizes differ, or an output depends on the example
            where ``out_axes`` is None.
        TreeMismatchError: ``in_axes`` or ``out_axes`` does not fit the tree.

    >>> vmap(np.dot, in_axes=(0, None))(np.ones((3, 2)), np.arange(2.0))
    array([1., 1., 1.])
    """
    check_callable("vmap", f)
    name = getattr(f, "__name__", "f")

    def batched(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        axes = _axes_of_arguments(name, in_axes, args)
        axes += [0] * (len(leaves) - len(axes))  # keyword arguments
        leaves = [as_array(leaf) for leaf in leaves]
        axes = [_normalize(name, axis, leaf) for axis, leaf in zip(axes, leaves, strict=True)]
        size = _batch_size(name, structure, leaves, axes, axis_size)
        with BatchLevel(size) as level:
            inputs = [level.attach(leaf, axis) for leaf, axis in zip(leaves, axes, strict=True)]
            traced: Any = structure.unflatten(inputs)
            with nullcontext() if axis_name is None else _naming(level, axis_name):
                out = f(*traced[0], **traced[1])
            out_leaves, out_structure = tree.flatten(out)
            targets = tree.broadcast_prefix(out_axes, out, f"vmap({name}) out_axes", _is_none)
            values = [level.detach(leaf, axis) for leaf, axis in zip(out_leaves, targets, strict=True)]
        return out_structure.unflatten(values)

    return batched


def _is_none(x: Any) -> bool:
    return x is None


def _axes_of_arguments(name: str, in_axes: Any, args: tuple[Any, ...]) -> list[Any]:
    prefix = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    if isinstance(prefix, tuple) and len(prefix) != len(args):
        rule = f"have one entry for each of the {len(args)} positional arguments"
        remedy = "write None for one that all examples share"
        raise TreeMismatchError(message(f"vmap({name})", "in_axes", rule, prefix, remedy))
    return tree.broadcast_prefix(prefix, args, f"vmap({name}) in_axes", _is_none)


def _normalize(name: str, axis: Any, leaf: Array) -> int | None:
    if axis is None:
        return None
    if not isinstance(axis, int) or not -leaf.ndim <= axis < leaf.ndim:
        raise ValueError(
            message(
                f"vmap({name})",
                "an entry of in_axes",
                f"be None or an axis of an argument of shape {leaf.shape}",
                axis,
            )
        )
    rank: int = leaf.ndim
    return axis % rank


def _batch_size(
    name: str, structure: tree.Structure, leaves: list[Array], axes: list[int | None], axis_size: int | None
) -> int:
    sizes: list[int | None] = [
        None if axis is None else leaf.shape[axis] for leaf, axis in zip(leaves, axes, strict=True)
    ]
    given = {size for size in (*sizes, axis_size) if size is not None}
    if len(given) == 1:
        return given.pop()
    if not given:
        raise ValueError(
            message(
                f"vmap({name})", "in_axes", "name an axis of some argument", "None for all", "pass axis_size"
            )
        )
    paths = tree.paths(structure.unflatten(range(len(leaves))))
    listed = ", ".join(
        f"{size} in {_place(path)}" for size, path in zip(sizes, paths, strict=True) if size is not None
    )
    listed += f", axis_size={axis_size}" if axis_size is not None else ""
    raise ValueError(message(f"vmap({name})", "the batched axes", "have one size", listed))


def _place(path: str) -> str:
    """Return what to call a leaf of the pair of positional and keyword arguments."""
    _, argument, *inner = path.split("/", 2)
    return f"argument {argument}" + (f" at {inner[0]!r}" if inner else "")
