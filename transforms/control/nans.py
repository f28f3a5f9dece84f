"""The check for NaN: every primitive looks at its results, while it is on.

It exchanges what the registry of primitives holds, so that nothing is slower while it is off. Programs are
not compiled then, but run equation by equation.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.errors import message, user_line
from transforms.primitive import PRIMITIVES, Attributes, Forward, Joint, NoRule, Primitive, PullbackPlan
from transforms.tracer import Level, Tracer, dispatch
from transforms.types import Array, ArrayType, type_of


class _Original(NamedTuple):
    """What a primitive held before.

    Attributes:
        evaluate: its evaluation.
        jvp: its forward-mode rules.
        pullback_plans: what reverse mode does.
    """

    evaluate: Any
    jvp: Any
    pullback_plans: dict[int, PullbackPlan]


class _Pull(NamedTuple):
    """A derivative rule that runs.

    Attributes:
        what: what it is, for the message.
        line: of the operation that it belongs to.
    """

    what: str
    line: str


_rule: ContextVar[_Pull | None] = ContextVar("the derivative rule that runs", default=None)
_lock = threading.Lock()
_originals: dict[Primitive, _Original] = {}
_holders = 0


def are_checked() -> bool:
    """Whether the check is on."""
    return _holders > 0


def turn_on() -> None:
    """Turn the check on, once more."""
    global _holders
    with _lock:
        _holders += 1
        if _holders == 1:
            for primitive in PRIMITIVES.values():
                _originals[primitive] = _Original(primitive.evaluate, primitive.jvp, primitive.pullback_plans)
                primitive.evaluate = _checked_evaluation(primitive)
                primitive.jvp = _checked_jvp(primitive)
                primitive.pullback_plans = _CheckedPlans(primitive)


def turn_off() -> None:
    """Undo `turn_on`; the check is off when each has been undone."""
    global _holders
    with _lock:
        _holders -= 1
        if _holders == 0:
            for primitive, (evaluate, jvp, plans) in _originals.items():
                primitive.evaluate, primitive.jvp, primitive.pullback_plans = evaluate, jvp, plans
            _originals.clear()


@contextmanager
def checked() -> Iterator[None]:
    """Turn the check on for the time of a ``with`` block."""
    turn_on()
    try:
        yield
    finally:
        turn_off()


# --- what the primitives hold instead


def _checked_evaluation(primitive: Primitive) -> Callable[..., Any]:
    evaluate = primitive.evaluate

    def checked(*operands: Array, **attributes: Any) -> Any:
        out = evaluate(*operands, **attributes)
        _check(primitive.name, out if primitive.multiple else (out,), operands)
        return out

    return checked


def _checked_rule(rule: Callable[..., Any], what: str, line: str | None = None) -> Any:
    # Reverse mode reads from a rule's signature what to keep for it.
    @functools.wraps(rule)
    def checked(derivative: Any, out: Any, *operands: Array, **attributes: Any) -> Any:
        token = _rule.set(_Pull(what, line or user_line()))
        try:
            share = rule(derivative, out, *operands, **attributes)
            incoming = derivative if isinstance(derivative, (list, tuple)) else (derivative,)
            shares = share.values() if isinstance(share, dict) else share
            several = shares if isinstance(share, (list, tuple, dict)) else (share,)
            _check("", several, (*incoming, *operands))
        finally:
            _rule.reset(token)
        return share

    return checked


def _checked_jvp(primitive: Primitive) -> Any:
    rules = primitive.jvp
    if isinstance(rules, (Forward, NoRule)):
        return rules
    if isinstance(rules, Joint):
        return Joint(_checked_rule(rules.rule, f"jvp of {primitive.name}"))
    what = f"jvp of {primitive.name}"
    return tuple(rule if isinstance(rule, NoRule) else _checked_rule(rule, what) for rule in rules)


class _CheckedPlans(dict[int, PullbackPlan]):
    """Makes a plan for each operation, whose rules know the line of the operation."""

    def __init__(self, primitive: Primitive) -> None:
        super().__init__()
        self._primitive = primitive

    def get(self, key: int, default: Any = None) -> Any:
        plan = self._primitive._make_plan(key)
        running = _rule.get()
        line = running.line if running else user_line()
        what = f"vjp of {self._primitive.name}"
        return dataclasses.replace(plan, rules=tuple(_checked_rule(rule, what, line) for rule in plan.rules))


# --- what is checked, and the message


def _check(name: str, results: Any, operands: Sequence[Array]) -> None:
    """Raise FloatingPointError if a result is NaN; of a rule's own result if the name is empty."""
    for result in results:
        array = _plain(result)
        if array is None or not np.isnan(array).any():
            continue
        place = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
        running = _rule.get()
        what = " in ".join(part for part in (name, running.what if running else "") if part)
        raise FloatingPointError(
            message(
                what,
                "the result",
                "not be NaN",
                f"NaN{_at(place)} of {type_of(array)}, from {_describe(operands, array.shape, place)}",
                f"see {running.line if running else user_line()}",
            )
        )


def _plain(x: Any) -> Any:
    """Return a value as an array that may hold NaN; None if it is none, or has no values yet."""
    if isinstance(x, Tracer):
        return None
    array = np.asarray(x) if x is not None and not isinstance(x, ArrayType) else None
    return array if array is not None and array.dtype.kind in "fc" else None


def _at(place: tuple[int, ...]) -> str:
    return f" at [{', '.join(map(str, place))}]" if place else ""


def _describe(operands: Sequence[Array], shape: tuple[int, ...], place: tuple[int, ...]) -> str:
    """Return the operand that is NaN already, or else the operands' values there."""
    arrays = {i: array for i, x in enumerate(operands) if (array := _plain(x)) is not None}
    for i, array in arrays.items():
        if np.isnan(array).any():
            return f"operand {i}, which has NaN before{_at(tuple(map(int, np.argwhere(np.isnan(array))[0])))}"
    described = []
    for i, array in arrays.items():
        try:
            value = np.broadcast_to(array, shape)[place]
            described.append(f"operand {i} = {value}")
        except ValueError:
            low, high = np.min(array, initial=np.inf), np.max(array, initial=-np.inf)
            described.append(f"operand {i} of {type_of(array)} between {low} and {high}")
    return " and ".join(described) or "no operand"


# --- functions that would be compiled, in the open


class _WatchedTracer(Tracer):
    """A value of a function that is run in the open."""

    __slots__ = ("value",)

    def __init__(self, level: _WatchLevel, value: Array) -> None:
        self.level = level
        self.value = value

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        return type_of(self.value)

    def concrete(self) -> Array:
        """The value."""
        return self.value.concrete() if isinstance(self.value, Tracer) else self.value


class _WatchLevel(Level):
    """One run of a function in the open: each operation goes through `dispatch`, and so is checked."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        self.check_alive()
        out = dispatch(primitive, [self.lower(x) for x in operands], attributes)
        return tuple(map(self.lift, out)) if primitive.multiple else self.lift(out)

    def lift(self, x: Any) -> Any:
        return _WatchedTracer(self, x) if isinstance(x, (Tracer, np.ndarray, np.generic)) else x

    def lower(self, x: Any) -> Any:
        return x.value if isinstance(x, _WatchedTracer) and x.level is self else x


def run_in_the_open(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function so that the check sees each of its operations, at the user's line."""
    with _WatchLevel("debug.nans") as level:
        args, kwargs = tree.map(level.lift, (args, kwargs))
        return tree.map(level.lower, f(*args, **kwargs))
