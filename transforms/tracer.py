"""Tracers: array-likes that record what NumPy does to them; levels; and `bind`.

Each running transform is a level. A tracer belongs to the level that made it, and `bind` hands a
primitive to the youngest level among its operands: a transform that starts while another runs is
the inner one, so the order of birth is the order of nesting, and no global stack has to be kept.
What the level then does with the primitive goes through `bind` again, one level further out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, Self

import numpy as np

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
    except np.linalg.LinAlgError:
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


def _via(function: Callable[..., Any]) -> Any:
    """Make an array method of the NumPy function of the same meaning."""

    def array_method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    array_method.__doc__ = f"`numpy.{function.__name__}` of this array."
    return array_method


def _operator(ufunc: np.ufunc) -> Any:
    return lambda self, other: self.level.binary(UFUNCS[ufunc], self, other)


def _reflected(ufunc: np.ufunc) -> Any:
    return lambda self, other: self.level.binary(UFUNCS[ufunc], other, self)


def _unary(ufunc: np.ufunc) -> Any:
    return lambda self: self.level.unary(UFUNCS[ufunc], self)


class Tracer:
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

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.type.size

    @property
    def itemsize(self) -> int:
        """Bytes in an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all elements."""
        return self.size * self.itemsize

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
        raise ConcreteValueError(explain_number(call, got))

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

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            f"t[index] = value: a traced array must not be changed in place, got type {self.type}; "
            "write t = transforms.at(t)[index].set(value)"
        )

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"operator.index: the value must be an integer, got {self.type}")
        return int(self.concrete())

    def __bool__(self) -> bool:
        return bool(self.concrete())

    # --- containers

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a traced array without axes")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> Array:
        return METHODS["getitem"](self, index)

    def __contains__(self, value: Array) -> bool:
        return bool(np.any(self == value))

    def __format__(self, spec: str) -> str:
        return format(self.concrete(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"Traced({self.type}, {self.level.transform})"

    __hash__ = None  # type: ignore[assignment]

    # --- operators

    __add__ = _operator(np.add)
    __radd__ = _reflected(np.add)
    __sub__ = _operator(np.subtract)
    __rsub__ = _reflected(np.subtract)
    __mul__ = _operator(np.multiply)
    __rmul__ = _reflected(np.multiply)
    __truediv__ = _operator(np.true_divide)
    __rtruediv__ = _reflected(np.true_divide)
    __floordiv__ = _operator(np.floor_divide)
    __rfloordiv__ = _reflected(np.floor_divide)
    __mod__ = _operator(np.remainder)
    __rmod__ = _reflected(np.remainder)
    __matmul__ = _operator(np.matmul)
    __rmatmul__ = _reflected(np.matmul)
    __and__ = _operator(np.bitwise_and)
    __rand__ = _reflected(np.bitwise_and)
    __or__ = _operator(np.bitwise_or)
    __ror__ = _reflected(np.bitwise_or)
    __xor__ = _operator(np.bitwise_xor)
    __rxor__ = _reflected(np.bitwise_xor)
    __lshift__ = _operator(np.left_shift)
    __rlshift__ = _reflected(np.left_shift)
    __rshift__ = _operator(np.right_shift)
    __rrshift__ = _reflected(np.right_shift)
    __pow__ = _operator(np.power)
    __rpow__ = _reflected(np.power)
    __lt__ = _operator(np.less)
    __le__ = _operator(np.less_equal)
    __gt__ = _operator(np.greater)
    __ge__ = _operator(np.greater_equal)
    __eq__ = _operator(np.equal)
    __ne__ = _operator(np.not_equal)
    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)

    def __divmod__(self, other: Array) -> tuple[Array, Array]:
        return self // other, self % other

    def __rdivmod__(self, other: Array) -> tuple[Array, Array]:
        return other // self, other % self

    def __round__(self, digits: int = 0) -> Array:
        return np.round(self, digits)

    # --- array methods

    all = _via(np.all)
    any = _via(np.any)
    argmax = _via(np.argmax)
    argmin = _via(np.argmin)
    argpartition = _via(np.argpartition)
    argsort = _via(np.argsort)
    choose = _via(np.choose)
    clip = _via(np.clip)
    compress = _via(lambda self, condition, axis=None: np.compress(condition, self, axis))
    conj = _via(np.conj)
    conjugate = _via(np.conj)
    cumprod = _via(np.cumprod)
    cumsum = _via(np.cumsum)
    diagonal = _via(np.diagonal)
    dot = _via(np.dot)
    flatten = _via(np.ravel)
    max = _via(np.max)
    mean = _via(np.mean)
    min = _via(np.min)
    nonzero = _via(np.nonzero)
    prod = _via(np.prod)
    ravel = _via(np.ravel)
    repeat = _via(np.repeat)
    round = _via(np.round)
    searchsorted = _via(np.searchsorted)
    squeeze = _via(np.squeeze)
    std = _via(np.std)
    sum = _via(np.sum)
    swapaxes = _via(np.swapaxes)
    take = _via(np.take)
    trace = _via(np.trace)
    var = _via(np.var)
    copy = _via(np.copy)

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        """`numpy.reshape` of this array; the lengths as one tuple or one by one."""
        target = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, target, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Array:
        """`numpy.transpose` of this array; the axes as one tuple, one by one, or none."""
        target = axes[0] if len(axes) == 1 else axes or None
        return np.transpose(self, target)

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        """Cast the elements; to an integer or boolean type cuts the derivative."""
        return METHODS["astype"](self, dtype)

    def sort(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would sort in place."""
        self._no_change("sort", "np.sort(t)")

    def fill(self, value: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("fill", "np.full_like(t, value)")

    def partition(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("partition", "np.partition(t, kth)")

    def put(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("put", "transforms.at(t)[indices].set(values)")

    def resize(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would change the array in place."""
        self._no_change("resize", "np.resize(t, shape)")

    def _no_change(self, name: str, remedy: str) -> NoReturn:
        raise TypeError(
            f"t.{name}: a traced array must not be changed in place, got type {self.type}; write {remedy}"
        )

    @property
    def T(self) -> Array:
        """The array with its axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Array:
        """The array with its last two axes swapped."""
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Array:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Array:
        """The imaginary part."""
        return np.imag(self)

    @property
    def flat(self) -> Iterator[Array]:
        """The elements, one by one."""
        return iter(np.ravel(self))


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
