"""Tracers: array-likes that record what NumPy does to them; levels; and `bind`.

Each running transform is a level. A tracer belongs to the level that made it, and `bind` hands a
primitive to the youngest level among its operands: a transform that starts while another runs is
the inner one, so the order of birth is the order of nesting, and no global stack has to be kept.
What the level then does with the primitive goes through `bind` again, one level further out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NoReturn, Self

import numpy as np

from transforms.array_like import ArrayLike
from transforms.errors import ConcreteValueError, LeakedTracerError, RefusedError, ShapeError, user_line
from transforms.primitive import (
    FUNCTIONS,
    METHODS,
    UFUNCS,
    Attributes,
    Primitive,
    Refusal,
)
from transforms.refusals import explain_conversion, explain_number
from transforms.types import Array, ArrayType, Shape


class Level:
    """One run of a transform; a context manager that lasts as long as the run.

    Attributes:
        transform: the name of the transform, for errors.
        birth: larger than that of every level born before.
        alive: false once the transform has returned.
        direct: whether it is alive and no other transform ran at its birth, so that inside its tracers are
            plain arrays.
    """

    __slots__ = ("alive", "birth", "direct", "transform")

    def __init__(self, transform: str) -> None:
        self.transform = transform
        self.birth = next(_births)
        self.alive = True
        self.direct = not _running

    def __enter__(self) -> Self:
        _running.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.alive = self.direct = False
        _running.discard(self)

    def process(self, primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
        """Apply a primitive to operands of which at least one is a tracer of this level."""
        raise NotImplementedError

    def unary(self, primitive: Primitive, operand: Tracer) -> Any:
        """Apply a primitive without attributes to a tracer of this level."""
        return self.process(primitive, (operand,), {})

    def binary(self, primitive: Primitive, x: Array, y: Array) -> Any:
        """Apply a primitive without attributes to two operands, one of which is a tracer of this level."""
        return dispatch(primitive, (x, y), {})

    def check_alive(self) -> None:
        """Raise `LeakedTracerError` if the transform has returned."""
        if not self.alive:
            raise LeakedTracerError(
                f"{self.transform}: a traced value must be used inside the function that is transformed, "
                "got one that leaked out of it (through a global, an attribute, a closure or a "
                "generator); return it from the function instead"
            )


_births = itertools.count()
_running: set[Level] = set()
PLAIN = frozenset({np.ndarray, float, int, bool, complex, np.float32, np.float64, np.int64, np.bool_})
_TRACERS: set[type] = set()


def bind(primitive: Primitive, *operands: Array, **attributes: Any) -> Any:
    """Apply a primitive to operands that may be tracers of any levels."""
    return dispatch(primitive, operands, attributes)


def dispatch(primitive: Primitive, operands: Sequence[Array], attributes: Attributes) -> Any:
    """Hand a primitive to the youngest level among its operands, or evaluate it if there is none."""
    top = None
    for operand in operands:
        kind = operand.__class__
        if kind in _TRACERS:
            level = operand.level
            if top is None or level.birth > top.birth:
                top = level
        elif kind not in PLAIN:
            operands = [as_operand(operand) for operand in operands]
    if top is not None:
        return top.process(primitive, operands, attributes)
    try:
        return primitive.evaluate(*operands, **attributes)
    except (np.linalg.LinAlgError, ShapeError):
        raise
    except ValueError as error:
        raise shape_error(primitive, operands, error) from error


def shape_error(primitive: Primitive, operands: Sequence[Array], error: ValueError) -> ShapeError:
    """Return the error for operands of which NumPy says that they do not fit each other."""
    shapes = " and ".join(str(np.shape(operand)) for operand in operands)
    return ShapeError(
        f"{primitive.name}: the operands' shapes must fit each other, got {shapes}; NumPy says: {error}"
    )


def as_operand(x: Any) -> Array:
    """Return what a primitive can take: a tracer, an array, a NumPy scalar or a Python number.

    Raises:
        TypeError: ``x`` is nothing that holds numbers.
    """
    if isinstance(x, (Tracer, np.ndarray, np.generic, int, float, complex, Opaque)):
        return x
    array = np.asarray(x)
    if array.dtype.kind not in "biufcV":
        raise TypeError(
            f"bind: an operand must be an array or a number, got {type(x).__name__}; "
            "convert it to an array of numbers first"
        )
    return array


class Opaque:
    """Base of what stands in arrays of dtype object, and is taken for such an array of shape ()."""

    __slots__ = ()

    shape: Shape = ()
    dtype = np.dtype(object)


class Tracer(ArrayLike):
    """An array-like that belongs to a level. Each transform has its own kind."""

    __slots__ = ("level",)
    __array_priority__ = 1000.0

    level: Level

    def __init_subclass__(cls) -> None:
        _TRACERS.add(cls)

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        raise NotImplementedError

    def concrete(self) -> Array:
        """Return the value that Python may look at, if this kind of tracer has one.

        Raises:
            ConcreteValueError: there is none while the function is traced.
        """
        raise ConcreteValueError(
            f"{self.level.transform}: the traced function must not depend on an array's values, "
            f"got one of type {self.type} where Python needs its value, at {user_line()}; use np.where, "
            "cond, while_loop, or make it a static argument"
        )

    # --- the two NumPy protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        primitive = UFUNCS.get(ufunc)
        if primitive is None or kwargs or method != "__call__":
            return _call_ufunc(ufunc, method, inputs, kwargs)
        if len(inputs) == 1:
            return self.level.unary(primitive, self)
        if len(inputs) == 2:
            return self.level.binary(primitive, *inputs)
        return dispatch(primitive, inputs, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        # The name of a module stands for those of its functions that have no entry.
        implementation = FUNCTIONS.get(function) or FUNCTIONS.get(function.__module__)
        if implementation is None or isinstance(implementation, Refusal):
            _refuse(function, implementation)
        return implementation(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConcreteValueError(explain_conversion())

    # --- what would drop the derivative

    def _no_number(self, call: str) -> NoReturn:
        got = f"a value of type {self.type} traced by {self.level.transform}"
        raise ConcreteValueError(explain_number(call, got, *self._number_is_refused))

    # Why a tracer of this kind gives no Python number, and what else than another function may be the remedy.
    _number_is_refused = (
        "a Python number would drop its derivative",
        "call stop_gradient(t) if that is meant",
    )

    def __float__(self) -> float:
        self._no_number("float(t)")

    def __int__(self) -> int:
        self._no_number("int(t)")

    def __complex__(self) -> complex:
        self._no_number("complex(t)")

    def item(self, *args: int) -> NoReturn:
        """Refused: a Python number would drop the derivative."""
        self._no_number("t.item()")

    def tolist(self) -> NoReturn:
        """Refused: Python numbers would drop the derivative."""
        self._no_number("t.tolist()")

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"operator.index: the value must be an integer, got {self.type}")
        return int(self.concrete())

    def __bool__(self) -> bool:
        return bool(self.concrete())

    def __format__(self, spec: str) -> str:
        return format(self.concrete(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"Traced({self.type}, {self.level.transform})"


def _call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a ufunc that is no primitive, or one with options, or a method of one."""
    if method != "__call__":
        return METHODS[f"ufunc.{method}"](ufunc, *inputs, **kwargs)
    out = kwargs.pop("out", None)
    if out is not None and any(o is not None for o in out):
        raise TypeError(
            f"numpy.{ufunc.__name__}: out= must not be given with a traced operand, "
            "got an array to write into (as in `x += t`); write x = x + t, a new array"
        )
    if kwargs.get("where", True) is not True:
        raise RefusedError(
            f"numpy.{ufunc.__name__}: where= must not be given with a traced operand, got a mask, which "
            "leaves elements uninitialised; write np.where(mask, result, otherwise)"
        )
    dtype = kwargs.pop("dtype", None)
    for ignored in ("where", "casting", "order", "subok"):
        kwargs.pop(ignored, None)
    if dtype is not None:
        inputs = tuple(METHODS["astype"](x, dtype) for x in inputs)
    if ufunc not in UFUNCS and ufunc not in FUNCTIONS:
        METHODS["declare_ufuncs"]()
    primitive = UFUNCS.get(ufunc)
    if primitive is not None and not kwargs:
        return dispatch(primitive, inputs, kwargs)
    implementation = FUNCTIONS.get(ufunc)
    if implementation is None or isinstance(implementation, Refusal):
        _refuse(ufunc, implementation)
    return implementation(*inputs, **kwargs)


def _refuse(function: Any, refusal: Refusal | None) -> NoReturn:
    name = f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
    if refusal is None:
        raise RefusedError(
            f"{name}: the arguments must be plain arrays, got a traced one; this function has no rules: "
            "write it with functions that do, or give it rules with custom_jvp or custom_vjp"
        )
    raise RefusedError(
        f"{name}: the arguments must be plain arrays, got a traced one; {refusal.reason}: "
        f"{refusal.substitute}"
    )
