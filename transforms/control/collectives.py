"""Collectives: what the examples of a `vmap` that names its axis compute together.

A collective is a primitive of two operands: the value, and the index of the example along the named axis. The
index is a batched value of the `vmap` that has the name, so the level at which it is batched is the one over
which to reduce, however many transforms, programs and other batches lie between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms import tree
from transforms.at import at
from transforms.boundary import as_array
from transforms.primitive import NoRule, Primitive
from transforms.primitives.declare import move_axis
from transforms.tracer import bind
from transforms.types import Array, ArrayType, type_of
from transforms.vmap import named_axis

_INDEX = NoRule("it is an index")


def _reduction(
    name: str,
    reduce: Callable[[Array, int], Array],
    of_constant: Callable[[Array, int], Array],
    *,
    push: Callable[..., Array],
    pull: Callable[..., Array],
) -> Primitive:
    """Declare a collective that gives every example the same array of the shape of its own.

    Args:
        name: what graphs and errors call it.
        reduce: reduces an array over an axis.
        of_constant: what the reduction of equal arrays gives, from one of them and their number.
        push: the jvp rule of the value.
        pull: the vjp rule of the value.
    """

    def batch(size: int, operands: Sequence[Array], axes: Sequence[int | None]) -> tuple[Array, int | None]:
        x, index = operands
        if axes[1] is None:
            return bind(primitive, x, index), axes[0]
        return (of_constant(x, size) if axes[0] is None else reduce(x, axes[0])), None

    primitive = Primitive(
        name,
        _outside,
        infer=lambda x, index: type_of(x),
        jvp=(push, _INDEX),
        vjp=(pull, _INDEX),
        batch=batch,
    )
    return primitive


def _outside(*operands: Array, **attributes: Any) -> Array:
    raise RuntimeError("a collective ran outside of the vmap that names its axis")


def _sum(x: Array, axis: int) -> Array:
    total = np.sum(x, axis=axis)
    return total if total.dtype == x.dtype else total.astype(x.dtype)  # NumPy widens small integers


# Each example's sum has a cotangent of its own, and each example's value is in all of these sums.
psum_p: Primitive = _reduction(
    "psum",
    _sum,
    lambda x, size: x * size,
    push=lambda t, _out, _x, index: bind(psum_p, t, index),
    pull=lambda d, _out, _x, index: bind(psum_p, d, index),
)


def _share(out: Array, x: Array, index: Array) -> Array:
    """Return the derivative of an extreme value: equal shares for the examples that have it."""
    mask = np.equal(x, out).astype(out.dtype)
    return mask / bind(psum_p, mask, index)


def _push_extreme(t: Array, out: Array, x: Array, index: Array) -> Array:
    return bind(psum_p, t * _share(out, x, index), index)


def _pull_extreme(d: Array, out: Array, x: Array, index: Array) -> Array:
    return bind(psum_p, d, index) * _share(out, x, index)


pmax_p = _reduction(
    "pmax", lambda x, axis: np.max(x, axis), lambda x, _: x, push=_push_extreme, pull=_pull_extreme
)
pmin_p = _reduction(
    "pmin", lambda x, axis: np.min(x, axis), lambda x, _: x, push=_push_extreme, pull=_pull_extreme
)


def _batch_gather(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], examples: int
) -> tuple[Array, int | None]:
    x, index = operands
    if axes[1] is None:
        out = bind(all_gather_p, x, index, examples=examples)
        return out, None if axes[0] is None else axes[0] + 1
    if axes[0] is None:
        return np.broadcast_to(x, (size, *type_of(x).shape)), None
    return move_axis(x, axes[0], 0), None


all_gather_p: Primitive = Primitive(
    "all_gather",
    _outside,
    infer=lambda x, index, examples: ArrayType((examples, *type_of(x).shape), type_of(x).dtype),
    jvp=(lambda t, _out, _x, index, examples: bind(all_gather_p, t, index, examples=examples), _INDEX),
    vjp=(lambda d, _out, _x, index, examples: at(bind(psum_p, d, index))[index].get(), _INDEX),
    batch=_batch_gather,
)


# --- what users call


def _reduce(where: str, primitive: Primitive, x: Any, axis_name: Any) -> Any:
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    indices = [named_axis(where, name).position for name in names]

    def of_leaf(leaf: Any) -> Array:
        leaf = as_array(leaf)
        leaf = leaf.astype(np.int64) if leaf.dtype == bool else leaf
        for index in indices:
            leaf = bind(primitive, leaf, index)
        return leaf

    return tree.map(of_leaf, x)


def psum(x: Any, axis_name: Any) -> Any:
    """Return the sum over the examples of a `vmap` that names its axis.

    Args:
        x: a tree of arrays, of each example.
        axis_name: the name, or a tuple of names to sum over each of these axes.

    Returns:
        A tree like ``x``, the same for all examples. A derivative inside of the `vmap` is that of all
        examples' outputs together.

    Raises:
        NameError: no `vmap` around the call has this name.

    >>> from transforms import vmap
    >>> vmap(lambda x: x / psum(x, "batch"), axis_name="batch")(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    return _reduce("psum", psum_p, x, axis_name)


def pmean(x: Any, axis_name: Any) -> Any:
    """Return the mean over the examples of a `vmap` that names its axis; see `psum`.

    >>> from transforms import vmap
    >>> vmap(lambda x: x - pmean(x, "batch"), axis_name="batch")(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    count = int(np.prod([named_axis("pmean", name).size for name in names]))
    return tree.map(lambda leaf: leaf / count, _reduce("pmean", psum_p, x, axis_name))


def pmax(x: Any, axis_name: Any) -> Any:
    """Return the maximum over the examples of a `vmap` that names its axis; see `psum`.

    Examples that tie share the derivative equally.

    >>> from transforms import vmap
    >>> vmap(lambda x: x == pmax(x, "batch"), axis_name="batch")(np.array([1.0, 3.0]))
    array([False,  True])
    """
    return _reduce("pmax", pmax_p, x, axis_name)


def pmin(x: Any, axis_name: Any) -> Any:
    """Return the minimum over the examples of a `vmap` that names its axis; see `pmax`.

    >>> from transforms import vmap
    >>> vmap(lambda x: x - pmin(x, "batch"), axis_name="batch")(np.array([1.0, 3.0]))
    array([0., 2.])
    """
    return _reduce("pmin", pmin_p, x, axis_name)


def axis_index(axis_name: Any) -> Array:
    """Return the position of the example along the axis of the `vmap` that has this name.

    Raises:
        NameError: no `vmap` around the call has this name.

    >>> from transforms import vmap
    >>> vmap(lambda x: x * axis_index("batch"), axis_name="batch")(np.ones(3))
    array([0., 1., 2.])
    """
    return named_axis("axis_index", axis_name).position


def all_gather(x: Any, axis_name: Any, *, axis: int = 0, tiled: bool = False) -> Any:
    """Return the values of all examples of a `vmap` that names its axis, as every example sees them.

    Args:
        x: a tree of arrays, of each example.
        axis_name: the name.
        axis: where the examples stand in the result.
        tiled: whether to concatenate along an axis that is there instead of stacking along a new one.

    Returns:
        A tree like ``x`` whose leaves have one axis more; as many, one of them longer, if ``tiled``.

    Raises:
        NameError: no `vmap` around the call has this name.

    >>> from transforms import vmap
    >>> vmap(lambda x: all_gather(x, "batch") @ np.array([1.0, 10.0]), axis_name="batch")(np.arange(2.0))
    array([10., 10.])
    """
    index, size = named_axis("all_gather", axis_name)

    def of_leaf(leaf: Any) -> Array:
        gathered = bind(all_gather_p, as_array(leaf), index, examples=size)
        if not tiled:
            return move_axis(gathered, 0, axis)
        return np.concatenate([gathered[i] for i in range(size)], axis=axis)

    return tree.map(of_leaf, x)
