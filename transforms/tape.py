"""The tape of reverse mode: what a function did to its arguments, as a list that is read backwards.

An entry holds which entries its operands are, the rules that pull a cotangent back to them, and just those
operands and results that the rules read. `Tape.pull` goes through the entries from the last to the first,
without recursion. A rule is NumPy code, so pulling back inside another transform is traced by that one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from transforms.primitive import Attributes, PullbackPlan, Rule, zeros_of
from transforms.primitives.shape import broadcast_to
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape, type_of


class Input(NamedTuple):
    """The entry of an argument."""

    shape: Shape
    dtype: np.dtype[Any]


class Result(NamedTuple):
    """The entry of one result of an operation that has several; the operation's own stands before."""

    shape: Shape
    dtype: np.dtype[Any]
    operation: int
    position: int
    total: int


# The entry of an operation: the shape and the dtype of its result, the entries of the operands that are
# differentiated, the plan with the rules, the result and each operand as far as a rule reads them, and the
# attributes. A function of one array without attributes has its one parent and its one operand there as they
# are, and None for the attributes. These are plain tuples, because an eager program writes one for each
# operation; what is in them decides what it costs.
Operation: TypeAlias = tuple[
    Shape, np.dtype[Any] | None, Sequence[int], PullbackPlan, Any, Sequence[Any], Attributes
]
SingleOperation: TypeAlias = tuple[Shape, np.dtype[Any], int, PullbackPlan, Any, Any, None]
Entry: TypeAlias = Input | Result | Operation | SingleOperation


class Tape:
    """What a function did.

    Attributes:
        entries: in the order of time.
    """

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def pull(self, seeds: Sequence[tuple[int, Array]]) -> list[Array | None]:
        """Pull cotangents of entries back, and return those of all inputs; None for one without influence.

        They stand at the inputs' own entries.
        """
        entries: list[Any] = self.entries
        cotangents: list[Any] = [None] * len(entries)
        for index, cotangent in seeds:
            earlier = cotangents[index]
            cotangents[index] = cotangent if earlier is None else earlier + cotangent
        index = len(entries)
        for entry in reversed(entries):
            index -= 1
            cotangent = cotangents[index]
            if cotangent is None:
                continue
            if entry.__class__ is not tuple:
                if entry.__class__ is Result:
                    _hand_over(cotangent, entry, cotangents)
                continue
            cotangents[index] = None
            _, _, parents, plan, out, operands, attributes = entry
            rules = plan.rules
            if attributes is None:  # an operation on one array, which can have been broadcast nowhere
                share = rules[0](cotangent, out, operands)
                dtype = entries[parents][1]
                if share.dtype is not dtype:
                    share = fit_dtype(share, dtype)
                earlier = cotangents[parents]
                cotangents[parents] = share if earlier is None else earlier + share
                continue
            if plan.joint:
                rules = _joint_rules(plan, cotangent, out, operands, attributes)
            elif cotangent.__class__ is list:
                cotangent = _with_zeros(cotangent, out)
            for parent, rule in zip(parents, rules):  # noqa: B905  (equally long; the hot loop)
                # A call that unpacks nothing takes a third of the time.
                if attributes:
                    share = rule(cotangent, out, *operands, **attributes)
                elif len(operands) == 2:
                    share = rule(cotangent, out, operands[0], operands[1])
                else:
                    share = rule(cotangent, out, *operands)
                if share is None:
                    continue
                primal = entries[parent]
                if share.shape != primal[0]:
                    share = fit_shape(share, primal[0])
                if share.dtype is not primal[1]:
                    share = fit_dtype(share, primal[1])
                earlier = cotangents[parent]
                cotangents[parent] = share if earlier is None else earlier + share
        return cotangents


def _hand_over(cotangent: Array, result: Result, cotangents: list[Any]) -> None:
    """Put the cotangent of a result where its operation, whose turn comes, will find it."""
    of_all = cotangents[result.operation] or [None] * result.total
    of_all[result.position] = cotangent
    cotangents[result.operation] = of_all


def _joint_rules(
    plan: PullbackPlan, cotangent: Any, out: Any, operands: Sequence[Any], attributes: Attributes
) -> list[Rule]:
    """Call a joint rule once, and return for each parent a rule that gives its share."""
    shares = plan.rules[0](cotangent, out, *operands, wanted=plan.positions, **attributes)
    return [lambda *_, share=shares[position], **__: share for position in plan.positions]


def _with_zeros(cotangents: list[Array | None], outs: tuple[Array | ArrayType, ...]) -> tuple[Array, ...]:
    return tuple(
        zeros_of(type_of(out)) if cotangent is None else cotangent
        for cotangent, out in zip(cotangents, outs, strict=True)
    )


def fit_shape(x: Array, shape: Shape) -> Array:
    """Sum out the axes along which a value was broadcast from ``shape``, or broadcast it to ``shape``."""
    extra, axes = _summed_axes(x.shape, shape)
    if extra:
        x = _sum(x, extra)
        if not axes and x.shape == shape:
            return x
    if axes:
        x = _sum(x, axes, None, None, True)
    if x.shape == shape:
        return x
    if x.__class__ is np.ndarray:  # nothing to dispatch
        return broadcast_to.evaluate(x, shape)
    return bind(broadcast_to, x, shape=shape)


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
